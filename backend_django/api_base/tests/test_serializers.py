"""What is not known is refused, by name; what is refused is explained."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from rest_framework import serializers

from api_base import fields
from api_base.errors import texts
from api_base.serializers import Explained


class Line(Explained):
    """A part of a body."""

    units = serializers.IntegerField(min_value=1, max_value=9)


class Body(Explained):
    """A body with a part, and a field that is only answered."""

    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=5)
    lines = Line(many=True)


def refused(data: object) -> dict[str, object]:
    with pytest.raises(serializers.ValidationError) as found:
        Body(data=data).is_valid(raise_exception=True)
    return found.value.explained


def test_an_unknown_field_is_named_beside_the_other_faults():
    found = refused({"nmae": "x", "lines": [{"units": 10}]})
    assert set(found) == {"nmae", "name", "lines"}
    assert found["nmae"] == {"message": "This field is not known. Known: name, lines.", "received": "x"}


def test_a_field_of_a_part_is_named_with_its_row():
    found = refused({"name": "x", "lines": [{"units": 1}, {"units": 1, "price": 2}]})
    assert found["lines"]["message"] == "#2: price: This field is not known. Known: units."


def test_a_row_that_was_read_can_be_sent_back():
    body = Body(data={"id": 7, "name": "x", "lines": []})
    assert body.is_valid()
    assert body.validated_data == {"name": "x", "lines": []}


def test_what_is_no_object_is_refused():
    assert "non_field_errors" in refused([1])


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ({"x": ["a"], "non_field_errors": ["b"]}, ["x: a", "b"]),
        ([{}, {"x": ["a", "b"]}], ["#2: x: a", "#2: x: b"]),
    ],
)
def test_nested_errors_are_sentences(problem, said):
    assert texts(problem) == said


class Priced(serializers.Serializer):
    """Fields that DRF alone would take too loosely."""

    cost = fields.Amount(max_digits=12, decimal_places=4, allow_null=True)
    spread = fields.Number(min_value=0)


@pytest.mark.parametrize(
    ("cost", "spread"), [("", 1), (" ", 1), (1.5, 1), ("1", True), ("1", False), ("1", "2"), ("-1", 0)]
)
def test_nothing_is_no_amount_and_a_flag_no_number(cost: object, spread: object):
    assert not Priced(data={"cost": cost, "spread": spread}).is_valid()


def test_an_amount_may_be_null_and_a_number_whole():
    found = Priced(data={"cost": None, "spread": 2})
    assert found.is_valid()
    assert found.validated_data == {"cost": None, "spread": 2.0}


@pytest.mark.parametrize(("most", "takes", "refuses"), [(None, "99999999", "999999999"), (Decimal(500), "999", "1000")])
def test_the_documented_pattern_knows_the_largest_amount(most: Decimal | None, takes: str, refuses: str):
    pattern = fields.Amount(max_digits=10, decimal_places=2, max_value=most).pattern
    assert re.match(pattern, takes)
    assert not re.match(pattern, refuses)


def test_more_than_the_largest_amount_is_refused_by_its_size():
    with pytest.raises(serializers.ValidationError, match="500"):
        fields.Amount(max_digits=10, decimal_places=2, max_value=Decimal(500)).run_validation("1000")
