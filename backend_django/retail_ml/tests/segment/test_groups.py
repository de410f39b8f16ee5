"""Names: obvious customers, guards, few customers, and other numbers of clusters."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from retail_ml.segment.features import FEATURES, features, visits
from retail_ml.segment.groups import group
from retail_ml.segment.guards import RULES, apply_guards
from retail_ml.segment.naming import (
    ARCHETYPES,
    AT_RISK,
    FREQUENT,
    INACTIVE,
    NAMES,
    NEW,
    OCCASIONAL,
    VIP,
    name_clusters,
    starting_points,
)
from retail_ml.segment.space import Space, logs, quintiles
from retail_ml.tests.segment.shops import AS_OF, Sale, lines, obvious


def known(sales: list[Sale]) -> tuple[pl.DataFrame, list[str]]:
    """Features and ids of a shop."""
    seen = visits(lines(sales), AS_OF)
    found = features(seen, AS_OF)
    return found, seen.ids.gather(found["row"]).to_list()


def named(sales: list[Sale], k: int = 6) -> dict[str, str]:
    """Segment by customer."""
    found, ids = known(sales)
    return dict(zip(ids, (NAMES[i] for i in group(found, k).segment), strict=True))


@pytest.mark.parametrize("each", [1, 4, 20])
def test_obvious_customers_get_their_names(each):
    """Rules (6 customers), places (24) and clusters (120) agree on them."""
    wrong = {who: name for who, name in named(obvious(each)).items() if who.rstrip("0123456789") != name}
    assert not wrong


@pytest.mark.parametrize("k", range(2, 13))
def test_any_number_of_clusters_shares_the_six_names(k):
    found, _ = known(obvious())
    groups = group(found, k)
    assert groups.method == "kmeans"
    assert len(groups.cluster_names) == k
    assert groups.frozen is not None
    assert groups.frozen.centres.shape == (k, 4)
    distinct = len(set(groups.cluster_names.tolist()))
    assert distinct == min(k, 6)
    assert ((groups.confidence >= 0) & (groups.confidence <= 1)).all()
    assert len(np.unique(groups.confidence)) > 10
    assert starting_points(k).shape == (k, 4)


def test_clusters_are_named_by_their_members_not_by_their_number():
    for turn in range(6):
        order = np.roll(np.arange(6), turn)
        given = name_clusters(np.arange(6, dtype=np.int8), ARCHETYPES[order], 6)
        assert given.of_cluster.tolist() == order.tolist()
        assert not given.far.any()


def test_a_cluster_far_from_every_name_left_is_said_to_be():
    """Six clusters of equal, best customers: names are unique, so most do not fit."""
    given = name_clusters(np.arange(6, dtype=np.int8), np.repeat(ARCHETYPES[:1], 6, axis=0), 6)
    assert sorted(given.of_cluster.tolist()) == [0, 1, 2, 3, 4, 5]
    assert given.far[given.of_cluster == INACTIVE].all()
    assert not given.far[given.of_cluster == VIP].any()


def person(**values: float | None) -> pl.DataFrame:
    """Features of one customer."""
    base = {"row": 0, "recency_days": 20, "tenure_days": 300, "orders": 5, "visits": 5, "spent": 100.0,
            "avg_order_value": 20.0, "monthly": 0.5, "interval_days": 30.0, "overdue": 0.7}  # fmt: skip
    return pl.DataFrame([{**base, **values}], schema=FEATURES)


@pytest.mark.parametrize(
    ("before", "values", "after", "rule"),
    [
        (AT_RISK, {"overdue": 1.99}, FREQUENT, "not_overdue"),
        (AT_RISK, {"overdue": 2.0}, AT_RISK, ""),
        (VIP, {"overdue": 4.1, "recency_days": 61}, AT_RISK, "overdue"),
        (VIP, {"overdue": 4.1, "recency_days": 60}, VIP, ""),
        (FREQUENT, {"overdue": 4.0, "recency_days": 61}, FREQUENT, ""),
        (VIP, {"visits": 2}, OCCASIONAL, "too_few_orders"),
        (VIP, {"visits": 3}, VIP, ""),
        (AT_RISK, {"visits": 2, "overdue": 1.0}, OCCASIONAL, "too_few_orders"),
        (NEW, {"tenure_days": 61, "visits": 2}, OCCASIONAL, "joined_long_ago"),
        (NEW, {"tenure_days": 60, "visits": 2}, NEW, ""),
        (NEW, {"tenure_days": 60, "visits": 3}, OCCASIONAL, "joined_long_ago"),
        (VIP, {"tenure_days": 60, "visits": 2}, NEW, "joined_lately"),
        (OCCASIONAL, {"visits": 1, "recency_days": 366, "interval_days": None, "overdue": None}, INACTIVE,
         "once_long_ago"),
        (OCCASIONAL, {"visits": 1, "recency_days": 365, "interval_days": None, "overdue": None}, OCCASIONAL, ""),
    ],
)  # fmt: skip
def test_guards(before, values, after, rule):
    name, why = apply_guards(np.array([before], dtype=np.int8), person(**values))
    assert (NAMES[name[0]], RULES[why[0]]) == (NAMES[after], rule)


def test_one_wholesale_buyer_among_people_who_came_once():
    sales: list[Sale] = [("whale", 1 + j, 300.0) for j in range(500)]
    sales += [(f"once{i:03}", 20 + 3 * i, 20.0 + i % 7) for i in range(200)]
    found = named(sales)
    assert found["whale"] == "vip"
    assert [who for who, name in found.items() if name == "vip"] == ["whale"]


def test_identical_customers_are_explained_not_clustered():
    found, _ = known([(f"c{i}", 40, 10.0) for i in range(50)])
    groups = group(found)
    assert groups.method == "ranks"
    assert groups.reason
    assert groups.reason["code"] == "segment.method_alike"
    assert {NAMES[i] for i in groups.segment} == {"new"}  # all came first 40 days ago
    assert np.isfinite(groups.confidence).all()


@pytest.mark.parametrize(
    ("customers", "method"), [(1, "rules"), (9, "rules"), (10, "ranks"), (29, "ranks"), (30, "kmeans")]
)
def test_few_customers_get_what_their_number_allows(customers, method):
    found, _ = known([(f"c{i}", 10 + 17 * i + 40 * j, 10.0 + i) for i in range(customers) for j in range(1 + i % 4)])
    groups = group(found)
    assert groups.method == method
    assert (groups.reason is None) == (method == "kmeans")
    if method != "kmeans":
        assert groups.confidence.max() <= customers / 30


def test_all_one_time_buyers():
    found = named([(f"c{i:02}", 5 + 9 * i, 10.0 + i % 11) for i in range(80)])
    assert "vip" not in found.values()
    assert "frequent" not in found.values()
    assert found["c00"] == "new"
    assert found["c79"] == "inactive"


def test_the_space_is_frozen_and_clips():
    found, _ = known(obvious())
    raw = logs(found)
    space = Space.fit(raw)
    np.testing.assert_array_equal(space.place(raw[:3]), space.place(raw)[:3])
    assert np.abs(space.place(raw * 100)).max() == np.abs(space.place(raw * 1000)).max()
    np.testing.assert_allclose(space.place(raw).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(space.place(raw).std(axis=0), [1, 1, 1, 0.5], atol=1e-12)


@pytest.mark.parametrize("odd", [0.0, 9.0])
def test_clipping_does_not_erase_the_one_who_differs(odd):
    raw = np.full((300, 4), 3.0)
    raw[7] = odd
    points = Space.fit(raw).place(raw)
    assert np.abs(points[7, 0]) > 10
    assert np.sign(points[7, 0]) == np.sign(odd - 3)


def test_quintiles_split_a_hundred_evenly_and_ties_alike():
    assert np.bincount(quintiles(np.arange(100.0))).tolist() == [0, 20, 20, 20, 20, 20]
    assert quintiles(np.full(7, 2.0)).tolist() == [3] * 7
    assert quintiles(np.array([5.0])).tolist() == [3]
