"""Fields that take exactly what the OpenAPI document says: a text is no number, a flag no text, money no float."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any, cast

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from api_base.errors import NotThere

LARGEST_ID = 2**63 - 1
SEEN = r"[^\s\x00-\x1f\x7f-\xa0]"
"""A character that one sees: a text that may not be blank has one."""
ADDRESS = r"^https?://[A-Za-z0-9][!-~]{0,480}$"


class AsTyped(serializers.CharField):
    """A text as it is; a number is refused, and is not turned into one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """The text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Text(AsTyped):
    """A text that somebody can read; blanks at its ends count for its length and are then cut off."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": True, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """The text without blanks at its ends."""
        if isinstance(data, str) and not self.allow_blank and not re.search(SEEN, data):
            self.fail("blank")
        if isinstance(data, str) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class Email(serializers.EmailField, Text):
    """An e-mail address, in lower case."""

    def to_internal_value(self, data: Any) -> str:
        """The address as it is stored."""
        return super().to_internal_value(data).lower()


class WebAddress(serializers.RegexField):
    """An address that begins with http:// or https://."""

    default_error_messages = {"invalid": _("An address that begins with http:// or https:// is needed.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ADDRESS, **{**kwargs, "max_length": 500})


class Flag(serializers.BooleanField):
    """True or false; `"yes"` and 1 are refused."""

    def to_internal_value(self, data: Any) -> bool:
        """The value itself."""
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:40])
        return data


class Whole(serializers.IntegerField):
    """A whole number, not a text of digits."""

    def to_internal_value(self, data: Any) -> int:
        """The value itself; 3.0 is 3, as in JSON."""
        if isinstance(data, bool) or not isinstance(data, int | float) or data != data // 1:
            self.fail("invalid")
        return int(data)


class Number(serializers.FloatField):
    """A number; neither a text of digits nor true or false."""

    def to_internal_value(self, data: Any) -> float:
        """The value itself."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return float(super().to_internal_value(data))


class Amount(serializers.DecimalField):
    """Money, or another decimal number, as text: `"19.90"`. A JSON number is refused: it has lost its cents before."""

    default_error_messages = {
        "invalid": _("A decimal number as text is needed, not below zero, with {places} decimals at most: “19.90”.")
    }

    @property
    def pattern(self) -> str:
        """What is taken, as a regular expression; of a largest amount it knows the digits."""
        most = self._whole if self.max_value is None else len(str(int(self.max_value)))
        return self._of(min(self._whole, most))

    @property
    def _whole(self) -> int:
        """Digits before the point."""
        return (self.max_digits or 12) - (self.decimal_places or 0)

    def _of(self, whole: int) -> str:
        return rf"^(0|[1-9][0-9]{{0,{whole - 1}}})(\.[0-9]{{1,{self.decimal_places}}})?$"

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """Nothing is null; DRF takes a text of blanks for it as well."""
        if isinstance(data, str) and not data.strip():
            self.fail("invalid", places=self.decimal_places)
        return super().validate_empty_values(data)

    def to_internal_value(self, data: Any) -> Any:
        """The decimal."""
        if not isinstance(data, str) or not re.fullmatch(self._of(self._whole)[1:-1], data, re.ASCII):
            self.fail("invalid", places=self.decimal_places)
        return super().to_internal_value(data)


class Day(serializers.DateField):
    """A day as `2026-11-27`, and in none of the other forms of ISO 8601 (`20261127`, `2026-W48-5`)."""

    def to_internal_value(self, data: Any) -> Any:
        """The day."""
        if not isinstance(data, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", data):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """A moment, in the shop's time zone.

    In UTC where that zone was not yet whole minutes apart from it (before 1901 in Spain): ISO 8601 knows no seconds.
    """

    def enforce_timezone(self, value: Any) -> Any:
        """The moment in the zone that it is stored and shown in."""
        found = super().enforce_timezone(value)
        offset = found.utcoffset()
        return found.astimezone(UTC) if offset is not None and offset.seconds % 60 else found


class Reference(serializers.PrimaryKeyRelatedField):
    """The id of another row; one that is not there is answered with 404."""

    default_error_messages = {"incorrect_type": _("The id of a row is needed, a whole number.")}

    def to_internal_value(self, data: Any) -> Any:
        """The row. Raises NotThere."""
        if isinstance(data, bool) or not isinstance(data, int | float) or data % 1 or not 0 < data <= LARGEST_ID:
            self.fail("incorrect_type")
        try:
            return cast("QuerySet[Any]", self.get_queryset()).get(pk=int(data))
        except ObjectDoesNotExist as error:
            told = gettext("{field}: there is no row with the id {id}.").format(field=self.field_name, id=data)
            raise NotThere(told, field=self.field_name, id=data) from error
