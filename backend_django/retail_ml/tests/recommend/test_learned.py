"""The second stage: what it keeps to, that it is served only where it wins, and that arrays carry it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from retail_ml.recommend import evaluation, learned, learning, scorers, tuning
from retail_ml.recommend.base import Batch, Query
from retail_ml.recommend.crowd import Crowd, habits_of
from retail_ml.recommend.data import Sales
from retail_ml.recommend.features import NAMES, candidates
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.learned import Learned
from retail_ml.recommend.learning import learn
from retail_ml.recommend.models import PersonalBlend
from retail_ml.recommend.scorers import SCORERS, LightTrees, Logistic, PlainTrees
from retail_ml.recommend.selection import RUNGS, SURFACE
from retail_ml.recommend.tables import Tables
from retail_ml.recommend.weights import Weights
from retail_ml.tests.recommend.small import AS_OF, catalogue, order_lines

PRODUCTS = [f"p{i:02}" for i in range(40)]


def lines_of(seed: int = 4, customers: int = 40, days: int = 200) -> pl.DataFrame:
    """Each customer buys his own consumable every 20 days, and something of his half of the range with it."""
    rng = np.random.default_rng(seed)
    baskets, when, whose = {}, {}, {}
    for customer in range(customers):
        half = customer % 2
        for visit, day in enumerate(range(int(rng.integers(20)), days, 20)):
            order = f"{customer:02}-{visit:02}"
            other = PRODUCTS[10 + half * 15 : 25 + half * 15]
            baskets[order] = [PRODUCTS[customer % 10], *rng.choice(other, size=2, replace=False)]
            when[order], whose[order] = AS_OF - timedelta(days=days - 1 - day), f"c{customer:02}"
    return order_lines(baskets, days=when, customers=whose)


@pytest.fixture(scope="module", autouse=True)
def _small_thresholds():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learned, "FEWEST_CUSTOMERS", 20)
        patch.setattr(learned, "FEWEST_BOUGHT", 20)
        patch.setattr(scorers, "TREES", 20)
        yield


@pytest.fixture(scope="module")
def sales() -> Sales:
    return Sales.of(lines_of(), catalogue(PRODUCTS), as_of=AS_OF)


@pytest.fixture(scope="module")
def model(sales) -> Learned:
    fitted = Learned().fit(sales)
    assert set(fitted.tables_.second.scorers) == {"all", "novel"}
    return fitted


def history(sales: Sales, customer: str = "c03") -> pl.DataFrame:
    return lines_of().filter(pl.col("customer_id") == customer).select("order_id", "product_id", "day")


@pytest.mark.parametrize("mode", ["all", "novel", "repeat"])
def test_it_keeps_to_the_contract_of_every_model(model, sales, mode):
    query, allowed = Query(history=history(sales), mode=mode), set(PRODUCTS[::2])
    found = model.recommend(query, k=99, allowed=allowed)
    products, bought = found["product_id"].to_list(), set(query.history["product_id"])
    assert len(products) == len(set(products))
    assert set(products) <= allowed
    assert set(products) == (allowed if mode == "all" else allowed - bought if mode == "novel" else allowed & bought)
    assert found["score"].is_between(0, 1).all()
    assert found["score"].is_sorted(descending=True)
    assert_frame_equal(model.recommend(query, k=2, allowed=allowed), found.head(2))
    least = model.recommend(query, k=1, allowed={products[-1]})
    assert least["product_id"].to_list() == [products[-1]]  # filtered before it is ranked


def test_fitting_twice_and_row_order_change_nothing(model, sales):
    mixed = Sales.of(lines_of().sample(fraction=1, shuffle=True, seed=1), catalogue(PRODUCTS).reverse(), as_of=AS_OF)
    again = Learned().fit(mixed)
    for mode in ("all", "novel"):
        query = Query(history=history(sales), mode=mode)
        assert_frame_equal(again.recommend(query, k=50), model.recommend(query, k=50))


def test_arrays_carry_the_second_stage(model, sales):
    meta, arrays = model.tables_.to_arrays()
    assert all(array.dtype != object for array in arrays.values())
    other = Learned().attach(Tables.from_arrays(meta, arrays))
    for mode in ("all", "novel", "repeat"):
        query = Query(history=history(sales), mode=mode)
        assert_frame_equal(other.recommend(query, k=50), model.recommend(query, k=50))


def test_without_its_library_the_linear_stage_serves(model, sales, monkeypatch):
    meta, arrays = model.tables_.to_arrays()
    monkeypatch.setattr("retail_ml.recommend.second_stage.lightgbm_here", lambda: False)
    bare = Tables.from_arrays(meta, arrays)
    assert set(bare.second.scorers) == {"novel"}
    query = Query(history=history(sales))
    expected = PersonalBlend().attach(bare).recommend(query)
    assert_frame_equal(Learned().attach(bare).recommend(query), expected)


def test_without_lightgbm_scikit_learn_does_it(sales, monkeypatch):
    monkeypatch.setattr(scorers, "lightgbm_here", lambda: False)
    fitted = Learned().fit(sales)
    assert isinstance(fitted.tables_.second.scorers["all"], PlainTrees)
    assert len(fitted.recommend(Query(history=history(sales)))) == 10


def test_it_puts_what_is_due_first(model, sales):
    """The consumable is bought every time, the rest is drawn at random."""
    batch = Batch.of_customers(Histories.of(sales, np.arange(30)), mask=np.ones(40, bool))
    first = [int(rows[0]) for rows, _ in model.top_many(batch, k=1)]
    assert np.mean([row == customer % 10 for customer, row in enumerate(first)]) > 0.9


# --- scorers --------------------------------------------------------------------------------------


def rows_and_labels(seed: int = 0, rows: int = 900) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4)).astype(np.float32)
    return X, X[:, 0] + 0.5 * X[:, 1] ** 2 + 0.3 * rng.normal(size=rows) > 0.8


@pytest.mark.parametrize("kind", SCORERS.values(), ids=SCORERS)
def test_every_scorer_learns_repeats_itself_and_is_carried_by_arrays(kind):
    X, y = rows_and_labels()
    scorer = kind.learn(X, y, seed=1)
    p = scorer.probability(X)
    assert p[y].mean() > p[~y].mean() + 0.25
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_array_equal(kind.learn(X, y, seed=1).probability(X), p)
    arrays = scorer.to_arrays()
    assert all(array.dtype != object for array in arrays.values())
    np.testing.assert_allclose(kind.from_arrays(arrays).probability(X), p, rtol=1e-12)
    assert kind.from_arrays(arrays).probability(X[:0]).shape == (0,)


def test_trees_learn_from_all_that_was_bought_and_some_of_the_rest(monkeypatch):
    """Of 1,000 rows 300 are kept: the 60 bought ones, and 240 drawn from everywhere; fewer rows stay as they are."""
    monkeypatch.setattr(scorers, "MOST_ROWS", 300)
    X, y = np.arange(1_000, dtype=np.float32)[:, None], np.arange(1_000) % 17 == 3
    kept, bought = scorers.thinned(X, y, seed=1)
    assert len(kept) == 300
    assert kept[bought].ravel().tolist() == np.flatnonzero(y).tolist()
    assert (np.diff(kept.ravel()) > 0).all()
    assert (np.histogram(kept[~bought], bins=4, range=(0, 1_000))[0] > 40).all()
    assert scorers.thinned(X, y, seed=1)[0].tobytes() == kept.tobytes()
    assert len(scorers.thinned(X[:300], y[:300], seed=1)[0]) == 300
    many = np.arange(1_000) % 2 == 0  # 500 bought: as many others at least
    assert len(scorers.thinned(X, many, seed=1)[0]) == 1_000


def test_trees_of_a_window_are_learnt_from_thinned_rows(monkeypatch):
    """What `scorers_of` hands to the trees; the logistic regression of new products takes every row."""
    seen: dict[str, int] = {}
    monkeypatch.setattr(scorers, "MOST_ROWS", 120)
    for kind in (LightTrees, PlainTrees, Logistic):
        monkeypatch.setattr(kind, "learn", classmethod(lambda cls, X, y, *, seed: seen.setdefault(cls.kind, len(X))))
    y = np.arange(1_000) % 20 == 0
    lesson = learned.Lesson(np.zeros((1_000, 2), np.float32), y, 400)
    learned.scorers_of([learned.Moment(None, None, {"all": lesson, "novel": lesson})], seed=0)
    assert seen == {scorers.trees().kind: 120, "logistic": 1_000}


def test_what_the_trees_sample_costs_is_measured_on_the_test_window(sales, monkeypatch):
    assert learn(sales, seed=2).cost is None, "all rows were learned from"
    monkeypatch.setattr(scorers, "MOST_ROWS", 600)
    taught: list[int] = []
    kind = scorers.trees()
    real = kind.learn.__func__
    monkeypatch.setattr(
        kind, "learn", classmethod(lambda cls, X, y, *, seed: taught.append(len(X)) or real(cls, X, y, seed=seed))
    )
    learnt = learn(sales, seed=2)
    cost, test = learnt.cost, learnt.choice.test.measures["customer"]
    assert taught[:2] == [cost.rows, cost.rows // 2]
    assert cost.rows < cost.drawn_from
    assert (cost.whole, cost.baseline) == (test["learned"], test["popularity"])
    assert cost.half.cases == cost.whole.cases
    assert cost.half != cost.whole


def test_what_a_sample_of_the_people_costs_is_measured_on_the_test_window(sales):
    """What serves, from half of the people, asked what was asked of the whole."""
    assert learn(sales, seed=2).people is None, "all people were learned from"
    learnt = learn(replace(sales, share=0.5), seed=2)
    cost, test = learnt.people, learnt.choice.test
    assert cost.share == 0.5
    assert {"customer", "basket"} <= set(cost.surfaces) <= set(RUNGS)
    for name, (whole, half, baseline) in cost.surfaces.items():
        serves = learnt.choice.surfaces[name].method
        assert (whole, baseline) == (test.measures[name][serves], test.measures[name]["popularity"])
        assert half.cases == whole.cases
        assert half != whole
    before = sales.before(test.window[0])
    half = before.halved(seed=2)
    people = set(half.customer)
    assert 10 < len(people) < 30
    for customer in people:
        assert (half.customer == customer).sum() == (before.customer == customer).sum()
    assert (half.products, half.matrix.shape[1]) == (before.products, before.matrix.shape[1])


def test_plain_trees_are_those_of_scikit_learn():
    from sklearn.ensemble import HistGradientBoostingClassifier

    X, y = rows_and_labels()
    own = PlainTrees.learn(X, y, seed=3).probability(X)
    theirs = HistGradientBoostingClassifier(
        max_iter=scorers.TREES, learning_rate=scorers.RATE, max_leaf_nodes=scorers.LEAVES,
        min_samples_leaf=scorers.LEAST_ROWS, max_features=0.6, early_stopping=False, random_state=3,
    ).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(own, theirs.predict_proba(X)[:, 1], rtol=1e-9)


def test_logistic_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    X, y = rows_and_labels()
    scaler = StandardScaler().fit(X)
    theirs = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000).fit(scaler.transform(X), y)
    expected = theirs.predict_proba(scaler.transform(X))[:, 1]
    np.testing.assert_allclose(Logistic.learn(X, y, seed=0).probability(X), expected, atol=1e-3)


def test_trees_are_of_lightgbm_where_it_can_be_loaded():
    assert scorers.trees() is (LightTrees if scorers.lightgbm_here() else PlainTrees)


# --- features -------------------------------------------------------------------------------------


def test_features_are_finite_named_and_of_candidates_alone(sales):
    tables = Tables.learn(sales)
    mask = np.arange(40) % 3 > 0
    for mode in ("all", "novel", "repeat"):
        batch = Batch.of_customers(Histories.of(sales), mask=mask, mode=mode)
        found = candidates(tables, Crowd.of(sales), batch)
        assert found.features.shape == (len(found.product), len(NAMES))
        assert np.isfinite(found.features).all()
        assert mask[found.product].all()
        bought = np.asarray(batch.histories.pattern[found.question, found.product]).ravel() > 0
        assert mode == "all" or (bought == (mode == "repeat")).all()


def test_mean_habit_of_the_nearest_by_hand(monkeypatch):
    """Two customers with one habit, one with another: the two nearest of the first are he and his like."""
    monkeypatch.setattr("retail_ml.recommend.crowd.NEAREST", 2)
    lines = order_lines({"1": "ab", "2": "a", "3": "c"}, customers={"1": "x", "2": "y", "3": "z"})
    shop = Sales.of(lines, catalogue("abc"), as_of=AS_OF)
    everybody = Histories.of(shop)
    np.testing.assert_allclose(habits_of(everybody, 30).toarray(), [[1, 1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(Crowd.of(shop).mean(everybody)[0], [1, 0.5, 0])


# --- learning as a whole --------------------------------------------------------------------------


def test_the_second_stage_serves_only_where_it_beats_the_linear_one(sales, monkeypatch):
    for verdict in (True, False):
        monkeypatch.setattr(evaluation, "better", lambda one, other, errors=1, verdict=verdict: verdict)
        found = learn(sales, seed=0)
        methods = {found.choice.surfaces[surface].method for surface in SURFACE.values()}
        assert ("learned" in methods) is verdict
        assert (found.tables.second is not None) is verdict
        assert found.choice.test.measures["customer"]["learned"].cases > 0


def test_learning_twice_is_the_same(sales):
    one, two = (learn(sales, seed=0) for _ in range(2))
    assert one.choice == two.choice
    for (name, left), right in zip(one.tables.to_arrays()[1].items(), two.tables.to_arrays()[1].values(), strict=True):
        np.testing.assert_array_equal(left, right, err_msg=name)


def test_better_means_beyond_the_bootstrap_error():
    rng = np.random.default_rng(0)
    base = rng.random(400)

    def measured(each: np.ndarray) -> evaluation.Measure:
        return evaluation.Measure(400, 0.5, float(each.mean()), 0.5, 0.5, each)

    noise = rng.normal(0, 0.2, 400)
    noise -= noise.mean()
    assert evaluation.better(measured(base + noise + 0.02), measured(base))
    assert not evaluation.better(measured(base + noise + 0.005), measured(base))
    assert not evaluation.better(measured(base), measured(base))


# --- tuning ---------------------------------------------------------------------------------------


def test_half_lives_follow_the_rhythm_of_the_shop():
    assert Weights.for_rhythm(None) == Weights()
    assert Weights.for_rhythm(8).profile_half_life == 60
    assert Weights.for_rhythm(0.001).rhythm == 0.1
    days = {"1": AS_OF - timedelta(days=40), "2": AS_OF - timedelta(days=8), "3": AS_OF - timedelta(days=8), "4": AS_OF}
    histories = Histories.of(
        Sales.of(order_lines(dict.fromkeys(days, "a"), days=days, customers=dict.fromkeys(days, "x")), catalogue("a"),
                 as_of=AS_OF)
    )  # fmt: skip
    assert sorted(histories.gaps.tolist()) == [8, 32]  # two orders on one day are one visit


def shops(values: dict[float, np.ndarray]) -> list:
    """A figure per question of one window, by the value of `repeat`."""
    return [lambda w: values[w.repeat]]


def test_tuning_takes_what_is_better_on_the_other_window_too():
    grid = {"repeat": (2.0, 4.0)}
    rng = np.random.default_rng(1)
    flat, better = np.zeros(200), 0.05 + rng.normal(0, 0.1, 200)
    good = shops({2.0: flat, 4.0: better})
    weights, group = tuning._tune(Weights(), grid, good + good)
    assert (weights.repeat, group["taken"]) == (4.0, True)
    assert group["gain"] == pytest.approx(better.mean(), abs=1e-4)
    lucky = shops({2.0: flat, 4.0: -better})
    weights, group = tuning._tune(Weights(), grid, good + lucky)  # better on one window, worse on the other
    assert (weights.repeat, group["taken"]) == (2.0, False)
    weights, group = tuning._tune(Weights(), grid, good)  # one window alone: no way to know
    assert (weights.repeat, group["taken"]) == (2.0, False)


def test_a_shortlist_measures_as_the_model_does(sales):
    window = evaluation.windows(sales)[-1]
    tables = Tables.learn(sales.before(window[0]))
    tables = replace(tables, weights=tables.weights.with_(likeness=0))
    for mode in ("all", "novel"):
        asked = evaluation.customer_questions(sales, tables, window, mode=mode)
        shortlist = tuning.Shortlist(tables, asked)
        for change in ({}, {"repeat": 8.0, "novel_trend": 0.0, "popular": 1.0}):
            changed = replace(tables, weights=tables.weights.with_(**change))
            expected = evaluation.measure(PersonalBlend().attach(changed), asked).each
            np.testing.assert_allclose(shortlist.ndcg(changed.weights, mode=mode), expected, atol=1e-9)


def test_progress_is_told_in_order(sales):
    steps: list[str] = []
    learning.learn(sales, seed=0, progress=steps.append)
    assert steps == ["validate", "test", "fit"]
