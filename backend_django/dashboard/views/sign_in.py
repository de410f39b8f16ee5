"""Signing in and out, and the choice of light or dark."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from dashboard.views.base import THEMES, Kept

YEAR = 365 * 24 * 3600


class SignInForm(AuthenticationForm):
    """E-mail and password."""

    error_messages = {
        "invalid_login": _("E-mail or password is wrong."),
        "inactive": _("This account is not active."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail")
        self.fields["username"].widget.attrs |= {"type": "email", "inputmode": "email", "autocomplete": "username"}


class SignIn(Kept, auth.LoginView):
    """The page that asks who you are."""

    template_name = "dashboard/sign_in.html"
    authentication_form = SignInForm
    next_page: Any = reverse_lazy("dashboard:morning")
    redirect_authenticated_user = True
    extra_context = {"title": _("Sign in")}


class SignOut(auth.LogoutView):
    """Back to the page that asks who you are."""

    next_page: Any = reverse_lazy("dashboard:sign-in")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or as the device has it, and go back to where one was."""
    chosen = request.POST.get("theme", "")
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = redirect(back if safe else "dashboard:morning")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=YEAR, samesite="Lax", secure=request.is_secure(), httponly=True)
    return response
