"""Levels, quantities and dates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retail_ml.inventory import budget, formulas, policy
from retail_ml.inventory.demand import Demand, Quantiles
from retail_ml.inventory.policy import Rules, Terms


def one(daily=1.0, *, ratio=3.0, cost=5.0, price=10.0, lead=14.0, abc=1, review=7):
    protection = np.array([int(np.ceil(review + lead))])
    mean = np.array([daily]) * protection
    expected = Demand(np.array([daily]), protection, mean, ratio * mean, np.array([39]))
    return expected, Terms(*(np.array([x], float) for x in (cost, price, lead, 0.0)), np.array([abc]))


def found(rules: Rules | None = None, **kwargs):
    rules = rules or Rules()
    return policy.levels(*one(review=rules.review_days, **kwargs), rules)


ECONOMIC = (0.0, 0.0, 0.0)


@given(
    st.floats(0.01, 50),
    st.floats(1.05, 30),
    st.floats(0.1, 0.9),
    st.floats(0, 60),
    st.floats(0.05, 1.0),
    st.floats(1, 4),
)
@settings(max_examples=100, deadline=None)
def test_dearer_holding_never_raises_the_level(daily, ratio, share, lead, rate, more):
    kwargs = {"daily": daily, "ratio": ratio, "cost": 10 * share, "lead": lead}
    low = found(Rules(holding_rate=rate, fill_floors=ECONOMIC), **kwargs)
    high = found(Rules(holding_rate=rate * more, fill_floors=ECONOMIC), **kwargs)
    assert high.order_up_to[0] <= low.order_up_to[0]
    assert high.tau[0] <= low.tau[0] + 1e-12


@given(st.floats(0.05, 50), st.floats(1.05, 20), st.floats(1, 3))
@settings(max_examples=80, deadline=None)
def test_more_uncertainty_never_lowers_a_high_level(daily, ratio, more):
    """Above the median by far, and for means that are not a fraction of a unit."""
    daily = max(daily, ratio * more / 21)
    low, high = found(daily=daily, ratio=ratio), found(daily=daily, ratio=ratio * more)
    assert high.order_up_to[0] >= low.order_up_to[0]


@given(st.floats(0.05, 40), st.floats(1.05, 20), st.floats(0.01, 100))
@settings(max_examples=60, deadline=None)
def test_the_unit_of_money_changes_nothing(daily, ratio, scale):
    one_ = found(daily=daily, ratio=ratio)
    other = found(Rules(order_cost=2 * scale), daily=daily, ratio=ratio, cost=5 * scale, price=10 * scale)
    assert abs(one_.order_up_to[0] - other.order_up_to[0]) <= 1  # rounding of the lot
    assert one_.tau[0] == pytest.approx(other.tau[0], abs=1e-9)


def test_without_a_lead_time_only_the_review_is_protected():
    """L = 0 and no spread: s is the quantile of a review's demand, and T_c alone is charged for."""
    rules = Rules(fill_floors=ECONOMIC)
    expected, terms = one(2.0, lead=0.0)
    level = policy.levels(expected, terms, rules)
    assert expected.mean[0] == 14.0
    cycle = np.sqrt(2 * 2 * 730 / 1.25) / 2
    assert level.tau[0] == pytest.approx(1 - 1.25 * cycle / 365 / 5)
    assert level.reorder_point[0] == float(formulas.nb_quantile(level.tau[0], *formulas.nb_parameters(14.0, 42.0)))


@pytest.mark.parametrize("weight", [0.25, 4.0])
def test_the_weight_of_overstock_scales_the_risk_that_is_taken(weight):
    usual, other = (found(Rules(overstock_weight=w, tau_bounds=(0.01, 0.9999))).tau[0] for w in (1.0, weight))
    assert 1 - other == pytest.approx(weight * (1 - usual))


def test_economic_target_by_hand():
    """1 - tau = c·h·(T_c + L)/365/(p - c), with T_c = (EOQ - μ_R + μ_R)/μ_d."""
    expected, terms = one(1.0)
    eoq = np.sqrt(2 * 2 * 365 / (5 * 0.25))
    lot = policy.lots(expected, terms, Rules())
    assert lot[0] == pytest.approx(eoq - 7)
    tau, economic = policy.economic_target(expected, terms, Rules(), lot=lot)
    assert tau[0] == pytest.approx(1 - 5 * 0.25 * (eoq + 14) / 365 / 5)
    assert economic[0]


