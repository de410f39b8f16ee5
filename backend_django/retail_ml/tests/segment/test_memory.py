"""From one training to the next: the map stays, names stay, and who did nothing moves only for a reason."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from retail_ml.segment import DRIVERS, NAMES, Memory, Segmentation, segment_customers
from retail_ml.segment.changes import CHANGES, compare
from retail_ml.segment.clusters import HYSTERESIS, hold, margins
from retail_ml.segment.naming import AT_RISK, FREQUENT, NEW, VIP, name_clusters
from retail_ml.segment.review import QUARTER, distribution, judge, shares_in, stability_index
from retail_ml.tests.segment.shops import AS_OF, Sale, busy, lines, obvious

WEEK = timedelta(days=7)


def after(found: Segmentation) -> Memory:
    """What a training leaves."""
    return Memory(found.as_of, found.customers, found.groups.frozen, found.drawn)


def shop(customers: int = 200) -> pl.DataFrame:
    """A busy shop's lines; its orders go up to AS_OF."""
    return lines(busy(customers))


def test_the_stability_index_of_a_worked_example():
    """Siddiqi's sum, by hand: (.3 - .2) ln(.3 / .2) + (.5 - .5) ln 1 + (.2 - .3) ln(.2 / .3)."""
    by_hand = 0.1 * math.log(1.5) - 0.1 * math.log(2 / 3)
    found = stability_index(np.array([[0.2, 0.5, 0.3]]), np.array([[0.3, 0.5, 0.2]]))
    assert found[0] == pytest.approx(by_hand, abs=1e-12)
    assert by_hand == pytest.approx(0.0811, abs=1e-4)


def test_the_same_customers_are_no_drift_and_others_are():
    raw = np.random.default_rng(1).normal(size=(1_000, 4))
    edges, shares = distribution(raw)
    assert edges.shape == (4, 9)
    np.testing.assert_allclose(shares, 0.1, atol=1e-9)
    np.testing.assert_allclose(stability_index(shares, shares_in(raw, edges)), 0, atol=1e-12)
    moved = stability_index(shares, shares_in(raw + np.eye(4)[0], edges))
    assert moved[0] > 0.5
    np.testing.assert_allclose(moved[1:], 0, atol=1e-12)


def test_when_the_map_is_drawn_anew():
    found = segment_customers(shop(), AS_OF)
    frozen = found.groups.frozen
    assert frozen is not None
    raw = np.random.default_rng(2).normal(size=(600, 4))
    edges, shares = distribution(raw)
    frozen = replace(frozen, edges=edges, shares=shares)

    def code(raw: np.ndarray, k: int = 6, days: int = 7) -> tuple[str, bool, bool]:
        verdict = judge(frozen, raw, k, drawn=AS_OF, as_of=AS_OF + timedelta(days=days))
        return verdict.reason["code"], verdict.anew, verdict.warm

    assert judge(None, raw, 6, drawn=None, as_of=AS_OF).reason["code"] == "segment.map_first"
    assert code(raw) == ("segment.map_kept", False, True)
    assert code(raw, days=QUARTER - 1) == ("segment.map_kept", False, True)
    assert code(raw, days=QUARTER) == ("segment.map_quarter", True, True)
    assert code(raw, k=5) == ("segment.map_clusters", True, False)
    assert code(raw, days=-1) == ("segment.map_earlier", True, False)
    assert code(raw + np.eye(4)[0]) == ("segment.map_drift", True, True)
    assert code(raw + np.eye(4)[3]) == ("segment.map_kept", False, True)  # everybody only grew older


def test_hysteresis_holds_up_to_a_tenth_and_only_who_did_nothing():
    gap = np.array([[0.91, 1.0], [0.89, 1.0], [0.91, 1.0], [1.0, 0.5]])
    names, nearest = np.array([VIP, FREQUENT], np.int8), gap.argmin(axis=1).astype(np.int8)
    kept = np.array([FREQUENT, FREQUENT, -1, FREQUENT], np.int8)
    cluster, held = hold(gap, names, nearest, kept)
    assert HYSTERESIS == 0.1
    assert cluster.tolist() == [1, 0, 0, 1]
    assert held.tolist() == [True, False, False, False]
    sure, rival = margins(gap, names, cluster)
    np.testing.assert_allclose(sure, [0, 0.11, 0.09, 0.5])  # held: nearer to the other, so not sure at all
    assert rival.tolist() == [0, 1, 1, 0]


