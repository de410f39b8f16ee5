"""Plan, live assessment, alerts and replay on small tables."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from retail_ml import frames
from retail_ml.inventory import live, plan, replay
from retail_ml.inventory.policy import Rules
from retail_ml.inventory.world import World, make_world, simulate, window
from retail_ml.tests.inventory.tables import AS_OF, demand, lines, products, stock

RULES = Rules()
IDS = [f"v{i:02}" for i in range(12)]


@cache
def sales() -> pl.DataFrame:
    units = {v: demand(420, 0.2 + 0.3 * i, seed=i) for i, v in enumerate(IDS)}
    units["v11"] = np.r_[demand(200, 3.0, seed=11), np.zeros(220, dtype=int)]  # no longer sells
    return lines(units)


@cache
def made() -> plan.Plan:
    return plan.make(sales(), stock(IDS), products(IDS), as_of=AS_OF, rules=RULES)


def assess(table: pl.DataFrame, arrays=None, orders=None) -> pl.DataFrame:
    arrays = made().arrays if arrays is None else arrays
    ids = [p.removeprefix("p-") for p in table["product_id"].unique()]
    return live.assess(
        arrays,
        table,
        products(ids),
        open_orders=frames.empty(frames.OPEN_ORDERS) if orders is None else orders,
        days=(AS_OF, AS_OF + timedelta(days=1)),
        rules=RULES,
    ).frame.sort("variant_id")


def one(variant: str = "v05", **columns) -> dict:
    return assess(stock([variant], **columns)).to_dicts()[0]


def test_levels_grow_with_demand_and_the_dead_have_none_to_speak_of():
    arrays = made().arrays
    assert np.corrcoef(arrays["daily"][:11], arrays["reorder_point"][:11])[0, 1] > 0.8
    assert arrays["reorder_point"][11] < arrays["reorder_point"][9] / 5


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"on_hand": 0.0}, "OUT_OF_STOCK"),
        ({"on_hand": -3.0}, "NEGATIVE_STOCK"),
        ({"on_hand": 8.0, "reserved": 8.0}, "OUT_OF_STOCK"),
        ({"on_hand": 2.0, "on_order": 500.0, "lead_time_days": 30.0}, "STOCKOUT_BEFORE_DELIVERY"),
        ({"on_hand": 20.0}, "REORDER_NOW"),
        ({"on_hand": 9_000.0}, "OVERSTOCK"),
    ],
)
def test_alert_codes(columns, code):
    assert one(**columns)["code"] == code


def test_between_the_levels_nothing_is_wrong():
    row = one()
    fine = one(on_hand=(row["reorder_point"] + row["order_up_to"]) / 2 + 8 * row["daily_demand"])
    assert fine["code"] is None
    assert fine["recommended_order_quantity"] == 0


def test_soon_below_the_reorder_point():
    row = one()
    assert one(on_hand=row["reorder_point"] + 2)["code"] == "REORDER_SOON"


def test_dead_stock_and_its_money():
    row = one("v11", on_hand=10.0)
    assert (row["code"], row["alert_type"], row["money_at_stake"]) == ("DEAD_STOCK", "slow_moving", 50.0)
    assert row["health_score"] <= 45


def test_drafts_and_orders_count_so_that_twice_adds_nothing():
    row = one(on_hand=3.0)
    quantity = row["recommended_order_quantity"]
    assert quantity > 0
    for column in ("drafted", "on_order"):
        assert one(on_hand=3.0, **{column: quantity})["recommended_order_quantity"] == 0


def test_drafts_do_not_move_the_stock_out_date_but_orders_do():
    plain, drafted, ordered = (one(on_hand=30.0, **c) for c in ({}, {"drafted": 60.0}, {"on_order": 60.0}))
    assert plain["estimated_stockout_date"] == drafted["estimated_stockout_date"]
    assert ordered["estimated_stockout_date"] > plain["estimated_stockout_date"]


def order(variant: str, units: float, *, expected: int, ordered: int = -20, draft: bool = False) -> pl.DataFrame:
    """One line of a purchase order, days counted from today."""
    today = AS_OF + timedelta(days=1)
    row = {"variant_id": variant, "order_id": "7", "number": "PO-7", "supplier_id": "1", "units": units, "draft": draft,
           "ordered": today + timedelta(days=ordered), "expected": today + timedelta(days=expected)}  # fmt: skip
    return pl.DataFrame([row], schema=frames.OPEN_ORDERS)


def with_order(*, on_hand: float, units: float = 60.0, variant: str = "v05", season_end=None, **days) -> dict:
    table = stock([variant], on_hand=on_hand, on_order=units, season_end=season_end)
    return assess(table, orders=order(variant, units, **days)).to_dicts()[0]


def test_an_order_counts_from_its_day_on():
    plain = one(on_hand=30.0)
    soon, far = with_order(on_hand=30.0, expected=2), with_order(on_hand=30.0, expected=120)
    assert soon["estimated_stockout_date"] > plain["estimated_stockout_date"]
    assert far["estimated_stockout_date"] == plain["estimated_stockout_date"]  # the shelf is empty long before
    assert soon["out_before_receipt"] < far["out_before_receipt"]
    assert far["code"] == "STOCKOUT_BEFORE_DELIVERY"
    assert far["probability"] > 0.9


def test_a_late_order_is_chased_and_waited_for():
    late = with_order(on_hand=20.0, expected=-9)
    assert (late["late_days"], late["late_units"], late["late_number"]) == (9.0, 60.0, "PO-7")
    assert "LATE_PO" in [late["code"], *late["also"]]
    in_time = with_order(on_hand=20.0, expected=-1)
    assert "LATE_PO" not in [in_time["code"], *in_time["also"]]
    assert late["next_receipt_days"] >= 1
    healthy = with_order(on_hand=900.0, expected=-9)
    assert "LATE_PO" in [healthy["code"], *healthy["also"]]


def test_one_alert_and_the_others_beside_it():
    row = one(on_hand=0.0)
    assert (row["code"], row["also"]) == ("OUT_OF_STOCK", ["REORDER_NOW"])
    odd = one(on_hand=0.0, cost=None, price=None)
    assert odd["also"] == ["REORDER_NOW", "PRICE_OR_COST_MISSING"]
    assert one(on_hand=-3.0)["also"] == ["REORDER_NOW"]
    assert one(on_hand=9_000.0)["also"] == ["SLOW_MOVING"]


def test_what_earns_nothing_is_not_ordered_without_a_word():
    row = one(on_hand=20.0, cost=12.0, lead_time_days=1.0)
    assert row["code"] == "MARGIN_NEGATIVE"
    assert row["money_at_stake"] == pytest.approx(2.0 * row["predicted_demand_30days"], abs=0.01)
    full = one(on_hand=200.0, cost=12.0)
    assert "MARGIN_NEGATIVE" not in [full["code"], *full["also"]], "nothing is to be ordered"


def test_a_season_that_ends_before_the_stock_does():
    today = AS_OF + timedelta(days=1)
    row = one(on_hand=200.0, season_end=today + timedelta(days=19))
    assert (row["code"], row["alert_type"], row["urgency_level"]) == ("SEASON_END_RISK", "overstock", 4)
    assert row["leftover_units"] == pytest.approx(200 - 20 * row["daily_demand"], rel=0.02)
    assert row["money_at_stake"] == pytest.approx(row["leftover_units"] * 5 / 2, abs=0.01)
    far = one(on_hand=200.0, season_end=today + timedelta(days=400))
    assert "SEASON_END_RISK" not in [far["code"], *far["also"]]
    over = one(on_hand=200.0, season_end=today - timedelta(days=3))
    assert over["leftover_units"] == pytest.approx(200.0, abs=1e-6)


def test_money_expected_is_weighed_once():
    empty, dead, over = one(on_hand=0.0), one("v11", on_hand=10.0), one(on_hand=9_000.0)
    assert empty["probability"] is None
    assert empty["expected_money"] == empty["money_at_stake"] > 0
    assert dead["expected_money"] == pytest.approx(dead["money_at_stake"] * dead["probability"], abs=0.01)
    assert over["probability"] >= 0.95
    late = with_order(on_hand=20.0, expected=30)
    assert late["expected_money"] == late["money_at_stake"]


def test_a_version_of_an_older_release_serves_on():
    older = {name: values for name, values in made().arrays.items() if name not in ("drop", "week_expected")}
    assert assess(stock(["v05"], on_hand=0.0), older)["code"].to_list() == ["OUT_OF_STOCK"]


def test_what_is_not_on_offer_is_never_ordered():
    row = one(on_hand=0.0, active=False)
    assert row["recommended_order_quantity"] == 0
    assert row["code"] is None


def test_faulty_tables_never_raise_and_never_give_nan():
    odd = stock(
        ["v00", "v01", "v02", "v03", "v04", "v05", "unknown"],
        on_hand=[-5.0, 0.0, 1e9, 3.0, 3.0, 3.0, 7.0],
        cost=[None, None, 0.0, 20.0, 5.0, 5.0, 5.0],
        price=[None, 10.0, 10.0, 10.0, 0.0, 10.0, 10.0],
        lead_time_days=[None, 0.0, -3.0, 4000.0, 7.0, 7.0, 7.0],
        lead_time_sd=[None, 0.0, 1.0, 1.0, None, 2.0, 2.0],
        pack_size=[1.0, 12.0, 1.0, 1.0, 6.0, 1.0, 1.0],
        reserved=[0.0, 0.0, 0.0, 50.0, 0.0, 0.0, 0.0],
        supplier_id=None,
        supplier=None,
    )
    ids = odd["variant_id"].to_list()
    again = plan.make(sales(), odd, products(ids), as_of=AS_OF, rules=RULES)
    for arrays in (made().arrays, again.arrays):
        frame = assess(odd, arrays)
        for name, dtype in frame.schema.items():
            if dtype == pl.Float64:
                assert frame[name].drop_nulls().is_finite().all(), name
        assert (frame["recommended_order_quantity"] % frame["pack_size"] == 0).all()
        assert frame["health_score"].is_between(0, 100).all()
    unseen = assess(odd).filter(pl.col("variant_id") == "unknown").to_dicts()[0]
    assert (unseen["in_model"], unseen["recommended_order_quantity"], unseen["code"]) == (False, 0, None)


def test_sku_order_of_the_tables_does_not_matter():
    shuffled = plan.make(
        sales().sample(fraction=1, shuffle=True, seed=9),
        stock(IDS).sample(fraction=1, shuffle=True, seed=9),
        products(IDS).sample(fraction=1, shuffle=True, seed=8),
        as_of=AS_OF,
        rules=RULES,
    )
    for name, values in made().arrays.items():
        assert np.array_equal(shuffled.arrays[name], values, equal_nan=values.dtype == float), name


def test_a_forecast_moves_the_demand():
    forecast = pl.DataFrame(
        {"variant_id": ["v05", "v11"], "units_7": [70.0, 7.0], "units_30": [300.0, 30.0], "daily": [10.0, 1.0]}
        | {f"q{p:g}": [150.0 + 100 * p, None] for p in plan.PROBABILITIES},
        schema=plan.VARIANT_DEMAND,
    )
    records = plan.Records(variant_demand=forecast)
    with_ = plan.make(sales(), stock(IDS), products(IDS), as_of=AS_OF, rules=RULES, records=records).arrays
    own = made().arrays
    assert with_["units_30"][5] == 300.0
    assert with_["daily"][5] == pytest.approx((own["daily"][5] + 10) / 2)
    assert np.array_equal(np.delete(with_["daily"], [5, 11]), np.delete(own["daily"], [5, 11]))
    assert with_["from_forecast"].sum() == 2


def test_quantiles_of_a_forecast_are_averaged_with_the_own_ones():
    """The forecast knows exactly what will be asked for: half of the distance to it is gone."""
    ask = {"variant_id": [f"v{i:02}" for i in (3, 5)], "units_7": [7.0] * 2, "units_30": [30.0] * 2}
    sure = {f"q{p:g}": [80.0, None] for p in plan.PROBABILITIES}
    rates = {"daily": [float(made().arrays["daily"][i]) for i in (3, 5)]}
    forecast = pl.DataFrame(ask | rates | sure, schema=plan.VARIANT_DEMAND)
    rules = Rules(fill_floors=(0.0, 0.0, 0.0))
    shelf = stock(IDS, lead_time_sd=0.0)
    records = plan.Records(variant_demand=forecast)
    tables = (sales(), shelf, products(IDS))
    own = plan.make(*tables, as_of=AS_OF, rules=rules).arrays["reorder_point"]
    with_ = plan.make(*tables, as_of=AS_OF, rules=rules, records=records).arrays["reorder_point"]
    assert with_[3] == np.floor((own[3] + 80) / 2 + 0.5)
    assert np.array_equal(np.delete(with_, 3), np.delete(own, 3))


def test_spikes_are_seen_and_quiet_weeks_are_not():
    daily = np.full(200, 1.0)
    spiked = daily.copy()
    spiked[-3:] = 40
    units = {"calm": daily, "spiked": spiked}
    found = plan.make(lines(units), stock(list(units)), products(list(units)), as_of=AS_OF, rules=RULES)
    assert found.arrays["spike"].tolist() == [False, True]
    row = assess(stock(["spiked"], on_hand=3_000.0), found.arrays).to_dicts()[0]
    assert row["code"] in ("DEMAND_SPIKE", "OVERSTOCK")


def test_a_drop_is_seen_but_not_in_a_shop_that_was_closed():
    dropped = {"calm": np.full(200, 4.0), "dropped": np.r_[np.full(193, 4.0), np.zeros(7)]}
    found = plan.make(lines(dropped), stock(list(dropped)), products(list(dropped)), as_of=AS_OF, rules=RULES)
    assert found.arrays["drop"].tolist() == [False, True]
    assert found.arrays["week_expected"][1] == pytest.approx(28, rel=0.05)
    row = assess(stock(["dropped"], on_hand=100.0), found.arrays).to_dicts()[0]
    assert (row["code"], row["alert_type"]) == ("DEMAND_DROP", "slow_moving")
    assert assess(stock(["dropped"], on_hand=0.0), found.arrays)["code"].to_list() == ["OUT_OF_STOCK"]
    closed = {name: np.r_[np.full(193, 4.0), np.zeros(7)] for name in dropped}
    shut = plan.make(lines(closed), stock(list(closed)), products(list(closed)), as_of=AS_OF, rules=RULES)
    assert shut.arrays["drop"].tolist() == [False, False]


# --- replay ---------------------------------------------------------------------------------------


def test_the_replay_adds_up():
    found = plan.replayed(made(), RULES, seed=1)
    assert found is not None
    for side in (found, found["baseline"]):
        assert side["total_cost"] == pytest.approx(
            side["holding_cost"] + side["lost_margin"] + side["ordering_cost"], abs=0.02
        )
        assert 0 <= side["fill_rate"] <= 1
    assert found["weeks"] == 26
    assert found["until"] == AS_OF.isoformat()
    assert found["fill_rate"] > 0.85
    assert plan.replayed(made(), RULES, seed=1) == found


def test_the_classes_of_the_replay_add_up_to_it():
    found = plan.replayed(made(), RULES, seed=1)
    assert [one["abc"] for one in found["classes"]] == ["A", "B", "C"]
    assert [one["promised"] for one in found["classes"]] == list(RULES.fill_floors)
    for whole, parts in (
        (found, found["classes"]),
        (found["baseline"], [one["baseline"] for one in found["classes"]]),
    ):
        for name in ("average_inventory", "total_cost", "holding_cost", "lost_margin", "ordering_cost", "order_lines"):
            assert sum(one[name] for one in parts) == pytest.approx(whole[name], abs=0.03), name
    for name in ("variants", "units"):
        assert sum(one[name] for one in found["classes"]) == pytest.approx(found[name], abs=0.2)
    served = sum(one["fill_rate"] * one["units"] for one in found["classes"]) / found["units"]
    assert served == pytest.approx(found["fill_rate"], abs=1e-3), "at one price a unit weighs what it is worth"


def test_the_replay_does_not_see_what_comes_after_a_decision():
    """Levels decided on a day are the same whether or not the rest of the history is there."""
    p = made()
    days = window(p.history.days)
    world, _ = make_world(p.history, p.terms, RULES, days=days, goods=(p.pack, p.minimum), seed=1)
    known = world.h.until(days.start)
    cut = plan.make(
        sales().filter(pl.col("day") < p.history.first_day + timedelta(days=days.start)),
        stock(IDS),
        products(IDS),
        as_of=p.history.first_day + timedelta(days=days.start - 1),
        rules=RULES,
    )
    here = replay._levels(world, known)
    terms = world.terms
    there = replay._levels(
        World(cut.history, world.daily, terms, p.pack, p.minimum, RULES, days, world.lead, world.stock),
        cut.history,
    )
    assert np.array_equal(here[0], there[0])
    assert np.array_equal(here[1], there[1])


def test_the_replay_does_not_know_of_a_weekday_that_opens_later():
    start = window(420).start
    sunday = (np.arange(420) + (AS_OF - timedelta(days=419)).weekday()) % 7 == 6
    units = {v: demand(420, 4.0, seed=i) + 1 for i, v in enumerate(IDS)}
    shut = {v: np.where(sunday & (np.arange(420) < start), 0, u) for v, u in units.items()}
    p = plan.make(lines(shut), stock(IDS), products(IDS), as_of=AS_OF, rules=RULES)
    world, _ = make_world(p.history, p.terms, RULES, days=window(420), goods=(p.pack, p.minimum), seed=1)
    open_before = np.diff(world.h.shop_open)[:start]
    assert open_before.tolist() == (~sunday[:start]).astype(float).tolist()
    assert np.diff(p.history.shop_open)[:start].sum() == start  # with all that is known today, Sunday is no closed day


def test_the_cheapest_rule_that_serves_as_much_stands_beside():
    found = plan.replayed(made(), RULES, seed=1)
    same = found["same_service"]
    assert same is None or same["fill_rate"] >= found["fill_rate"]
    assert same is None or same["total_cost"] >= found["baseline"]["total_cost"]
    world, _ = make_world(
        made().history, made().terms, RULES, days=window(420), goods=(made().pack, made().minimum), seed=1
    )
    assert replay._rules_of_thumb(world, served=0.0)[0]["same_service"] == found["baseline"]
    assert replay._rules_of_thumb(world, served=1.1)[0]["same_service"] is None


def test_a_decision_is_given_the_days_before_it_and_no_more():
    """What a policy sees on a day does not change with what is sold from that day on."""
    p = made()
    days = window(p.history.days)
    turn = days.scored + 70

    def seen(after: float) -> list[tuple[int, float]]:
        daily = np.diff(p.history.units, axis=1)
        daily[:, turn:] *= after
        units = np.concatenate([np.zeros((len(daily), 1)), np.cumsum(daily, axis=1)], axis=1)
        h = dataclasses.replace(p.history, units=units)
        world, _ = make_world(h, p.terms, RULES, days=days, goods=(p.pack, p.minimum), seed=1)
        found = []

        def decide(known):
            found.append((known.days, round(float(known.units.sum()), 6)))
            return replay._levels(world, known)

        simulate(world, decide)
        return found

    base, other = seen(1.0), seen(5.0)
    assert [day for day, _ in base] == list(range(days.start, days.end, 7))
    assert [x for x in base if x[0] <= turn] == [x for x in other if x[0] <= turn]
    assert base[-1] != other[-1]


def test_a_shop_that_could_foresee_would_lose_nothing():
    """The walk itself: levels above any demand serve every unit, levels of nothing only the first stock."""
    p = made()
    days = window(p.history.days)
    world, _ = make_world(p.history, p.terms, RULES, days=days, goods=(p.pack, p.minimum), seed=1)
    n = len(world.stock)
    plenty = replay._figures(simulate(world, lambda known: (np.full(n, 5e3), np.full(n, 6e3))), world)
    nothing = replay._figures(simulate(world, lambda known: (np.zeros(n), np.zeros(n))), world)
    assert plenty["fill_rate"] == 1.0
    assert plenty["lost_margin"] == 0
    assert nothing["order_lines"] == 0
    assert nothing["fill_rate"] < 0.2


@pytest.mark.parametrize("days", [1, 40, 97])
def test_no_replay_without_14_weeks(days):
    units = {"v": np.ones(days)}
    found = plan.make(lines(units), stock(["v"]), products(["v"]), as_of=AS_OF, rules=RULES)
    assert plan.replayed(found, RULES, seed=1) is None


# --- beside the shop's own shelves -----------------------------------------------------------------


def test_the_replay_stands_beside_what_the_shelves_really_held():
    """Of one shop: `full` always had ten, `half` was there every second week of the scored ones."""
    ids = ["full", "half"]
    units = {v: np.ones(420) for v in ids}
    units["half"][-182:] = np.tile(np.r_[np.ones(7), np.zeros(7)], 13)
    rows = []
    first = AS_OF - timedelta(days=419)
    for v in ids:
        rows.append((v, first, 6, 10.0 if v == "full" else 7.0))
        for t in np.flatnonzero(units[v]):
            day = first + timedelta(days=int(t))
            rows.append((v, day, 12, -1.0))
            if v == "full" or t < 238:
                rows.append((v, day, 20, 1.0))
        if v == "half":
            for t in range(251, 420, 14):
                rows.append((v, first + timedelta(days=t), 23, 7.0))
    history = pl.DataFrame(
        {
            "variant_id": [v for v, *_ in rows],
            "at": [datetime(d.year, d.month, d.day, hour, tzinfo=UTC) for _, d, hour, _ in rows],
            "day": [d for _, d, _, _ in rows],
            "units": [u for *_, u in rows],
            "kind": ["x"] * len(rows),
        },
        schema=frames.STOCK_HISTORY,
    )
    net = history.group_by("variant_id").agg(pl.col("units").sum()).sort("variant_id")
    shelf = stock(ids, on_hand=net["units"].to_list())
    found = plan.make(
        lines(units), shelf, products(ids), as_of=AS_OF, rules=RULES, records=plan.Records(stock_history=history)
    )
    assert found.facts["shelf_used"], found.facts
    own = plan.replayed(found, RULES, seed=1)["own_history"]
    assert own["variants"] == 2
    assert own["shop"]["available"] == pytest.approx(
        (1 + 8 / 14) / 2, abs=1e-3
    )  # the night of the delivery counts as there
    assert own["shop"]["average_inventory"] == pytest.approx(5 * (10 + 2), rel=0.1)
    assert own["policy"]["available"] > 0.95
    assert plan.replayed(made(), RULES, seed=1)["own_history"] is None
    for gone in ({"active": [True, False]}, {"season_end": [None, AS_OF]}):  # not sold any more: no fault of the shelf
        fewer = stock(ids, on_hand=net["units"].to_list(), **gone)
        records = plan.Records(stock_history=history)
        again = plan.make(lines(units), fewer, products(ids), as_of=AS_OF, rules=RULES, records=records)
        alone = plan.replayed(again, RULES, seed=1)["own_history"]
        assert alone["variants"] == 1
        assert alone["shop"]["available"] == 1.0
