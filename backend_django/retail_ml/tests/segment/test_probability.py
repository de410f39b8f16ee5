"""The chance of an order within 90 days: calibration, evidence, and when it is not given."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from retail_ml.segment import probability
from retail_ml.segment.features import Visits, visits
from retail_ml.segment.past import Past
from retail_ml.segment.value import Shop
from retail_ml.tests.segment.shops import AS_OF, busy, lines


@pytest.fixture(scope="module")
def long() -> Visits:
    """A busy shop of 900 days: long enough for a year-ago pair, at the test day too."""
    return visits(lines(busy(800, days=900)), AS_OF)


def test_chances_order_customers_and_beat_the_base_rate(long):
    chance = probability.learn(Past(long), AS_OF)
    assert chance.receipt["auc"] > chance.receipt["baseline"]["auc_recency"] - 0.02
    assert chance.receipt["auc"] > 0.65
    assert chance.receipt["brier"] < chance.receipt["baseline"]["brier"]
    assert chance.receipt["digits"]
    shop = Shop(long, AS_OF)
    found, band = chance.of(shop), chance.band(shop)
    assert ((found > 0) & (found < 1)).all()
    assert found[band == 2].min() >= 0.5 > found[band == 1].max()
    came = [chance.receipt["bands"][name]["came"] for name in probability.BANDS]
    assert came == sorted(came)


def test_with_less_than_fifteen_months_there_are_bands_and_no_digits():
    shorter = visits(lines(busy(400, days=400)), AS_OF)
    chance, shop = probability.learn(Past(shorter), AS_OF), Shop(shorter, AS_OF)
    assert chance.of(shop) is None
    assert set(np.unique(chance.band(shop))) == {0, 1, 2}
    assert chance.reason["code"] == "segment.probability_bands"
    assert chance.reason["params"]["found"] < chance.reason["params"]["needed"] == 480


def test_the_tested_chances_do_not_see_the_tested_days(long):
    """Another last 90 days: what was told of them beforehand stays as it was."""
    past = [sale for sale in busy(800, days=900) if sale[1] >= 90]
    other = visits(lines([*past, *((f"c{i:03}", 5, 9.0) for i in range(0, 800, 2))]), AS_OF)
    one, two = (probability.learn(Past(seen), AS_OF).receipt for seen in (long, other))
    assert one["share_expected"] == two["share_expected"]
    assert {k: v["customers"] for k, v in one["bands"].items()} == {k: v["customers"] for k, v in two["bands"].items()}
    assert one["share_came"] != two["share_came"]


def test_the_shift_meets_the_share():
    chance = np.array([0.1, 0.3, 0.6])
    shift = probability.needed_shift(chance, 0.5)
    assert probability.moved(chance, shift).mean() == pytest.approx(0.5)
    assert probability.needed_shift(chance, 0.0) == -5
    assert probability.needed_shift(chance, 1.0) == 5


def test_the_season_is_half_of_the_last_window_and_half_of_last_years_turn(long):
    past = Past(long)

    def needed(windows: int) -> float:
        return probability.shift_needed_after(past, AS_OF - timedelta(days=90 * windows))

    assert probability.season(past, AS_OF) == pytest.approx(0.5 * needed(1) + 0.5 * (needed(4) - needed(5)))


def test_chances_that_tell_nothing_are_not_given():
    """The last 90 days turn all round: who always came stays away, and who was gone comes back."""
    sales = [(f"loyal{i:02}", 95 + 30 * j, 10.0) for i in range(40) for j in range(12)]
    sales += [(f"gone{i:02}", ago, 10.0) for i in range(40) for ago in (440, 50)]
    seen = visits(lines(sales), AS_OF)
    chance = probability.learn(Past(seen), AS_OF)
    assert chance.reason["code"] == "segment.probability_not_better"
    assert chance.of(Shop(seen, AS_OF)) is None
    assert chance.band(Shop(seen, AS_OF)) is None


def test_too_little_history_gives_a_reason():
    few = visits(lines([(f"c{i}", 3 + i, 10.0) for i in range(12)]), AS_OF)
    assert probability.learn(Past(few), AS_OF).reason["code"] == "segment.no_probability_history"


def test_auc_against_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    score, hit = rng.integers(0, 5, 300).astype(float), rng.integers(0, 2, 300).astype(float)
    assert probability.auc(score, hit) == pytest.approx(roc_auc_score(hit, score))
    assert probability.auc(score, np.zeros(300)) is None