def test_targets_are_held_within_bounds():
    assert found(cost=9.99).tau[0] == 0.80
    assert found(cost=12.0).tau[0] == 0.80
    assert found(cost=0.01).tau[0] == 0.995


@pytest.mark.parametrize(("cost", "price"), [(np.nan, 10.0), (5.0, np.nan), (np.nan, np.nan)])
def test_without_cost_or_price_the_service_level_decides(cost, price):
    level = found(Rules(service_level=0.9, fill_floors=ECONOMIC), cost=cost, price=price)
    assert level.tau[0] == 0.9
    assert not level.economic[0]
    r, p = formulas.nb_parameters(21.0, 63.0)
    assert level.reorder_point[0] == float(formulas.nb_quantile(0.9, r, p))


def test_levels_of_many_variants_are_those_of_each_alone():
    """The search looks only at those that it has not found yet."""
    daily, rules = np.array([0.02, 0.4, 3.0, 40.0, 0.0]), Rules(fill_floors=(0.999, 0.97, 0.9), tau_bounds=(0.3, 0.3))
    each = [one(d, abc=i % 3, cost=2.0 + i) for i, d in enumerate(daily)]
    demand = Demand(*(np.concatenate([vars(e)[name] for e, _ in each]) for name in list(vars(each[0][0]))[:5]))
    terms = Terms(*(np.concatenate([vars(t)[name] for _, t in each]) for name in vars(each[0][1])))
    found = policy.levels(demand, terms, rules)
    alone = [policy.levels(*pair, rules) for pair in each]
    assert found.reorder_point.tolist() == [float(level.reorder_point[0]) for level in alone]
    assert len(set(found.reorder_point.tolist())) == len(daily)


@pytest.mark.parametrize("abc", [0, 1, 2])
def test_fill_floor_of_the_class_is_reached_and_not_overshot(abc):
    """An economic target of 0.80 is raised until the class's fill rate is promised, by a unit no more than needed."""
    rules = Rules(fill_floors=(0.99, 0.97, 0.95))
    expected, terms = one(4.0, ratio=8.0, cost=9.9, abc=abc)
    level = policy.levels(expected, terms, rules)
    r, p = formulas.nb_parameters(expected.mean, 8.0 * expected.mean)
    lot = policy.lots(expected, terms, rules)
    cycle = lot + 4.0 * 7

    def fill(s):
        short = formulas.nb_loss(s, r, p) - formulas.nb_loss(s + np.floor(lot), r * 14 / 21, p)
        return float((1 - short / cycle)[0])

    assert fill(level.reorder_point) >= rules.fill_floors[abc]
    assert fill(level.reorder_point - 1) < rules.fill_floors[abc]


@pytest.mark.parametrize(
    ("other", "level"), [(3.02, 4.0), (4.02, 4.0), (4.98, 4.0), (5.02, 5.0), (7.1, 6.0), (2.9, 3.0)]
)
def test_another_forecast_s_fraction_is_not_rounded_up_on_top_of_the_own_unit(other, level):
    """The own quantile, 4, is a whole unit already; the mean of both goes to the nearest one."""
    expected, terms = one(0.05)
    tau = found(Rules(fill_floors=ECONOMIC), daily=0.05).tau
    quantiles = Quantiles(np.array([0.5, 0.999]), np.array([[other, other]]), expected.mean)
    both = policy.levels(replace(expected, quantiles=quantiles), terms, Rules(fill_floors=ECONOMIC))
    r, p = formulas.nb_parameters(expected.mean, expected.variance)
    assert formulas.nb_quantile(tau, r, p).tolist() == [4.0]
    assert both.reorder_point.tolist() == [level]


