"""What the admin pages share: who may come in, read-only rows, no counts that scan, JSON one can read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ml_predictions import selectors
from ml_predictions.access import may_enter
from ml_predictions.messages import render
from ml_predictions.serializers.records import rendered

MOST_COUNTED = 10_000


class CappedPaginator(Paginator):
    """Counts up to MOST_COUNTED rows and no further: a page does not cost a scan of the table."""

    @cached_property
    def count(self) -> int:
        """Rows, at most MOST_COUNTED."""
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


class NamedProducts(admin.ModelAdmin):
    """Shows the names of products whose ids stand in the columns `product_fields`: one read per page."""

    product_fields: ClassVar[tuple[str, ...]] = ()

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The page, with the names of its products."""
        page: Any = super().get_changelist_instance(request)
        self._name(page.result_list)
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """One row, with the names of its products."""
        row = super().get_object(request, object_id, from_field)
        self._name([row] if row else [])
        return row

    def _name(self, rows: Iterable[Any]) -> None:
        ids = {getattr(row, field) for row in rows for field in self.product_fields}
        names = selectors.product_names(sorted(ids - {""}))
        for row in rows:
            row.product_names = names


def product(field: str, label: Any) -> Callable[[Any, Any], str]:
    """A column with the name of the product whose id stands in `field`, and the id where there is no name."""

    @admin.display(description=label, ordering=field)
    def shown(page: Any, row: Any) -> str:
        found = getattr(row, field)
        return str(row.product_names.get(found, found))

    return shown


class ReadOnly(admin.ModelAdmin):
    """Rows to look at. Django's model permissions play no part: PERMISSION decides."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    actions_on_top = True
    json_fields: ClassVar[tuple[str, ...]] = ()
    message_fields: ClassVar[tuple[str, ...]] = ()

    def has_module_permission(self, request: HttpRequest) -> bool:
        """PERMISSION decides."""
        return may_enter(request, self)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """PERMISSION decides."""
        return may_enter(request, self)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows come from trainings and predictions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows are changed by actions alone."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows are deleted by actions alone."""
        return False

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Every column in its order, JSON and messages in readable form."""
        readable = {name: f"pretty_{name}" for name in (*self.json_fields, *self.message_fields)}
        return [readable.get(field.name, field.name) for field in self.opts.fields]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """All of them."""
        return self.get_fields(request, obj)


class Kept(ReadOnly):
    """Rows that people enter, change and delete: whom PERMISSION lets in, and nobody else."""

    written: ClassVar[tuple[str, ...]] = ()
    """What a person fills in."""
    told: ClassVar[tuple[str, ...]] = ("created_by", "created_at", "changed_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """PERMISSION decides."""
        return may_enter(request, self)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """PERMISSION decides."""
        return may_enter(request, self)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """PERMISSION decides."""
        return may_enter(request, self)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """What a person fills in, and of a row that is there who did and when."""
        return [*self.written, *(self.told if obj else ())]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Who entered it and when."""
        return list(self.told if obj else ())

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Remember who entered it."""
        if not change:
            obj.created_by = str(request.user)[:160]
        super().save_model(request, obj, form, change)


def pretty(name: str, label: Any) -> Callable[..., SafeString]:
    """A column that shows the JSON of `name` indented, its messages as sentences."""

    @admin.display(description=label)
    def shown(self: Any, obj: Any) -> SafeString:
        value = getattr(obj, name)
        text = json.dumps(rendered(value), indent=2, ensure_ascii=False, default=str)
        return format_html('<pre style="margin:0;white-space:pre-wrap;max-height:40em;overflow:auto">{}</pre>', text)

    return shown


def amount(name: str, label: Any) -> Callable[..., str]:
    """A column of a list that shows the number of `name` with two decimals, in the reader's language; — for none."""

    @admin.display(description=label, ordering=name)
    def shown(self: Any, obj: Any) -> str:
        value = getattr(obj, name)
        return "—" if value is None else number_format(round(value, 2), decimal_pos=2, force_grouping=True)

    return shown


def sentence(name: str, label: Any) -> Callable[..., str]:
    """A column that shows the message of `name` as a sentence."""

    @admin.display(description=label)
    def shown(self: Any, obj: Any) -> str:
        return render(getattr(obj, name)) or "—"

    return shown
