"""What may have to be ordered is found by positions alone, and nothing that would be ordered is missed."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retail_ml import frames
from retail_ml.inventory import live, ordering
from retail_ml.inventory.due import may_be_due
from retail_ml.inventory.ordering import UNITS
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import AS_OF, products, stock

COUNT = 40
IDS = [f"v{i:02d}" for i in range(COUNT)]
TODAY = AS_OF + timedelta(days=1)


def case(seed: int) -> tuple[dict[str, np.ndarray], pl.DataFrame]:
    """Levels and a stock of any kind: below zero, promised, on its way, in drafts, for a season, not on offer, new."""
    rng = np.random.default_rng(seed)
    daily = rng.choice([0.0, 0.05, 0.5, 3.0], COUNT)
    point = rng.integers(0, 20, COUNT) * (daily > 0.0)
    arrays = {
        "variant_id": np.array(IDS[:-3]), "daily": daily[:-3], "ratio": rng.uniform(1.02, 3, COUNT)[:-3],
        "reorder_point": point[:-3].astype(float), "excess_bound": np.full(COUNT - 3, 90.0),
        "order_up_to": (point + rng.integers(0, 12, COUNT) * (daily > 0.0))[:-3].astype(float),
    }  # fmt: skip

    def some(values: object, share: float) -> list[object]:
        return [value if rng.random() < share else None for value in np.asarray(values).tolist()]

    ends = [TODAY + timedelta(days=int(d)) if d is not None else None for d in some(rng.integers(-5, 60, COUNT), 0.4)]

    def units(low: int, high: int, share: float) -> list[float]:
        return (rng.integers(low, high, COUNT) * (rng.random(COUNT) < share)).astype(float).tolist()

    table = stock(
        IDS, on_hand=units(-4, 30, 0.9), reserved=units(0, 9, 0.3), on_order=units(0, 15, 0.3),
        drafted=units(0, 9, 0.3), active=(rng.random(COUNT) < 0.8).tolist(), season_end=ends,
        pack_size=rng.choice([1.0, 6.0], COUNT).tolist(), cost=some(np.full(COUNT, 4.0), 0.7),
    )  # fmt: skip
    return arrays, table


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 21))
def test_nothing_that_is_ordered_is_missed(seed: int, review_days: int):
    arrays, table = case(seed)
    rules = Rules(review_days=review_days)
    whole = live.assess(arrays, table, products(IDS), days=(AS_OF, TODAY), rules=rules).goods
    drafted = whole["drafted"] > 0
    ordered = (whole[UNITS] > 0) | (pl.Series(ordering.without_drafts(whole)) > 0) | drafted
    due = pl.Series(may_be_due(arrays, table.sort("variant_id").select(*frames.POSITIONS)))
    assert not (ordered & ~due).any()


def test_what_is_found_is_little_else_than_what_is_ordered():
    found, ordered = 0, 0
    for seed in range(30):
        arrays, table = case(seed)
        table = table.with_columns(season_end=pl.lit(None, pl.Date))
        whole = live.assess(arrays, table, products(IDS), days=(AS_OF, TODAY), rules=Rules()).goods
        wanted = (pl.Series(ordering.without_drafts(whole)) > 0) | (whole["drafted"] > 0)
        due = may_be_due(arrays, table.sort("variant_id").select(*frames.POSITIONS))
        assert due.tolist() == wanted.to_list()
        found, ordered = found + int(due.sum()), ordered + int((whole[UNITS] > 0).sum())
    assert 0 < ordered < found < 30 * COUNT


@pytest.mark.parametrize("known", [0, 1])
def test_a_plan_or_a_shop_without_variants(known: int):
    arrays, table = case(1)
    nothing = {name: values[:0] for name, values in arrays.items()}
    positions = table.with_columns(drafted=pl.lit(0.0)).select(*frames.POSITIONS)
    assert not may_be_due(nothing, positions).any()
    assert may_be_due((nothing, arrays)[known], positions.clear()).tolist() == []
