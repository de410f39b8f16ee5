"""How the OpenAPI document describes the strict fields. Imported by `api_base.views` for its effect."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension

from api_base.fields import ADDRESS, LARGEST_ID, SEEN


class _Plain(OpenApiSerializerFieldExtension):
    """The description that drf-spectacular gives by itself, to be added to."""

    match_subclasses = True

    def plain(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """Without this extension."""
        found: dict[str, Any] = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        if isinstance(kinds := found.get("type"), list):  # that null is allowed is added to what an extension gives
            found["type"] = next(kind for kind in kinds if kind != "null")
        return found


class TextField(_Plain):
    """A text that may not be blank has a character that one sees."""

    target_class = "api_base.fields.Text"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """With the pattern."""
        found = self.plain(auto_schema, direction)
        return found if self.target.allow_blank or direction == "response" else {**found, "pattern": SEEN}


class WebAddressField(_Plain):
    """A web address."""

    target_class = "api_base.fields.WebAddress"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """Its pattern, or nothing at all where that is allowed."""
        return {"type": "string", "maxLength": 500, "pattern": ADDRESS}  # blank, where allowed, is added to it


class AmountField(_Plain):
    """A decimal number as text."""

    target_class = "api_base.fields.Amount"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """With the pattern that is checked."""
        if direction == "response":
            return self.plain(auto_schema, direction)
        return {"type": "string", "pattern": self.target.pattern}


class ReferenceField(_Plain):
    """The id of another row."""

    target_class = "api_base.fields.Reference"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """With the range of ids."""
        return {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
