"""What the shop's admin pages share, so that they stay quick on a table of a million rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

MOST_COUNTED = 5_000
"""Rows that a list counts and pages through; beyond them one filters or searches."""
MOST_FOUND = 1_000
"""Rows that a search finds by each of its columns."""


class CappedPaginator(Paginator):
    """Counts up to MOST_COUNTED rows and no further: a page does not cost a scan of the table."""

    @cached_property
    def count(self) -> int:
        """Rows, at most MOST_COUNTED."""
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


class IndexedOrder(ChangeList):
    """A list whose ties are broken in the direction of its order, so that an index gives the rows sorted."""

    def _get_deterministic_ordering(self, ordering: Any) -> list[Any]:
        result: list[Any] = list(super()._get_deterministic_ordering(ordering))  # type: ignore[misc]  # not in the stubs
        if len(result) > 1 and result[-1] == "-pk" and not str(result[0]).startswith("-"):
            result[-1] = "pk"
        return result


class LargeTableAdmin(admin.ModelAdmin):
    """A list page that costs the same on a hundred rows and on a million.

    `search_fields` are plain column paths that have an index. Each is looked up by itself, by what it begins with,
    through that index; a text search over joined columns (Django's own way) would read the whole table.
    """

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 200

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that sorts by index."""
        return IndexedOrder

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows in which one of `search_fields` begins with the term, in the case typed, lower, upper or title case."""
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        found: set[Any] = set()
        for field in self.get_search_fields(request):
            for spelling in dict.fromkeys((term, term.lower(), term.upper(), term.capitalize())):
                rows = self.model._default_manager.filter(begins_with(str(field), spelling))
                found.update(rows.order_by().values_list("pk", flat=True)[:MOST_FOUND])
        return queryset.filter(pk__in=sorted(found)[-MOST_FOUND:]), False


def begins_with(field: str, text: str) -> Q:
    """A condition that an index on `field` answers, on SQLite as on PostgreSQL."""
    if connection.vendor == "sqlite":  # its LIKE ignores the case and, with it, the index
        return Q(**{f"{field}__gte": text, f"{field}__lt": text + chr(0x10FFFF)})
    return Q(**{f"{field}__startswith": text})


class KeepsHistory(admin.ModelAdmin):
    """Rows on which history hangs are deleted one by one, and only while nothing refers to them."""

    history: Sequence[str] = ()
    """Names of the reverse relations that hold history."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without deleting many at once: its confirmation page would collect all that hangs on them."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False once there is history."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not any(getattr(obj, name).exists() for name in self.history))


class QuietRawIdWidget(ForeignKeyRawIdWidget):
    """A number and a looking glass, without the query that Django makes per row to write the name beside it."""

    def label_and_url_for_value(self, value: Any) -> tuple[str, str]:
        """No label: the inline shows it in a column of its own."""
        return "", ""


class RawIdInline(admin.TabularInline):
    """An inline whose raw ids cost no query per row."""

    extra = 0

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The quiet widget for raw ids."""
        if db_field.name in self.raw_id_fields:
            kwargs["widget"] = QuietRawIdWidget(db_field.remote_field, self.admin_site, using=kwargs.get("using"))
            return db_field.formfield(**kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class AddOnlyAdmin(LargeTableAdmin):
    """Rows that are written once, through a service, and neither changed nor deleted."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: what happened is not rewritten."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: what happened is not unwritten."""
        return False


def take_over(obj: Model, stored: Model) -> None:
    """Make the form's unsaved instance the row that a service has written."""
    for field in stored._meta.concrete_fields:
        setattr(obj, field.attname, getattr(stored, field.attname))
    obj._state.adding = False
    obj._state.db = stored._state.db


def chosen(queryset: QuerySet[Any], most: int = MOST_FOUND) -> Iterator[int]:
    """The ids of the rows chosen for an action, oldest first, at most `most`."""
    yield from sorted(queryset.values_list("pk", flat=True)[:most])
