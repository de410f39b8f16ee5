"""What all pages share: who may come in, the menu, what stands around every page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views import View

from ml_predictions import selectors, selectors_sales
from ml_predictions.access import may_enter
from ml_predictions.messages import spoken

PLOTLYS_MAPS = "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"
"""The one style that Plotly writes into every page, for maps that we have none of; another release may need another."""
POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {PLOTLYS_MAPS}; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load: from this server alone, and no script or style that stands in the page itself."""
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True)
class Entry:
    """One entry of the menu: `name` of its address, its label, and its icon (a symbol of icons.svg)."""

    name: str
    label: Any
    icon: str


MENU = (
    Entry("morning", _("Morning"), "sun"),
    Entry("sales", _("Sales"), "chart"),
    Entry("inventory", _("Inventory"), "box"),
    Entry("customers", _("Customers"), "people"),
    Entry("recommendations", _("Recommendations"), "heart"),
    Entry("training", _("Training"), "spark"),
    Entry("data", _("Data"), "file"),
    Entry("settings", _("Settings"), "gear"),
)


class Kept(View):
    """Keeps its answers to what POLICY allows."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The answer, with the policy."""
        response = super().dispatch(request, *args, **kwargs)
        response["Content-Security-Policy"] = POLICY
        return response


class Page(Kept):
    """A page: `template`, `title` and `entry` (its name in the menu) are given, `context` is written."""

    template: ClassVar[str]
    title: ClassVar[Any]
    entry: ClassVar[str] = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Who is not signed in signs in first; whoever may not come in is told so."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("dashboard:sign-in"))
        if not may_enter(request):
            return TemplateResponse(request, "dashboard/refused.html", {"title": _("No access")}, status=403)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page."""
        return self.page(self.context(**kwargs))

    def context(self, **kwargs: Any) -> Mapping[str, Any]:
        """What the template needs beside the frame; `kwargs` are the parts of the address."""
        return {}

    def page(self, context: Mapping[str, Any], *, status: int = 200, template: str = "") -> HttpResponse:
        """The template with `context` and the frame around it."""
        whole = {"title": self.title, "entry": self.entry, **frame(self.request, context), **context}
        return TemplateResponse(self.request, template or self.template, whole, status=status)


class Step(Page):
    """Something that is done at a click, by POST alone: `do` does it and says so, or raises one of our exceptions.

    Then the page `back` is shown again, with what was said above it.
    """

    http_method_names = ["post", "options"]
    title: ClassVar[Any] = ""
    back: ClassVar[str]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Do it and go back."""
        try:
            messages.success(request, self.do(request, **kwargs))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except Exception as error:
            if not hasattr(error, "code"):  # ours have a code and a sentence; others are faults, and loud
                raise
            messages.error(request, spoken(error))
        return redirect(self.where(**kwargs))

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """Do it; returns what to say."""
        raise NotImplementedError

    def where(self, **kwargs: Any) -> str:
        """Where to go afterwards."""
        return reverse(self.back)


def frame(request: HttpRequest, known: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Menu, theme, and how the machine does: in a few queries, the same on every page.

    A page that has asked for the shop's currency hands it over in `known`.
    """
    theme = request.COOKIES.get("theme", "auto")
    return {
        "menu": MENU,
        "theme": theme if theme in THEMES else "auto",
        "currency": known.get("currency") or selectors_sales.currency(),
        "worker_alive": selectors.worker_alive(),
        "under_way": selectors.under_way(),
    }
