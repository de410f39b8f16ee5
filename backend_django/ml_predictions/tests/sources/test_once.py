"""Several trainings read a shop once, as of one moment."""

from __future__ import annotations

from collections import Counter
from datetime import date

import polars as pl
import pytest

from ml_predictions.sources import once
from retail_ml import frames


class Counting:
    """A shop that counts how often each of its reads is asked for, and of which nothing stays as it was."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name):
        def read(**limits):
            self.asked[name] += 1
            if name in ("data_until", "fingerprint", "counts_stock"):
                return self.asked[name]
            return pl.DataFrame({"read": [self.asked[name]] * 3, "limits": [str(limits)] * 3})

        return read


WHOLE = ("daily_lines", "data_until", "fingerprint", "order_lines", "products", "stock", "stock_history")


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_read_whole_is_read_once(name):
    shop = Counting()
    reads = once.ReadOnce(shop)
    first, second = getattr(reads, name)(), getattr(reads, name)()
    assert shop.asked == {name: 1}
    assert first is second


def test_a_part_is_asked_of_the_shop_each_time_and_keeps_nothing():
    shop = Counting()
    reads = once.ReadOnce(shop)
    for _ in range(2):
        assert "2026" in reads.order_lines(since=date(2026, 1, 1))["limits"][0]
        assert "'7'" in reads.order_lines(customer_id="7")["limits"][0]
        assert "'7'" in reads.products(ids=["7"])["limits"][0]
        assert "'7'" in reads.stock(variant_ids=["7"])["limits"][0]
    assert reads.order_lines()["limits"][0] == "{}"
    assert shop.asked == {"order_lines": 5, "products": 2, "stock": 2}


def test_what_has_no_read_of_its_own_is_the_shops():
    shop = Counting()
    reads = once.ReadOnce(shop)
    assert [reads.counts_stock(), reads.counts_stock()] == [1, 2]
    with pytest.raises(AttributeError):
        _ = once.ReadOnce(frames).no_such_read  # type: ignore[arg-type]


def test_a_table_that_is_too_long_to_keep_is_read_anew(monkeypatch):
    monkeypatch.setattr(once, "MOST_LINES", 2)
    shop = Counting()
    reads = once.ReadOnce(shop)
    assert [reads.order_lines()["read"][0] for _ in range(2)] == [1, 2]
