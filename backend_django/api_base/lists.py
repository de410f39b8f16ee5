"""Lists: one page shape, strict ordering, strict filters. The settings of DRF name these classes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from functools import lru_cache
from typing import Any, cast

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from django_filters.utils import translate_validation
from drf_spectacular.utils import extend_schema_field
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from api_base.errors import BadInput, ChoiceRefused, whole_number
from api_base.fields import LARGEST_ID

WHOLE = (models.IntegerField, models.PositiveIntegerField, models.PositiveSmallIntegerField, models.SmallIntegerField)
LAST_PAGE = 1_000_000_000
MOST = 10**12
"""Of a number that a list is filtered by, either way."""
LONGEST_TEXT = 120
"""Characters of a text that a list is filtered by."""


class Page(PageNumberPagination):
    """Lists as `{count, next, previous, results}`; `page_size` up to 200, anything else is refused."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request: Request) -> int:
        """The `page_size` asked for, else the default."""
        text = request.query_params.get("page_size")
        return self.page_size if text is None else whole_number("page_size", text, most=self.max_page_size)

    def get_page_number(self, request: Request, paginator: Any) -> int:
        """The `page` asked for, else the first; beyond the last one is 404."""
        text = request.query_params.get("page")
        return 1 if text is None else whole_number("page", text, most=LAST_PAGE)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The shape of a page, in the words of OpenAPI 3.1."""
        address = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["count", "next", "previous", "results"],
            "properties": {
                "count": {"type": "integer", "minimum": 0},
                "next": address,
                "previous": dict(address),
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """`page` and `page_size` with their ranges."""
        found: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in found:
            parameter["schema"] |= {"minimum": 1, "maximum": LAST_PAGE}
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"maximum": self.max_page_size, "default": self.page_size}
        return found


class Ordering(OrderingFilter):
    """`?ordering=` by the fields of the list; a field that it does not know is refused, not ignored."""

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """`ordering` with the fields that it takes."""
        found: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        one = f"-?({'|'.join(getattr(view, 'ordering_fields', None) or ())})"
        for parameter in found:
            parameter["schema"]["pattern"] = f"^({one}(,{one})*)?$"
        return found

    def remove_invalid_fields(self, queryset: Any, fields: Iterable[str], view: Any, request: Request) -> list[str]:
        """All of `fields`, or a 400 that names those one can order by."""
        fields = list(fields)
        known = [name for name, _ in self.get_valid_fields(queryset, view, {"request": request})]
        for name in fields:
            if name.lstrip("-") not in known:
                raise BadInput("ordering", gettext("The list cannot be ordered by this field."), name, choices=known)
        return fields


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": LARGEST_ID})
class IdFilter(django_filters.NumberFilter):
    """The id of another row."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_ID, **kwargs})


@extend_schema_field({"type": "integer", "minimum": -MOST, "maximum": MOST})
class WholeFilter(django_filters.NumberFilter):
    """A whole number, such as units on the shelf."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": -MOST, "max_value": MOST, **kwargs})


@extend_schema_field({"type": "number", "minimum": -MOST, "maximum": MOST})
class NumberFilter(django_filters.NumberFilter):
    """A number, such as money."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": -MOST, "max_value": MOST, **kwargs})


@extend_schema_field({"type": "string", "maxLength": LONGEST_TEXT})
class TextFilter(django_filters.CharFilter):
    """A text, such as a SKU."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": LONGEST_TEXT, **kwargs})


class DayFilter(django_filters.DateFilter):
    """A day as `2026-11-27`, whatever the language of the request: 03/04/2026 is a different day in English."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"input_formats": ["%Y-%m-%d"], **kwargs})


class TimeField(IsoDateTimeField):
    """A moment, in UTC whatever its offset: PostgreSQL takes none beyond 16 hours."""

    def to_python(self, value: Any) -> Any:
        """The moment; one outside the calendar is refused."""
        found = super().to_python(value)
        try:
            return found and found.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


class TimeFilter(django_filters.IsoDateTimeFilter):
    """A moment, ISO 8601."""

    field_class = TimeField


class FilterSet(django_filters.FilterSet):
    """Filters of a list; those that follow from the model take whole numbers, days and texts as strictly as the others.

    Else 0.5 would be a number of units, and 03/04/2026 a day that depends on the language.
    """

    FILTER_DEFAULTS = {
        **django_filters.FilterSet.FILTER_DEFAULTS,
        **{kind: {"filter_class": WholeFilter} for kind in WHOLE},
        models.DateField: {"filter_class": DayFilter},
        models.CharField: {"filter_class": TextFilter},
        models.EmailField: {"filter_class": TextFilter},
    }


def _check_value(kept: Any, name: str, value: str) -> None:
    """Refuse what django-filter would take for no filter at all: the list would be longer than was asked."""
    if isinstance(kept, django_filters.BooleanFilter) and value.lower() not in ("true", "false"):
        raise BadInput(name, gettext("True or false is needed."), value, choices=["true", "false"])
    if value == "" and kept is not None and not isinstance(kept, django_filters.CharFilter):
        raise BadInput(name, gettext("A value is needed; leave the filter out for all rows."), value)


@lru_cache(maxsize=256)
def _part(kind: Any, names: frozenset[str]) -> Any:
    """A set of filters with these alone: those that nobody asks for make no field of a form."""
    part = type(kind.__name__, (kind,), {"__module__": kind.__module__})
    cast("Any", part).base_filters = {name: one for name, one in kind.base_filters.items() if name in names}
    return part


class Filters(DjangoFilterBackend):
    """The filters of a list; a filter, or a choice of one, that is not known is refused with those that are."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        """The rows that pass, or a 400 that names what is allowed."""
        kind = self.get_filterset_class(view, queryset)
        filters = kind.base_filters if kind else {}
        known = self.known(view, filters)
        for name, value in request.query_params.items():
            if name not in known:
                raise BadInput(name[:120], gettext("The list has no such filter."), value, choices=sorted(known))
            _check_value(filters.get(name), name, str(value))
        asked = frozenset(name for name in request.query_params if name in filters)
        if kind is None or not asked:
            return queryset
        filterset = _part(kind, asked)(**self.get_filterset_kwargs(request, queryset, view))
        if not filterset.is_valid():
            found = translate_validation(filterset.errors)
            raise ChoiceRefused(cast("dict[str, Any]", found.detail), filterset.form.fields)
        return filterset.qs

    def known(self, view: Any, filters: Iterable[str]) -> set[str]:
        """What may stand behind the `?` of this view's lists; `own_parameters` of the view are read by itself."""
        found = set(filters)
        if getattr(view, "paginator", None):
            found |= {"page", "page_size"}
        if getattr(view, "search_fields", None):
            found.add("search")
        return found | {"ordering"} | set(getattr(view, "own_parameters", ()))
