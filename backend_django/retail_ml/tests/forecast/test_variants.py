"""Variants from their style."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

from retail_ml.forecast import curves, variant_sales, variants
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.history import History
from retail_ml.forecast.models.panel import base_rate
from retail_ml.forecast.variant_sales import VariantSales
from retail_ml.tests.forecast import boutique

SIZES = np.array([0.1, 0.4, 0.3, 0.2])
DAYS = 300


def _known(y: np.ndarray, *, styles: int, values: np.ndarray) -> VariantSales:
    """Styles with equally many variants each, one purchase per unit."""
    row, day = np.nonzero(y)
    units = y[row, day].astype(float)
    ids = np.array([f"{i:05d}" for i in range(len(y))])
    product, there = np.repeat(np.arange(styles), len(y) // styles), np.ones(len(y), dtype=bool)
    category = np.zeros(len(y), dtype=np.int64)
    return VariantSales(ids, product, styles, category, values, there, row, day, units, units.copy(), y.shape[1])


def _shop(seed: int, *, styles: int = 150, rate: float = 0.4) -> tuple[VariantSales, np.ndarray, np.ndarray]:
    """Styles in four sizes of one curve and two colours of their own shares: sales, daily demand, true shares."""
    rng = np.random.default_rng(seed)
    colours = rng.dirichlet([4, 4], styles)
    share = (colours[:, :, None] * SIZES).reshape(styles, 8)
    level = rate * rng.gamma(1.0, 1.0, styles)
    y = rng.poisson((share * level[:, None]).reshape(-1, 1), (styles * 8, DAYS))
    values = np.stack([np.tile(np.arange(4), styles * 2), 4 + np.tile(np.repeat([0, 1], 4), styles)], axis=1)
    return _known(y, styles=styles, values=values), y, share.ravel()


def _distance(share: np.ndarray, truth: np.ndarray, *, styles: int) -> float:
    """Mean total variation between shares."""
    return float(0.5 * np.abs(share - truth).sum() / styles)


def test_shares_are_nearer_the_truth_than_own_units_and_than_the_curve() -> None:
    known, _, truth = _shop(0)
    found = variants.learn(known)
    own = curves.within(found.evidence, known.product, known.products)
    measured = [_distance(x, truth, styles=150) for x in (found.share, own, found.curve)]
    assert measured[0] < 0.6 * measured[1]
    assert measured[0] < 0.8 * measured[2]
    assert np.bincount(known.product, weights=found.share) == pytest.approx(np.ones(150))
    sizes, colours, *_ = found.priors
    assert sizes > 200  # one curve for all
    assert 3 < colours < 20  # Dirichlet(4, 4): 8


def test_a_new_style_gets_its_category_s_curve() -> None:
    """Without a sale of its own: sizes as in the other styles."""
    known, _, _ = _shop(1)
    alone = known.row >= 8
    without = replace(known, **{name: getattr(known, name)[alone] for name in ("row", "day", "units", "purchases")})
    found = variants.learn(without).share[:8].reshape(2, 4)
    assert found.sum(axis=0) == pytest.approx(SIZES, abs=0.02)


def test_categories_have_curves_of_their_own() -> None:
    known, y, _ = _shop(2)
    turned = y.reshape(150, 2, 4, DAYS)
    turned[75:] = turned[75:, :, ::-1]  # in the second half of the styles the sizes sell the other way round
    category = np.repeat([0, 1], 600)
    other = replace(_known(turned.reshape(-1, DAYS), styles=150, values=known.values), category=category)
    curve = variants.learn(other).curve.reshape(150, 2, 4).sum(axis=1)
    assert curve[:75].mean(axis=0) == pytest.approx(SIZES, abs=0.03)
    assert curve[75:].mean(axis=0) == pytest.approx(SIZES[::-1], abs=0.03)


def test_better_than_each_variant_by_itself() -> None:
    """28 days ahead, the same rate for both: the product's shared out, and the variant's own. Sums over three shops."""
    errors = np.zeros(2)
    for seed in (3, 4, 5):
        known, y, _ = _shop(seed)
        past = known.until(DAYS - 28)
        sold = np.ones(DAYS - 28, dtype=bool)
        own = 28 * base_rate(History(date(2026, 1, 1), y[:, : DAYS - 28] * 1.0, sold))
        product = y.reshape(150, 8, DAYS).sum(axis=1) * 1.0
        shared = variants.learn(past).of(28 * base_rate(History(date(2026, 1, 1), product[:, : DAYS - 28], sold)))
        actual = y[:, DAYS - 28 :].sum(axis=1)
        errors += [np.abs(actual - shared).sum(), np.abs(actual - own).sum()]
    assert errors[0] < 0.93 * errors[1]


def test_variants_that_come_and_go_are_followed() -> None:
    """Every style sells one of two variants, and changes over to the other a month before the end."""
    rng = np.random.default_rng(0)
    y = rng.poisson(1.0, (200, DAYS))
    y[::2, DAYS - 60 :] = 0
    y[1::2, : DAYS - 60] = 0
    known = _known(y, styles=100, values=np.tile([[0], [1]], (100, 1)))
    assert variants.learn(known).share[1::2].mean() > 0.97


def test_a_silence_too_long_to_be_chance_means_gone() -> None:
    """A few purchases a month: in half of the styles one of two variants left 100 days ago, the other styles go on."""
    rng = np.random.default_rng(1)
    y = rng.poisson(0.1, (600, DAYS))
    y[:300:2, DAYS - 100 :] = 0
    known = _known(y, styles=300, values=np.tile([[0], [1]], (300, 1)))
    found = variants.learn(known)
    assert found.gone > 0
    assert found.share[:300:2].mean() < 0.06
    assert found.share[300::2].mean() == pytest.approx(0.5, abs=0.03)
    steady, _, _ = _shop(0)
    assert variants.learn(steady).gone == 0.0


def test_days_sold_out_say_nothing_of_a_variant() -> None:
    """Few of each on the shelf, reordered late: the best-selling size is out most, and seems to sell least."""
    rng = np.random.default_rng(1)
    _, demand, truth = _shop(6, styles=200, rate=0.8)
    stock, due = np.full(len(demand), 3), np.full(len(demand), -1)
    y, out = np.zeros_like(demand), np.zeros(demand.shape, dtype=bool)
    for t in range(DAYS):
        stock[due == t], due[due == t] = 3, -1
        out[:, t], y[:, t] = stock <= 0, np.minimum(demand[:, t], stock)
        stock = stock - y[:, t]
        due = np.where((stock <= 0) & (due < 0), t + rng.integers(10, 30, len(stock)), due)
    values = np.stack([np.tile(np.arange(4), 400), 4 + np.tile(np.repeat([0, 1], 4), 200)], axis=1)
    known = _known(y, styles=200, values=values)
    popular = truth > 0.2
    naive, corrected = variants.learn(known).share, variants.learn(known, out=out).share
    assert (naive - truth)[popular].sum() / truth[popular].sum() < -0.08
    assert abs((corrected - truth)[popular].sum()) < 0.5 * abs((naive - truth)[popular].sum())
    assert _distance(corrected, truth, styles=200) < 0.8 * _distance(naive, truth, styles=200)


def test_one_order_for_two_hundred_is_not_two_hundred_opinions() -> None:
    """Two variants sell alike until somebody buys 200 of one."""
    y = np.ones((200, 60))
    y[::2, ::2] = 0
    y[1::2, 1::2] = 0
    known = _known(y, styles=100, values=np.tile([[0], [1]], (100, 1)))
    last = int(np.flatnonzero(known.row == 0)[-1])
    units = known.units.copy()
    units[last] = 200.0
    one = variants.learn(replace(known, units=units)).share[0]
    many = variants.learn(replace(known, units=units, purchases=units)).share[0]
    assert variants.learn(known).share[0] == pytest.approx(0.5, abs=0.01)
    assert 0.5 < one < 0.6
    assert many > 0.7


def test_what_is_not_sold_any_more_has_no_share() -> None:
    known, _, _ = _shop(8)
    active = np.ones(len(known.ids), dtype=bool)
    active[[0, *range(8, 16)]] = False
    share = variants.learn(replace(known, active=active)).share
    assert share[0] == 0.0
    assert share[1:8].sum() == pytest.approx(1.0)
    assert share[8:16].sum() == pytest.approx(1.0)  # none of the style's is active: all share


def test_dirichlet_multinomial_weight() -> None:
    """The likelihood is that of scipy, and its best weight is the one drawn with."""
    rng = np.random.default_rng(0)
    mean = np.array([0.5, 0.3, 0.2])
    sold = np.array([rng.multinomial(60, p) for p in rng.dirichlet(12.0 * mean, 400)])
    group = np.repeat(np.arange(400), 3)
    found = curves.prior_weight(sold.ravel().astype(float), np.tile(mean, 400), group)
    law = [stats.dirichlet_multinomial.logpmf(sold, a * mean, 60).sum() for a in curves.PRIORS]
    assert found == pytest.approx(curves.PRIORS[int(np.argmax(law))], rel=0.3)
    assert found == pytest.approx(12.0, rel=0.3)


def test_nothing_after_the_cutoff_matters() -> None:
    """Folds: the shares of a fold come from the days before it; what came is what was sold."""
    known, y, _ = _shop(9)
    cutoff = DAYS - 56
    forecast = np.full((150, 28), 2.0)
    fold = Fold(cutoff, date(2026, 6, 1), forecast, forecast, np.ones(28, dtype=bool))
    ((rows, found),) = variants.folds(known, [fold])
    later = known.day >= cutoff
    units = np.where(later, known.units * 7, known.units)
    ((_, other),) = variants.folds(replace(known, units=units), [fold])
    np.testing.assert_array_equal(found.forecast, other.forecast)
    np.testing.assert_array_equal(found.actual, y[rows][:, cutoff : cutoff + 28])
    np.testing.assert_allclose(other.actual, 7 * found.actual)
    assert found.forecast.sum() == pytest.approx(2.0 * 28 * 150, rel=0.1)  # what was never sold by then is left out


def test_from_the_shop_s_tables() -> None:
    """Units, options, categories of the boutique; the order of the rows changes nothing; a deleted variant stays."""
    shop = boutique.make(orders=600, days=120, seed=2)
    ids = shop.products["product_id"].sort().to_numpy().astype(str)
    start = shop.lines["day"].min()
    assert isinstance(start, date)
    stock = shop.stock.filter(pl.col("variant_id") != shop.lines["variant_id"][0])

    def made(lines: pl.DataFrame, table: pl.DataFrame) -> VariantSales:
        return variant_sales.sales(lines, table, shop.products, product_ids=ids, start=start, until=shop.shop.end)

    known = made(shop.lines, stock)
    assert known.units.sum() == shop.lines["units"].sum()
    assert known.purchases.sum() == len(shop.lines)
    assert (np.diff(known.product[np.argsort(known.ids)]) >= 0).all()
    gone = int(np.flatnonzero(known.ids == shop.lines["variant_id"][0])[0])
    assert not known.active[gone]
    assert known.values[gone].tolist() == [-1, -1]
    found = variants.learn(known)
    assert np.isfinite(found.share).all()
    again = made(
        shop.lines.sample(fraction=1.0, shuffle=True, seed=3), stock.sample(fraction=1.0, shuffle=True, seed=4)
    )
    np.testing.assert_array_equal(variants.learn(again).share, found.share)


@pytest.mark.parametrize("sold", [0, 1])
def test_next_to_nothing(sold: int) -> None:
    """No sale or one, one product of one variant, a variant without product: finite, adding up."""
    y = np.zeros((3, 5))
    y[0, 2] = sold
    known = replace(_known(y, styles=3, values=np.full((3, 1), -1)), product=np.array([0, 1, -1]), products=2)
    found = variants.learn(known)
    assert found.share[:2].tolist() == [1.0, 1.0]
    assert found.of(np.array([3.0, 4.0])).tolist() == [3.0, 4.0, 0.0]
    assert variants.learn(known.until(0)).share[:2].tolist() == [1.0, 1.0]
    empty = replace(
        known.until(0), ids=np.empty(0, "<U1"), product=np.empty(0, np.int64), values=np.empty((0, 1), np.int64)
    )
    nothing = replace(empty, category=np.empty(0, np.int64), active=np.empty(0, bool), products=0)
    assert variants.learn(nothing).share.shape == (0,)


@pytest.mark.parametrize("days", [DAYS, 200])
def test_days_out_on_which_the_style_sold_are_those_of_a_panel_of_all_days(days: int) -> None:
    """Days without stock are looked up by variant and day; here they are marked in a table, a variant a row."""
    whole, y, _ = _shop(3, styles=20)
    out = np.random.default_rng(1).random(y.shape) < 0.2
    known, style = whole.until(days), whole.product
    bought = variants._Purchases.of_sales(known, style, out=variants._missing(whole, out))
    seen = replace(bought, cells=known.units).seen(since=50)
    at, when, sold, variant, gap = seen.at, seen.when, seen.sold, seen.variant, seen.gap
    late = np.where(np.arange(days) >= 50, y[:, :days], 0)
    of_style = late.reshape(20, -1, days).sum(axis=1)
    plain = np.nonzero(out[:, :days] & (y[:, :days] == 0) & (of_style > 0)[style])
    np.testing.assert_array_equal(variant, plain[0])
    np.testing.assert_array_equal(when[gap], plain[1])
    np.testing.assert_array_equal(at[gap], style[variant])
    np.testing.assert_allclose(sold, of_style[at, when])
    np.testing.assert_allclose(seen.rest[:20] + np.bincount(at, sold, minlength=20), of_style.sum(axis=1))