def test_the_reorder_point_is_the_least_that_carries_the_risk_whatever_stands_beside_it():
    """s is where F(s) first reaches tau: one unit less takes more risk than is worth it, one more holds for nothing.

    Where the class asks for no more than that, a neighbour that needs more moves nothing.
    """
    rules = Rules(fill_floors=(0.999, 0.0, 0.0))
    daily = np.array([0.01, 0.05, 0.2, 1.0, 6.0, 40.0])
    parts = [one(d, abc=1) for d in daily] + [one(4.0, ratio=9.0, abc=0)]
    names = ("daily", "protection", "mean", "variance", "origins")
    expected = Demand(*(np.concatenate([getattr(d, name) for d, _ in parts]) for name in names))
    terms = Terms(*(np.concatenate([getattr(t, name) for _, t in parts]) for name in Terms.__dataclass_fields__))
    level = policy.levels(expected, terms, rules)
    r, p = formulas.nb_parameters(expected.mean, expected.variance)
    covered, below = (1 - formulas.nb_above(level.reorder_point - k, r, p) for k in (0, 1))
    assert (covered >= level.tau)[:-1].all()
    assert (below < level.tau)[:-1].all()
    assert covered[-1] > level.tau[-1]
    alone = [policy.levels(*part, rules).reorder_point[0] for part in parts]
    assert level.reorder_point.tolist() == alone


def test_nothing_is_kept_of_what_does_not_sell():
    level = found(daily=0.0)
    assert (level.reorder_point[0], level.order_up_to[0]) == (0, 0)
    quantity = policy.order_quantity(
        np.array([-5.0]),
        reorder_point=level.reorder_point,
        order_up_to=level.order_up_to,
        pack=np.ones(1),
        minimum=np.ones(1),
    )
    assert quantity[0] == 0


def order(position, s, S, pack=1.0, minimum=1.0):
    return float(
        policy.order_quantity(
            np.array([position], float),
            reorder_point=np.array([s], float),
            order_up_to=np.array([S], float),
            pack=np.array([pack], float),
            minimum=np.array([minimum], float),
        )[0]
    )


def test_regressions_of_other_systems():
    assert order(0.98, 1, 2) == 2.0  # 1.02 are missing: whole units
    assert order(11.02, 12, 12.02) == 1.0  # pack rounding with decimals: 1, not 1.02
    assert order(4, 4, 10) == 6  # the trigger is at or below
    assert order(5, 4, 10) == 0
    assert order(3, 4, 4, pack=12) == 12  # the supplier's unit is 12, the need is 1
    assert order(0, 4, 6, pack=4, minimum=10) == 12  # the minimum itself in whole packs
    assert order(0, 4, 24, pack=12) == 24  # 24 is two packs, not three


@given(st.floats(-50, 300), st.integers(0, 200), st.integers(1, 200), st.integers(1, 24), st.integers(1, 60))
@settings(max_examples=300, deadline=None)
def test_quantities_obey_pack_and_minimum_and_repeat_adds_nothing(position, s, above, pack, minimum):
    S = s + above
    quantity = order(position, s, S, pack, minimum)
    if position > s:
        assert quantity == 0
        return
    assert quantity >= minimum
    assert quantity % pack == 0
    assert position + quantity >= S - 1e-6
    assert quantity - pack < max(S - position, minimum)
    assert order(position + quantity, s, S, pack, minimum) == 0


def test_abc_of_equal_and_of_no_value():
    assert policy.abc_class(np.zeros(3)).tolist() == [2, 2, 2]
    assert policy.abc_class(np.array([7.0])).tolist() == [0]
    assert policy.abc_class(np.full(10, 1.0)).tolist() == [0] * 8 + [1] * 2
    assert policy.abc_class(np.array([np.nan, 5.0])).tolist() == [2, 0]


# --- budget ---------------------------------------------------------------------------------------


def wish(n=12, seed=0):
    rng = np.random.default_rng(seed)
    pack, minimum = rng.integers(1, 13, n).astype(float), rng.integers(1, 30, n).astype(float)
    quantity = np.ceil(np.maximum(minimum, rng.integers(1, 200, n)) / pack) * pack
    cost = rng.uniform(0.5, 40, n)
    return budget.Wish(
        quantity, rng.integers(0, 10, n).astype(float), pack, minimum, cost, cost * rng.uniform(-0.1, 2, n),
        rng.uniform(0.01, 8, n), rng.uniform(1.02, 9, n), np.full(n, 21.0), cost * 0.01,
    )  # fmt: skip


@given(st.integers(0, 10_000), st.floats(0, 30_000), st.integers(1, 40))
@settings(max_examples=120, deadline=None)
def test_a_budget_is_kept_in_whole_packs_and_minimums(seed, money, n):
    w = wish(n, seed)
    bought = budget.spend(w, money)
    assert float((bought * w.cost).sum()) <= money + 1e-6
    assert (bought <= w.quantity + 1e-9).all()
    assert np.allclose(bought % w.pack, 0)
    assert ((bought == 0) | (bought >= w.minimum)).all()
    assert budget.margin_lost(w, bought) >= 0