def test_names_stay_while_they_fit_and_go_when_they_do_not():
    from retail_ml.segment.naming import ARCHETYPES

    labels, kept = np.arange(6, dtype=np.int8), np.array([1, 0, 2, 3, 4, 5], np.int8)
    assert name_clusters(labels, ARCHETYPES, 6).of_cluster.tolist() == [0, 1, 2, 3, 4, 5]
    assert (
        name_clusters(labels, ARCHETYPES, 6, kept=kept).of_cluster.tolist() == kept.tolist()
    )  # VIP and frequent: near
    swapped = np.array([5, 1, 2, 3, 4, 0], np.int8)  # the best called inactive: never
    assert name_clusters(labels, ARCHETYPES, 6, kept=swapped).of_cluster.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def weeks() -> list[Segmentation]:
    """Four trainings a week apart, each remembering the one before."""
    all_lines, found = shop(), []
    for ago in (3, 2, 1, 0):
        memory = after(found[-1]) if found else None
        found.append(segment_customers(all_lines, AS_OF - ago * WEEK, memory=memory))
    return found


def test_between_reviews_the_map_does_not_move(weeks: list[Segmentation]):
    maps = [one.groups.frozen for one in weeks]
    assert all(one is not None for one in maps)
    kept = [one for one in weeks[1:] if not one.metrics["map"]["anew"]]
    assert kept
    for before, now in itertools.pairwise(weeks):
        if not now.metrics["map"]["anew"]:
            assert now.groups.frozen is before.groups.frozen
            assert now.drawn == before.drawn


def test_the_memory_of_a_training_is_all_it_takes(weeks: list[Segmentation]):
    """Any order of the rows, and a second time: the same, changes and all."""
    shuffled = shop().sample(fraction=1, shuffle=True, seed=5)
    again = segment_customers(shuffled, AS_OF, memory=after(weeks[2]))
    assert_frame_equal(again.customers, weeks[3].customers, check_exact=True)
    assert again.changes is not None
    assert weeks[3].changes is not None
    assert_frame_equal(again.changes, weeks[3].changes, check_exact=True)
    assert again.metrics == weeks[3].metrics


def test_training_twice_on_one_day_changes_nothing(weeks: list[Segmentation]):
    again = segment_customers(shop(), AS_OF, memory=after(weeks[3]))
    assert again.changes is not None
    assert again.changes.is_empty()
    assert again.customers["segment"].equals(weeks[3].customers["segment"])


def test_changes_lead_from_one_training_to_the_next(weeks: list[Segmentation]):
    for before, now in itertools.pairwise(weeks):
        changes = now.changes
        assert changes is not None
        assert changes.schema == pl.Schema(CHANGES)
        state = dict(before.customers.select("customer_id", "segment").rows())
        for row in changes.iter_rows(named=True):
            assert state.get(row["customer_id"], -1) == row["before"] != row["after"]
            state[row["customer_id"]] = row["after"]
        assert state == dict(now.customers.select("customer_id", "segment").rows())
    last = {r["customer_id"]: r for r in weeks[3].customers.iter_rows(named=True)}
    for row in weeks[3].changes.filter(pl.col("before") >= 0).iter_rows(named=True):  # type: ignore[union-attr]
        assert last[row["customer_id"]]["previous"] == row["before"]
        assert last[row["customer_id"]]["changed_on"] == AS_OF


def test_the_last_change_is_remembered_over_quiet_trainings(weeks: list[Segmentation]):
    moved = weeks[1].changes
    assert moved is not None
    early = moved.filter(pl.col("before") >= 0)["customer_id"].to_list()
    later = {i for one in weeks[2:] for i in one.changes["customer_id"]}  # type: ignore[index]
    quiet = [i for i in early if i not in later]
    assert quiet
    rows = weeks[3].customers.filter(pl.col("customer_id").is_in(quiet))
    assert set(rows["changed_on"]) == {AS_OF - 2 * WEEK}
    assert rows["previous"].null_count() == 0


def test_who_did_nothing_seldom_moves(weeks: list[Segmentation]):
    """All the same customers, grouped cold each week, move more often than with a memory."""
    cold = [segment_customers(shop(), one.as_of) for one in weeks]

    def moved(found: list[Segmentation]) -> int:
        total = 0
        for before, now in itertools.pairwise(found):
            both = before.customers.join(now.customers, on="customer_id", suffix="_now")
            still = both.filter(pl.col("visits") == pl.col("visits_now"))
            total += still.filter(pl.col("segment") != pl.col("segment_now")).height
        return total

    assert moved(weeks) < moved(cold)


def row(who: str, segment: int, **values: float) -> dict[str, object]:
    """One customer, enough of `RESULT` for `compare`."""
    base = {"customer_id": who, "segment": segment, "recency_days": 40, "visits": 4, "spent": 100.0, "value_12": 50.0}
    return {**base, **values}


