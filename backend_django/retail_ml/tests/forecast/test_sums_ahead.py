"""Demand over any days ahead: the distribution of the sum."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from retail_ml.errors import BadParameter
from retail_ml.forecast import bucket_errors
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.bucket_errors import Errors
from retail_ml.forecast.newcomers import PROBABILITIES as NEW
from retail_ml.forecast.newcomers import WIDE
from retail_ml.forecast.serving import Forecasts
from retail_ml.forecast.volume_bins import PROBABILITIES, WINDOWS

START = date(2026, 1, 1)
AHEAD = 365


def _stored(*, later: float = 0.0) -> Forecasts:
    """Two products of one and two variants, 2 and 1 units a day; the second is new. Errors ±100 % of the forecast."""
    z = np.tile(2 * PROBABILITIES - 1, (len(WINDOWS), 1, 1))
    arrays: dict[str, Any] = {
        "product_ids": np.array(["p1", "p2"]),
        "product_units_mean": np.repeat(np.array([[2.0], [1.0]], dtype=np.float32), AHEAD, axis=1),
        "product_price": np.array([10.0, 5.0]),
        "variant_ids": np.array(["v1", "v2", "v3"]),
        "variant_product": np.array([0, 1, 1], dtype=np.int32),
        "variant_share": np.array([1.0, 0.25, 0.75]),
        "newcomer_rows": np.array([1]),
        "newcomer_stage": np.array([0]),
        "newcomer_edges": np.empty(0),
        "newcomer_spread": np.tile(WIDE, (4, 5, 1, 1)),
    }
    for level, n in (("product", 2), ("variant", 3)):
        arrays |= {f"{level}_edges": np.empty(0), f"{level}_z": z, f"{level}_sd": np.full((len(WINDOWS), 1), 0.5)}
        arrays |= {f"{level}_spread": np.ones(n)}
    return Forecasts({"as_of": "2026-06-30", "later": {"product": later, "variant": later}}, arrays)


def test_each_variant_has_days_of_its_own() -> None:
    found = _stored().demand("variant", np.array([7, 28, 14]), probabilities=(0.1, 0.5, 0.9))
    assert found.mean.tolist() == [14.0, 7.0, 10.5]
    alone = _stored().demand("variant", 28, probabilities=(0.1, 0.5, 0.9))
    np.testing.assert_array_equal(found.quantiles[1], alone.quantiles[1])
    assert (np.diff(found.quantiles, axis=1) > 0).all()
    assert found.quantiles[0].tolist() == pytest.approx([14 - 0.8 * 14.125, 14, 14 + 0.8 * 14.125])
    assert (found.sd > 0).all()


def test_days_that_have_passed_are_left_out_and_what_is_farther_is_wider() -> None:
    now, later = (_stored(later=0.5).demand("product", 7, probabilities=(0.1, 0.9), skip=s) for s in (0, 21))
    np.testing.assert_array_equal(now.mean, later.mean)
    assert later.sd == pytest.approx(2 * now.sd)  # (1 + 21/7)^½
    assert later.quantiles[0, 1] - 14 == pytest.approx(2 * (now.quantiles[0, 1] - 14))
    assert (later.quantiles >= 0).all()


def test_a_newcomer_is_as_wide_as_newcomers_were() -> None:
    found = _stored().demand("product", 28, probabilities=NEW.tolist())
    assert found.quantiles[1] == pytest.approx(28 * WIDE)
    assert found.sd[1] > 28  # log-normal with sd 1.2
    parts = _stored().demand("variant", 28, probabilities=(0.05, 0.95))
    assert parts.quantiles[2, 1] >= 21 * WIDE[NEW.tolist().index(0.95)] - 1e-9


@pytest.mark.parametrize(
    ("days", "skip", "probabilities"), [(0, 0, ()), (366, 0, ()), (360, 10, ()), (7, 0, (0.999,)), (7, 0, (0.0,))]
)
def test_out_of_range(days: int, skip: int, probabilities: tuple[float, ...]) -> None:
    with pytest.raises(BadParameter):
        _stored().demand("product", days, probabilities=probabilities, skip=skip)


def _errors(sd: np.ndarray, *, n: int = 4_000) -> Errors:
    """Forecasts of 10 a day, missed by the same on every day of a week, that much in each of 8 weeks."""
    rng = np.random.default_rng(0)
    actual = 10.0 + (rng.normal(0, 1, (n, len(sd))) * sd).repeat(7, axis=1)
    days = actual.shape[1]
    return Errors.of(Fold(300, START, np.full((n, days), 10.0), actual, np.ones(days, dtype=bool)))


def test_growth_of_what_begins_later() -> None:
    """Weeks equally wide: 0. Twice as wide in the second of each pair: 1."""
    assert bucket_errors.later_growth(_errors(np.full(8, 2.0))) == pytest.approx(0, abs=0.03)
    assert bucket_errors.later_growth(_errors(np.array([1.0, 2, 4, 4, 8, 8, 8, 8]))) > 0.8
    assert bucket_errors.later_growth(Errors.none()) == 0.5