def test_enough_money_buys_the_wish_and_none_buys_nothing():
    w = wish(20, 3)
    assert np.array_equal(budget.spend(w, 1e9), w.quantity)
    assert budget.spend(w, 0.0).sum() == 0
    assert budget.margin_lost(w, w.quantity) == 0


def test_more_money_loses_less_margin():
    w = wish(30, 4)
    total = float((w.quantity * w.cost).sum())
    lost = [budget.margin_lost(w, budget.spend(w, total * f)) for f in (0, 0.25, 0.5, 0.75, 1)]
    assert lost == sorted(lost, reverse=True)
    assert lost[0] > lost[2] > 0


def test_money_goes_to_what_earns_most_per_coin():
    """Same goods, one at twice the margin: with money for one, that one is bought."""
    n = np.ones(2)
    w = budget.Wish(5 * n, 0 * n, n, 5 * n, 10 * n, np.array([5.0, 10.0]), n, 2 * n, 21 * n, 0.1 * n)
    assert budget.spend(w, 50).tolist() == [0, 5]


def pack_by_pack(w: budget.Wish, money: float) -> np.ndarray:
    """The rule of `spend`, a pack at a time."""
    n = len(w.quantity)
    bought, closed = np.zeros(n), np.zeros(n, bool)

    def value(i, units):
        law = (np.array([w.daily[i]]), np.array([w.ratio[i]]))
        shelf = np.floor(max(w.position[i], 0))
        short = [float(policy.units_short(np.array([shelf + q]), *law, days=w.days[i])[0]) for q in (0.0, units)]
        sold = short[0] - short[1]
        return w.margin[i] * sold - w.holding[i] * (units - sold)

    while True:
        best, choice = -np.inf, None
        for i in range(n):
            least = min(np.ceil(w.minimum[i] / w.pack[i]) * w.pack[i], w.quantity[i])
            step = w.pack[i] if bought[i] else least
            if closed[i] or bought[i] + step > w.quantity[i] + 1e-9:
                continue
            ratio = (value(i, bought[i] + step) - value(i, bought[i])) / (step * w.cost[i])
            if ratio > best + 1e-12:
                best, choice = ratio, (i, step)
        if choice is None:
            return bought
        i, step = choice
        if step * w.cost[i] > money + 1e-9:
            closed[i] = True
            continue
        bought[i] += step
        money -= step * w.cost[i]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.15, 0.6])
def test_a_budget_is_spent_pack_by_pack(seed, share):
    w = wish(7, seed)
    money = share * float((w.quantity * w.cost).sum())
    assert budget.spend(w, money).tolist() == pack_by_pack(w, money).tolist()


def test_an_order_is_filled_up_to_the_supplier_s_minimum_by_what_earns_most():
    w = wish(15, 8)
    total = float((w.quantity * w.cost).sum())
    for missing in (10.0, 0.3 * total, 0.9 * total):
        added = budget.top_up(w, missing)
        money = float((added * w.cost).sum())
        assert money >= missing - 1e-6
        assert np.allclose(added % w.pack, 0)
        assert ((added == 0) | (added >= np.minimum(w.minimum, w.quantity))).all()
        last = max(float((np.maximum(w.minimum, w.pack) + w.pack)[i] * w.cost[i]) for i in np.flatnonzero(added))
        assert money <= missing + last  # no more than the last part beyond it
    assert budget.top_up(w, 0.0).sum() == 0
    assert budget.top_up(w, 1.01 * total).sum() == 0
    best = budget.top_up(w, 1e-6)
    assert (best > 0).sum() == 1
    assert best.tolist() == np.where(budget.spend(w, 1e9) > 0, best, 0).tolist()


def test_many_packs_are_bought_in_few_parts_and_the_wish_is_still_met():
    w = wish(3, 1)
    big = budget.Wish(np.array([5_000.0, 12.0, 0.0]), w.position, np.ones(3), np.ones(3), w.cost, w.margin,
                      np.array([50.0, 1.0, 1.0]), w.ratio, w.days, w.holding)  # fmt: skip
    assert budget.spend(big, 1e9).tolist() == [5_000.0, 12.0, 0.0]
    half = budget.spend(big, 2_500 * float(w.cost[0]))
    assert (half * w.cost).sum() <= 2_500 * w.cost[0]
    assert half[0] > 2_000
