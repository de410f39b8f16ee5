"""Stock changes by movements, and by nothing else."""

from __future__ import annotations

import contextlib

import pytest
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from products.models import Product, ProductVariant, StockMovement
from products.services import ONLY_IN, ONLY_OUT, Move, StockError, move_many, move_stock

pytestmark = pytest.mark.postgres


def make(count: int = 1) -> list[ProductVariant]:
    product = Product.objects.create(name="Shirt")
    start = ProductVariant.objects.count()
    return [ProductVariant.objects.create(product=product, sku=f"S{start + i}") for i in range(count)]


def stock(variant: ProductVariant) -> int:
    return ProductVariant.objects.values_list("stock", flat=True).get(pk=variant.pk)


def assert_no_drift() -> None:
    for variant in ProductVariant.objects.annotate(moved=Sum("movements__units")):
        assert variant.stock == (variant.moved or 0), variant.sku


def test_a_movement_changes_the_stock_by_its_units(db):
    (variant,) = make()
    move_stock(variant, "opening", 10)
    movement = move_stock(variant.pk, "sale", -3, reference="order-item:1", note="n")
    assert stock(variant) == 7
    assert (movement.pk is not None, movement.units, movement.note) == (True, -3, "n")


def test_the_same_kind_and_reference_move_stock_once(db):
    (variant,) = make()
    first = move_stock(variant, "receipt", 5, reference="R1")
    assert move_stock(variant, "receipt", 5, reference="R1").pk == first.pk
    assert (stock(variant), StockMovement.objects.count()) == (5, 1)


def test_the_same_reference_of_another_kind_is_another_movement(db):
    (variant,) = make()
    move_stock(variant, "sale", -2, reference="L1")
    move_stock(variant, "cancellation", 2, reference="L1")
    assert (stock(variant), StockMovement.objects.count()) == (0, 2)


def test_without_a_reference_every_call_moves(db):
    (variant,) = make()
    for reference in (None, ""):
        move_stock(variant, "adjustment", 2, reference=reference)
    assert stock(variant) == 4


def test_within_one_call_too_a_reference_moves_once(db):
    (variant,) = make()
    rows = move_many([Move(variant.pk, "receipt", 5, "R1")] * 2)
    assert rows[0] is rows[1]
    assert stock(variant) == 5


@pytest.mark.parametrize("units", [6, -5])
def test_a_reference_that_means_something_else_is_refused(db, units):
    (variant,) = make()
    move_stock(variant, "adjustment", 5, reference="R1")
    with pytest.raises(StockError, match="R1"):
        move_stock(variant, "adjustment", units, reference="R1")
    assert stock(variant) == 5


@pytest.mark.parametrize(
    ("kind", "units"),
    [("sale", 1), ("write_off", 1), ("return", -1), ("cancellation", -1), ("receipt", -1), ("gift", 1)],
)
def test_a_sign_that_the_kind_does_not_have_and_an_unknown_kind_are_refused(db, kind, units):
    (variant,) = make()
    with pytest.raises(StockError):
        move_stock(variant, kind, units)
    assert not StockMovement.objects.exists()


def test_an_unknown_variant_is_refused(db):
    with pytest.raises(StockError, match="999"):
        move_stock(999, "opening", 1)


def test_of_many_movements_all_happen_or_none(db):
    a, b = make(2)
    move_stock(b, "receipt", 1, reference="R")
    with pytest.raises(StockError):
        move_many([Move(a.pk, "receipt", 1, "A"), Move(b.pk, "receipt", 9, "R")])
    assert (stock(a), stock(b)) == (0, 1)


def test_stock_may_fall_below_zero(db):
    (variant,) = make()
    move_stock(variant, "sale", -1)
    assert stock(variant) == -1


def test_a_thousand_movements_cost_few_queries(db, django_assert_max_num_queries):
    product = Product.objects.create(name="Shirt")
    variants = ProductVariant.objects.bulk_create(ProductVariant(product=product, sku=f"S{i}") for i in range(1_000))
    with django_assert_max_num_queries(20):
        move_many([Move(v.pk, "opening", i, f"opening:{i}") for i, v in enumerate(variants)])
    assert list(ProductVariant.objects.order_by("pk").values_list("stock", flat=True)) == list(range(1_000))


wanted = st.tuples(
    st.integers(0, 2),
    st.sampled_from(StockMovement.Kind.values),
    st.integers(0, 50),
    st.none() | st.integers(0, 5).map(str),
)


class AnySequenceOfMovements(TestCase):
    """Property: whatever is asked, in whatever order and however often, stock equals the sum of the movements."""

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.lists(wanted, max_size=6), max_size=6), st.booleans())
    def test_stock_always_equals_the_sum_of_the_movements(self, calls, stale):
        variants = make(3)
        for call in calls:
            moves = [
                Move(variants[i].pk, kind, _signed(kind, units), reference and f"{kind}{reference}")
                for i, kind, units, reference in call
            ]
            with contextlib.suppress(StockError):  # a reference that means something else: refused as a whole
                move_many(moves)
            if stale:
                variants[0].save()
        assert_no_drift()


def _signed(kind: str, units: int) -> int:
    if kind in ONLY_IN:
        return units
    return -units if kind in ONLY_OUT or units % 2 else units
