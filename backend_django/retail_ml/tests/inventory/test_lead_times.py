"""Lead times learnt from deliveries and late orders."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import gamma

from retail_ml import frames
from retail_ml.inventory import lead_times, live, plan
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import AS_OF, demand, lines, products, stock

NO_ORDERS = frames.empty(frames.OPEN_ORDERS)


def deliveries(days: dict[tuple[str, str], list[int]]) -> pl.DataFrame:
    """Per (variant, supplier) the days that its orders took, oldest first; the last came in on AS_OF."""
    rows = [
        (
            v,
            s,
            AS_OF - timedelta(days=7 * (len(took) - 1 - i) + n),
            AS_OF - timedelta(days=7 * (len(took) - 1 - i)),
            1.0,
        )
        for (v, s), took in days.items()
        for i, n in enumerate(took)
    ]
    return frames.check(pl.DataFrame(rows, schema=frames.DELIVERIES, orient="row"), frames.DELIVERIES, name="d")


def waiting(variant: str, days: int, *, draft: bool = False, supplier: str = "1") -> pl.DataFrame:
    row = (variant, "9", "PO-9", supplier, AS_OF - timedelta(days=days), None, 5.0, draft)
    return pl.DataFrame([row], schema=frames.OPEN_ORDERS, orient="row")


def learn(shelf: pl.DataFrame, came: pl.DataFrame, orders: pl.DataFrame = NO_ORDERS) -> lead_times.LeadTimes:
    return lead_times.learn(shelf, came, orders, as_of=AS_OF, rules=Rules())


def test_weighted_moments_by_hand():
    took = [10, 12, 8, 20, 11, 15]
    found = learn(stock(["v"]), deliveries({("v", "1"): took}))
    w = 0.8 ** np.arange(5, -1, -1)
    w /= w.sum()
    mean = float(w @ took)
    sd = float(np.sqrt(w @ (np.array(took) - mean) ** 2 / (1 - (w**2).sum())))
    assert (found.days[0], found.sd[0]) == (pytest.approx(mean), pytest.approx(sd))
    assert (lead_times.SOURCES[found.source[0]], found.seen[0]) == ("variant", 6)


def test_few_own_deliveries_lean_on_the_supplier_and_none_on_what_was_declared():
    shelf = stock(["a", "b", "c", "d"], supplier_id=["1", "1", "2", "2"], lead_time_days=[7.0, 7.0, 9.0, None],
                  lead_time_sd=[None] * 4)  # fmt: skip
    found = learn(shelf, deliveries({("a", "1"): [20] * 6, ("b", "1"): [30] * 2, ("c", "2"): [3] * 4}))
    assert [lead_times.SOURCES[s] for s in found.source] == ["variant", "supplier", "declared", "default"]
    assert found.days[0] == 20
    assert 20 < found.days[1] < 30
    assert found.days[2:].tolist() == [9.0, Rules().default_lead_days]
    assert found.sd[2:].tolist() == [9 * 0.25, Rules().default_lead_days * 0.25]


def test_an_order_of_many_lines_is_one_delivery_of_its_supplier():
    ids = [f"v{i}" for i in range(8)]
    found = learn(stock(ids), deliveries({(v, "1"): [21] for v in ids}))
    assert set(found.source.tolist()) == {1}


def test_deliveries_of_a_former_supplier_and_of_the_future_do_not_count():
    shelf = stock(["v"], supplier_id=["2"])
    came = deliveries({("v", "1"): [30] * 8})
    assert learn(shelf, came).days[0] == 7.0
    later = came.with_columns(pl.lit("2").alias("supplier_id"), pl.col("received") + timedelta(days=100))
    assert learn(shelf, later).days[0] == 7.0


def test_a_late_order_lengthens_and_one_in_time_or_a_draft_does_not():
    came = deliveries({("v", "1"): [10, 12, 9, 11, 10, 12, 9, 11]})
    plain = learn(stock(["v"]), came)
    late = learn(stock(["v"]), came, waiting("v", 30))
    assert late.days[0] > plain.days[0] + 0.15 * (30 - plain.days[0])
    assert late.sd[0] > plain.sd[0]
    assert learn(stock(["v"]), came, waiting("v", 5)).days[0] == plain.days[0]
    assert learn(stock(["v"]), came, waiting("v", 30, draft=True)).days[0] == plain.days[0]


def test_the_days_left_of_a_late_order_against_the_integral():
    for t, mean, sd in ((12.0, 10.0, 2.5), (4.0, 14.0, 3.5), (40.0, 14.0, 7.0)):
        law = gamma((mean / sd) ** 2, scale=sd**2 / mean)
        grid = np.linspace(t, t + 60 * sd, 400_001)
        direct = float(np.trapezoid(law.sf(grid), grid) / law.sf(t))
        found = lead_times.residual(np.array([t]), np.array([mean]), np.array([sd]))[0]
        assert found == pytest.approx(max(direct, 0.5), rel=1e-4)


def test_far_beyond_anything_seen_the_wait_stays_finite():
    found = lead_times.residual(np.array([4_000.0, 10.0]), np.array([10.0, 10.0]), np.array([1.0, 0.0]))
    assert np.isfinite(found).all()
    assert (found >= 0.5).all()


def test_row_order_does_not_matter():
    shelf = stock(["a", "b"])
    came = deliveries({("a", "1"): [5, 9, 14, 3, 8, 30], ("b", "1"): [7, 7, 9]})
    one, other = learn(shelf, came), learn(shelf, came.sample(fraction=1, shuffle=True, seed=2))
    assert one.days.tolist() == other.days.tolist()


def test_levels_and_live_stand_on_what_was_learnt():
    """Deliveries took three weeks, the records say one: levels and the live view go by the deliveries."""
    units = {"v": demand(300, 2.0)}
    shelf = stock(["v"], on_hand=30.0)
    slow = learn(shelf, deliveries({("v", "1"): [21] * 8}))
    given = (plan.Records(), plan.Records(lead=slow))
    plans = [plan.make(lines(units), shelf, products(["v"]), as_of=AS_OF, rules=Rules(), records=r) for r in given]
    stated, learnt = (
        live.assess(p.arrays, shelf, products(["v"]), days=(AS_OF, AS_OF + timedelta(days=1)), rules=Rules())
        .frame.to_dicts()[0] for p in plans
    )  # fmt: skip
    assert (stated["lead_days"], learnt["lead_days"]) == (7.0, 21.0)
    assert learnt["reorder_point"] > stated["reorder_point"] + 20
    assert learnt["out_before_receipt"] > stated["out_before_receipt"]
    told = [[row["code"], *row["also"]].count("LEAD_TIME_DRIFT") for row in (stated, learnt)]
    assert (told, learnt["drift_days"]) == ([0, 1], 14.0)
