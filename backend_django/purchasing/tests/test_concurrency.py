"""Two at once: a delivery is booked once, and what is needed is drafted once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from products.models import Product, ProductVariant, StockMovement
from purchasing import services
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier
from purchasing.services import PurchaseError

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
AT_ONCE = 4


@pytest.fixture
def order() -> PurchaseOrder:
    """Confirmed: ten shirts from Norte."""
    variant = ProductVariant.objects.create(product=Product.objects.create(name="Shirt"), sku="S")
    order = PurchaseOrder.objects.create(number="P1", supplier=Supplier.objects.create(name="Norte"))
    PurchaseOrderLine.objects.create(purchase_order=order, variant=variant, units=10, unit_cost=1)
    return services.confirm(order)


def at_once(do: Callable[[], Any]) -> list[str]:
    """What each of the callers got: "done", or why not."""
    if connection.vendor == "sqlite":
        # It lets one writer in at a time from the begin of a transaction, and cannot share a database in memory among
        # threads: here they come one after the other.
        assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
        return [_outcome(do) for _ in range(AT_ONCE)]

    def call(_: int) -> str:
        try:
            return _outcome(do)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, range(AT_ONCE)))


def _outcome(do: Callable[[], Any]) -> str:
    try:
        do()
    except PurchaseError as error:
        return str(error)
    return "done"


def booked() -> tuple[int, int, int]:
    """Units on the shelf, received units of the line, movements."""
    line = PurchaseOrderLine.objects.get()
    return ProductVariant.objects.get().stock, line.received_units, StockMovement.objects.count()


def test_the_same_delivery_note_at_once_is_booked_once(order):
    line = order.lines.get()
    assert at_once(lambda: services.receive(order, {line.pk: 4}, reference="N-1")) == ["done"] * AT_ONCE
    assert booked() == (4, 4, 1)


def test_all_that_is_missing_at_once_is_booked_once(order):
    outcomes = at_once(lambda: services.receive(order))
    assert sorted(outcome == "done" for outcome in outcomes) == [False] * (AT_ONCE - 1) + [True]
    assert booked() == (10, 10, 1)


def test_no_more_than_is_missing_comes_however_many_book_it(order):
    line = order.lines.get()
    outcomes = at_once(lambda: services.receive(order, {line.pk: 4}))
    assert outcomes.count("done") == 2
    assert booked() == (8, 8, 2)


def test_receiving_and_cancelling_at_once_leave_one_of_the_two(order):
    line = order.lines.get()
    turns = iter([services.cancel, lambda o: services.receive(o, {line.pk: 10})] * AT_ONCE)
    at_once(lambda: next(turns)(order))
    order.refresh_from_db()
    assert (order.status, booked()) in [("cancelled", (0, 0, 0)), ("received", (10, 10, 1))]
