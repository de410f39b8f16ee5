"""A part of the shop is judged as it is within the whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from retail_ml.inventory import live, plan
from retail_ml.inventory.beside import Beside, Read, rows_of
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import AS_OF, lines, products, stock

IDS = [f"v{i:02d}" for i in range(12)]
RULES = Rules()


@pytest.fixture(scope="module")
def made() -> plan.Plan:
    rng = np.random.default_rng(1)
    units = {v: rng.poisson(0.2 + 0.3 * i, 400) for i, v in enumerate(IDS)}
    return plan.make(lines(units), stock(IDS), products(IDS), as_of=AS_OF, rules=RULES)


def shop() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Costs unknown here and there, much too much of one, three categories (one of them none)."""
    cost = [None if i % 4 == 0 else 2.0 + i / 3 for i in range(12)]
    on_hand = [-2.0, 0.0, 400.0, *(5.0 * i for i in range(3, 12))]
    table = stock([*IDS, "new"], cost=[*cost, None], on_hand=[*on_hand, 4.0], reserved=[1.0] * 13)
    return table, products([*IDS, "new"], category=["a", "b", None] * 4 + ["b"])


def reader(asked: list[object]) -> Read:
    """The shop's shelf as a source gives it, in any order; what is asked for is written down."""
    table, range_ = shop()
    shelf = table.join(range_.select("product_id", pl.col("category").fill_null("")), on="product_id")

    def read(names: Sequence[str] | None) -> pl.DataFrame:
        asked.append(names)
        rows = shelf.sample(fraction=1.0, shuffle=True, seed=len(asked))
        return rows if names is None else rows.filter(pl.col("category").is_in(names))

    return read


def assess(made: plan.Plan, table: pl.DataFrame, range_: pl.DataFrame, beside: Beside | None = None) -> pl.DataFrame:
    today = AS_OF + timedelta(days=1)
    return live.assess(made.arrays, table, range_, days=(AS_OF, today), rules=RULES, beside=beside).frame


def test_any_part_has_the_rows_of_the_whole(made: plan.Plan) -> None:
    table, range_ = shop()
    whole = assess(made, table, range_)
    beside = Beside(made.arrays, reader([]))
    for part in ([v] for v in table["variant_id"]), (["v02", "v07"], ["new", "v00", "v05"], table["variant_id"]):
        for ids in part:
            some = table.filter(pl.col("variant_id").is_in(ids))
            own = range_.filter(pl.col("product_id").is_in(some["product_id"]))
            found = assess(made, some, own, beside)
            assert found.equals(whole.filter(pl.col("variant_id").is_in(ids))), ids
    alone = assess(made, table.filter(pl.col("variant_id") == "v00"), range_)
    assert not alone.equals(whole.filter(pl.col("variant_id") == "v00")), "the others matter in this shop"


def test_the_whole_shop_is_read_only_where_it_matters(made: plan.Plan) -> None:
    table, range_ = shop()
    asked: list[object] = []
    assess(made, table.filter(pl.col("variant_id") == "v01"), range_, Beside(made.arrays, reader(asked)))
    assert asked == [["b"]], "its cost is known, and none of it is too much"
    assess(made, table.filter(pl.col("variant_id") == "v00"), range_, Beside(made.arrays, reader(asked)))
    assert None in asked, "its cost is taken from the usual share"


def test_rows_of_nothing() -> None:
    empty = pl.Series([], dtype=pl.String)
    assert rows_of({"variant_id": np.empty(0, dtype="<U1")}, pl.Series(["a"])).tolist() == [-1]
    assert rows_of({"variant_id": np.array(["a"])}, empty).tolist() == []
    assert rows_of({"variant_id": np.array(["b", "a"])}, pl.Series(["a", "b", "c"])).tolist() == [1, 0, -1]