def test_what_drove_a_change():
    then, now = AS_OF - WEEK, AS_OF
    schema = {"customer_id": pl.String, "segment": pl.Int8, "recency_days": pl.Int32, "visits": pl.Int32,
              "spent": pl.Float64, "value_12": pl.Float64}  # fmt: skip
    before = pl.DataFrame(
        [row("again", FREQUENT), row("back", VIP), row("gone", VIP), row("old", NEW), row("quiet", FREQUENT),
         row("same", VIP), row("map", FREQUENT)], schema=schema,
    )  # fmt: skip
    after = pl.DataFrame(
        [row("again", VIP, recency_days=2, visits=5), row("back", FREQUENT, recency_days=47, spent=10.0),
         row("born", NEW, visits=1), row("map", AT_RISK, recency_days=47), row("old", AT_RISK, recency_days=47),
         row("quiet", AT_RISK, recency_days=47), row("same", VIP)], schema=schema,
    )  # fmt: skip
    on_old_map = after["segment"].to_numpy().copy()
    on_old_map[3] = FREQUENT
    found = compare(before, after, then=then, as_of=now, on_old_map=on_old_map)
    told = {r["customer_id"]: DRIVERS[r["driver"]] for r in found.iter_rows(named=True)}
    assert told == {"again": "ordered", "back": "returned", "born": "first_order", "gone": "left", "map": "review",
                    "old": "no_longer_new", "quiet": "silence"}  # fmt: skip
    assert found.filter(pl.col("customer_id") == "born")["before"].to_list() == [-1]
    assert found.filter(pl.col("customer_id") == "gone")["after"].to_list() == [-1]


def test_a_long_gap_is_a_review_from_the_old_map():
    """Half a year without a training: names stay, and who came back is told from who did not."""
    sales = [*obvious(), *[("occasional03", -170 + 10 * i, 80.0) for i in range(8)]]
    first = segment_customers(lines(sales), AS_OF)
    later = segment_customers(lines(sales), AS_OF + timedelta(days=180), memory=after(first))
    assert later.metrics["map"]["reason"]["code"] in ("segment.map_quarter", "segment.map_drift")
    changes = {r["customer_id"]: r for r in later.changes.iter_rows(named=True)}  # type: ignore[union-attr]
    assert DRIVERS[changes["occasional03"]["driver"]] == "ordered"
    now = dict(later.customers.select("customer_id", "segment").rows())
    assert NAMES[now["new03"]] != "new"
    assert NAMES[now["vip03"]] in ("at_risk", "inactive")


def test_a_memory_of_a_later_day_is_not_followed():
    """Data that ends earlier than what was trained on: an import was undone, or an old file put back."""
    found = segment_customers(shop(), AS_OF - 4 * WEEK, memory=after(segment_customers(shop(), AS_OF)))
    assert found.changes is None
    assert found.metrics["map"]["reason"]["code"] == "segment.map_earlier"
    assert found.metrics["map"]["held"] == 0
    assert_frame_equal(found.customers, segment_customers(shop(), AS_OF - 4 * WEEK).customers, check_exact=True)


def test_from_few_customers_to_many_and_back():
    few: list[Sale] = [(f"c{i}", 11 * i + 40 * j, 10.0 + i) for i in range(12) for j in range(1 + i % 3)]
    one = segment_customers(lines(few), AS_OF)
    assert one.groups.frozen is None
    many = segment_customers(lines([*few, *obvious()]), AS_OF, memory=after(one))
    assert many.groups.method == "kmeans"
    assert many.changes is not None
    back = segment_customers(lines(few), AS_OF, memory=after(many))
    assert back.groups.method == "ranks"
    assert back.changes is not None
    assert (back.changes["after"] == -1).sum() == 120
    json_ready = back.metrics["map"]
    assert date.fromisoformat(json_ready["drawn"]) == AS_OF


@pytest.mark.parametrize("k", [2, 4, 9, 12])
def test_another_number_of_clusters_says_how_the_names_are_shared(k):
    first = segment_customers(lines(obvious()), AS_OF)
    found = segment_customers(lines(obvious()), AS_OF, n_clusters=k, memory=after(first))
    told = found.metrics["map"]
    assert told["reason"] == {"code": "segment.map_clusters", "params": {"before": 6, "now": k}}
    assert sorted(c for clusters in told["names"].values() for c in clusters) == list(range(k))
    codes = {one["code"] for one in told["merged"]}
    assert codes == ({"segment.names_missing"} if k < 6 else {"segment.names_shared"})


def test_the_two_axes_that_decided_are_those_with_the_greatest_say():
    found = segment_customers(lines(obvious()), AS_OF)
    groups = found.groups
    assert groups.frozen is not None
    centres = groups.frozen.centres
    for i in range(0, 120, 7):
        if groups.rival[i] < 0:
            continue
        rivals = np.flatnonzero(groups.frozen.names == groups.rival[i])
        point = groups.points[i]
        rival = min(rivals, key=lambda c: ((point - centres[c]) ** 2).sum())
        say = (point - centres[rival]) ** 2 - (point - centres[groups.cluster[i]]) ** 2
        assert groups.axes[i, 0] == say.argmax()
        own, other = (math.dist(point, centres[c]) for c in (groups.cluster[i], rival))
        assert groups.confidence[i] == pytest.approx(1 - own / other)
