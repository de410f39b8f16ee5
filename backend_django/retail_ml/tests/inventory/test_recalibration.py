"""Chances of goods that lie still, held against the shop's own past shelves."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from retail_ml import frames
from retail_ml.inventory import claims, live, plan, recalibration
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import AS_OF, lines, products, stock

VARIANTS, DAYS, AHEAD = 400, 700, 91
IDS = [f"v{i:03}" for i in range(VARIANTS)]
MADE = AS_OF - timedelta(days=AHEAD)
RULES = Rules()


def sold(*, comes_back: float) -> np.ndarray:
    """A unit a week for ten weeks, nothing for 200 to 260 days, and again: or, with 1 - `comes_back`, never more."""
    rng = np.random.default_rng(5)
    daily = np.zeros((VARIANTS, DAYS + AHEAD))
    for row in daily:
        t = int(rng.integers(0, 200 if comes_back > 0 else DAYS - 200))
        while t < len(row):
            row[t : t + 70 : 7] = 1.0
            if rng.random() > comes_back:
                break
            t += 70 + int(rng.integers(200, 260))
    return daily


def stated(daily: np.ndarray, *, moves: bool) -> tuple[pl.DataFrame, plan.Arrays, np.ndarray]:
    """The claims of dead stock made 91 days before the end, the plan, and whether nothing was sold in those days."""
    table = lines(dict(zip(IDS, daily, strict=True)))
    past = table.filter(pl.col("day") <= MADE)
    shelf = stock(IDS, on_hand=50.0)
    history = frames.empty(frames.STOCK_HISTORY)
    if moves:
        first = past.group_by("variant_id").agg(at=pl.col("at").min() - timedelta(days=1), units=pl.col("units").sum())
        came = first.select(
            "variant_id", "at", day=pl.col("at").dt.date(), units=pl.col("units") + 50.0, kind=pl.lit("receipt")
        )
        went = past.select("variant_id", "at", "day", units=-pl.col("units"), kind=pl.lit("sale"))
        history = frames.check(pl.concat([came, went]), frames.STOCK_HISTORY, name="stock history")
    records = plan.Records(stock_history=history)
    arrays = plan.make(past, shelf, products(IDS), as_of=MADE, rules=RULES, records=records).arrays
    return claimed(arrays), arrays, daily[:, DAYS:].sum(axis=1) == 0


def claimed(arrays: plan.Arrays) -> pl.DataFrame:
    shelf = stock(IDS, on_hand=50.0)
    today = MADE + timedelta(days=1)
    frame = live.assess(arrays, shelf, products(IDS), days=(MADE, today), rules=RULES).frame
    return claims.make(frame, review_days=RULES.review_days).filter(pl.col("code") == "DEAD_STOCK")


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("comes_back", [0.0, 0.9])
def test_dead_goods_come_back_as_often_as_such_goods_did(comes_back: float, moves: bool):
    """In one shop nearly all come back next season, in the other none: no rate of last year knows which."""
    made, arrays, still = stated(sold(comes_back=comes_back), moves=moves)
    row = made["variant_id"].str.slice(1).cast(pl.Int64).to_numpy()
    came = still[row].mean()
    assert len(made) > 80
    assert made["probability"].mean() == pytest.approx(came, abs=0.12)
    plain = claimed(arrays | {"recalibration": recalibration.AS_STATED})["probability"].mean()
    assert abs(plain - came) > 2 * abs(made["probability"].mean() - came)


def seasonal(arrays: plan.Arrays | None = None) -> tuple[pl.DataFrame, plan.Arrays, np.ndarray]:
    """Seasons, half of them over; their last 60 days, at reduced prices, sell three times as much.

    The claims of what the seasons to come leave, the plan, and whether they leave more than a tenth.
    """
    rng = np.random.default_rng(8)
    ends = np.where(np.arange(VARIANTS) < VARIANTS // 2, rng.integers(420, DAYS, VARIANTS), 0)
    ends = np.where(ends > 0, ends, DAYS + rng.integers(40, AHEAD, VARIANTS))
    day = np.arange(DAYS + AHEAD)
    rate = np.where(day < ends[:, None] - 60, 0.15, 0.45) * (day < ends[:, None])
    daily = rng.poisson(rate).astype(float)
    over = rng.integers(0, 12, VARIANTS).astype(float)
    shelf = daily[:, DAYS:].sum(axis=1) + over
    table = lines(dict(zip(IDS, daily, strict=True)))
    past = table.filter(pl.col("day") <= MADE)
    last = [MADE + timedelta(days=int(end) - DAYS) for end in ends]
    goods = stock(IDS, on_hand=shelf.tolist(), season_end=last)
    went = past.select("variant_id", "at", "day", units=-pl.col("units"), kind=pl.lit("sale"))
    first = pl.DataFrame({"variant_id": IDS, "units": daily.sum(axis=1) + over}).with_columns(
        at=past["at"].min() - timedelta(days=1), kind=pl.lit("receipt")
    )
    first = first.with_columns(day=pl.col("at").dt.date()).select(went.columns)
    history = frames.check(pl.concat([first, went]), frames.STOCK_HISTORY, name="stock history")
    if arrays is None:
        records = plan.Records(stock_history=history)
        arrays = plan.make(past, goods, products(IDS), as_of=MADE, rules=RULES, records=records).arrays
    frame = live.assess(arrays, goods, products(IDS), days=(MADE, MADE + timedelta(days=1)), rules=RULES).frame
    frame = frame.filter(pl.col("season_end") > MADE)
    made = claims.make(frame, review_days=RULES.review_days).filter(pl.col("code") == "SEASON_END_RISK")
    row = made["variant_id"].str.slice(1).cast(pl.Int64).to_numpy()
    return made, arrays, over[row] >= 0.1 * shelf[row]


def test_what_a_season_leaves_is_learnt_of_seasons_that_are_over():
    made, arrays, came = seasonal()
    plain, _, _ = seasonal(arrays | {"recalibration": recalibration.AS_STATED})
    assert len(made) > 80
    assert plain["probability"].mean() > came.mean() + 0.15
    assert made["probability"].mean() == pytest.approx(came.mean(), abs=0.08)
    older = arrays | {"recalibration": arrays["recalibration"][:3]}
    assert seasonal(older)[0].equals(plain), "a version that has learnt nothing of seasons"


def test_little_past_changes_nothing():
    """A shop of half a year has no quarter to learn from."""
    daily = sold(comes_back=0.9)[:, :220]
    table = lines(dict(zip(IDS, daily, strict=True)))
    arrays = plan.make(table, stock(IDS, on_hand=50.0), products(IDS), as_of=AS_OF, rules=RULES).arrays
    assert np.array_equal(arrays["recalibration"], recalibration.AS_STATED)


def test_too_much_is_learnt_only_where_past_shelves_are_known():
    """What lay there a year ago is in no sales."""
    rng = np.random.default_rng(2)
    daily = (rng.random((VARIANTS, DAYS + AHEAD)) < 0.02).astype(float)
    without, with_ = (stated(daily, moves=moves)[1]["recalibration"] for moves in (False, True))
    assert without[1:].tolist() == recalibration.AS_STATED[1:].tolist()
    assert (with_[1] != recalibration.AS_STATED[1]).any()


def test_a_version_of_an_older_release_states_its_chances_as_they_were():
    _, arrays, _ = stated(sold(comes_back=0.9), moves=False)
    older = {name: values for name, values in arrays.items() if name != "recalibration"}
    plain = arrays | {"recalibration": recalibration.AS_STATED}
    assert claimed(older).equals(claimed(plain))


def test_steps_end_where_the_likelihood_is_greatest():
    """Against a grid over both numbers."""
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.95, 300)
    came = rng.random(300) < recalibration.believed(p, np.array([-0.7, 0.4]))
    found = recalibration.platt(p, came)

    def loss(theta: np.ndarray) -> float:
        z = theta[0] + theta[1] * recalibration.log_odds(p)
        prior = recalibration.PRIOR * ((theta - [0.0, 1.0]) ** 2).sum() / 2
        return float((np.logaddexp(0, z) - came * z).sum() + prior)

    grid = [found + np.array([a, b]) for a in (-0.01, 0, 0.01) for b in (-0.01, 0, 0.01)]
    assert min(grid, key=loss).tolist() == found.tolist()


def test_a_higher_chance_never_comes_to_mean_a_lower_one():
    """Where the past says so, its chances carry nothing: their level alone is believed."""
    p = np.repeat([0.1, 0.9], 200)
    a, b = recalibration.platt(p, p < 0.5)
    assert b == 0
    assert a == pytest.approx(0, abs=0.05)
