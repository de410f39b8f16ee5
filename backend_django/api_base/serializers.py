"""Bodies and queries that are taken as they are meant: what is not known is refused, what is refused is explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

from django.db import models
from django.utils.translation import gettext
from rest_framework import serializers

from api_base import fields
from api_base.errors import Taken, texts


class Strict(serializers.Serializer[Any]):
    """A serializer that refuses fields which it does not know; those that are only ever answered are let pass.

    So a row that was read can be sent back, and a misspelt name is no silent loss.
    """

    def to_internal_value(self, data: Any) -> Any:
        """The checked fields; a ValidationError names every unknown one beside the others' faults."""
        unknown = self._unknown(data)
        try:
            found = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if unknown and isinstance(error.detail, dict):
                raise serializers.ValidationError({**error.detail, **unknown}) from error
            raise
        if unknown:
            raise serializers.ValidationError(unknown)
        return found

    def _unknown(self, data: Any) -> dict[str, list[str]]:
        if not isinstance(data, Mapping):
            return {}
        known = ", ".join(name for name, field in self.fields.items() if not field.read_only) or "–"
        told = gettext("This field is not known. Known: {known}.").format(known=known)
        return {str(name)[:120]: [told] for name in data if name not in self.fields}


class Explained(Strict):
    """A serializer whose refusal says, per field, what is allowed and what was received."""

    def is_valid(self, *, raise_exception: bool = False) -> bool:
        """Validate; the ValidationError carries `explained`: per field message, allowed, received."""
        try:
            return super().is_valid(raise_exception=raise_exception)
        except serializers.ValidationError as error:
            error.explained = self._explained(error)  # type: ignore[attr-defined]
            if raise_exception and _only_taken(error.get_codes()):
                raise Taken(" ".join(texts(error.detail)), error.explained) from error  # type: ignore[attr-defined]
            raise

    def _explained(self, error: serializers.ValidationError) -> dict[str, dict[str, Any]]:
        if not isinstance(error.detail, dict):
            return {}
        data = self.initial_data if isinstance(self.initial_data, Mapping) else {}
        explained = {}
        for name, problem in error.detail.items():
            found: dict[str, Any] = {"message": " ".join(texts(problem))}
            if name in self.fields:
                found["allowed"] = allowed(self.fields[name])
            if name in data:
                found["received"] = data[name]
            explained[name] = found
        return explained


class Record(Explained, serializers.ModelSerializer[Any]):
    """A row of a model, through the strict fields."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: fields.Text,
        models.TextField: fields.Text,
        models.EmailField: fields.Email,
        models.URLField: fields.WebAddress,
        models.DecimalField: fields.Amount,
        models.FloatField: fields.Number,
        models.BooleanField: fields.Flag,
        models.DateField: fields.Day,
        models.DateTimeField: fields.Moment,
        models.IntegerField: fields.Whole,
        models.PositiveIntegerField: fields.Whole,
    }
    serializer_related_field = fields.Reference


Row = TypeVar("Row", bound=models.Model)
Reader = Callable[[Any], Any]
"""Takes a row and returns the value of one field."""
AS_THEY_ARE = (
    serializers.BooleanField, serializers.CharField, serializers.ChoiceField, serializers.FloatField,
    serializers.IntegerField,
)  # fmt: skip
"""Fields whose stored value is what is answered."""


class Answered(serializers.ModelSerializer[Row]):
    """Rows of a model that are only answered. What each field reads is found out once, not for every row.

    Fields are made from the model once for each class; those that are methods (`get_…`) belong to the serializer and
    know its context, the others must not ask for it.
    """

    _kept: ClassVar[dict[type, dict[str, Reader | str]]] = {}

    @cached_property
    def _readers(self) -> list[tuple[str, Reader]]:
        """Name and reader of each field; a method is named, and found on this very serializer."""
        kind = type(self)
        if kind not in self._kept:
            self._kept[kind] = {str(field.field_name): _reader(field) for field in kind()._readable_fields}
        return [(name, getattr(self, found) if isinstance(found, str) else found) for name, found in
                self._kept[kind].items()]  # fmt: skip

    def to_representation(self, instance: Row) -> dict[str, Any]:
        """The row as it is answered."""
        return {name: read(instance) for name, read in self._readers}


def _reader(field: Any) -> Reader | str:
    """How a field is read of a row; of a method its name."""
    if isinstance(field, serializers.SerializerMethodField):
        return str(field.method_name)
    if isinstance(field, serializers.PrimaryKeyRelatedField):
        return attrgetter(f"{field.source}_id")
    if type(field) in AS_THEY_ARE:
        return attrgetter(field.source)

    def read(row: Any) -> Any:
        value = getattr(row, field.source)
        return None if value is None else field.to_representation(value)

    return read


def _only_taken(codes: Any) -> bool:
    """Is all that is wrong that another row has this key already?"""
    found = list(codes.values()) if isinstance(codes, dict) else []
    return bool(found) and all(code == ["unique"] for code in found)


class Nothing(Explained):
    """A call without options: `{}`."""


def rows(kind: Any, **limits: Any) -> Any:
    """A list of bodies of this kind as a field; `limits` such as `min_length` and `max_length`."""
    return kind(many=True, **limits)


def allowed(field: Any) -> dict[str, Any]:
    """What a field takes: its choices, or its least and greatest value or length."""
    if isinstance(field, serializers.ChoiceField):
        return {"choices": list(field.choices)}
    names = {"min_value": "minimum", "max_value": "maximum", "max_length": "longest"}
    found = {name: getattr(field, key, None) for key, name in names.items()}
    return {name: value for name, value in found.items() if value is not None}
