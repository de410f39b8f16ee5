"""Held-out measures: by hand, blind to the future, and the choice that follows from them."""

from __future__ import annotations

from datetime import timedelta
from string import ascii_lowercase

import numpy as np
import polars as pl
import pytest

from retail_ml.recommend import evaluation, learning, selection
from retail_ml.recommend.base import Batch
from retail_ml.recommend.data import Sales, day_number
from retail_ml.recommend.evaluation import Measure, Questions
from retail_ml.recommend.learning import learn
from retail_ml.recommend.models import PersonalBlend, Popularity, subjects_of
from retail_ml.recommend.selection import QUESTIONS, RUNGS, Trial, surface_of
from retail_ml.recommend.tables import Tables
from retail_ml.tests.recommend.small import AS_OF, catalogue, checkerboard, order_lines


def asked(tables: Tables, pages: list[str], bought: list[str], unknown: list[int]) -> Questions:
    """Pages, what was bought beside them, and how many products more that the tables do not know."""
    known = [[found[found >= 0] for found in map(tables.rows, rows)] for rows in (pages, bought)]
    subjects, truth = (subjects_of(rows, len(tables)) for rows in known)
    batch = Batch.of_subjects(subjects, mask=np.ones(len(tables), bool))
    return Questions(batch, truth, np.diff(truth.indptr) + np.array(unknown))


def test_measure_by_hand():
    """Popularity shows a, b (the shown product left out); ideal gains 1 and 1 + 1/log2(3)."""
    lines = order_lines({"1": "ab", "2": "ab", "3": "a", "4": "c"})
    tables = Tables.learn(Sales.of(lines, catalogue("abc"), as_of=AS_OF))
    questions = asked(tables, ["c", "a", "b"], ["b", "b", ""], [0, 1, 1])
    found = evaluation.measure(Popularity().attach(tables), questions)
    second = 1 / np.log2(3)  # b after a; b first of two bought; not known: missed
    assert found.hit_rate_10 == pytest.approx(2 / 3)
    assert found.ndcg_10 == pytest.approx((second + 1 / (1 + second)) / 3)
    assert found.recall_10 == pytest.approx((1 + 0.5) / 3)
    one = evaluation.measure(Popularity().attach(tables), asked(tables, ["c"], ["b"], [0]))
    assert one is not None
    assert (found.coverage, one.coverage) == (1, pytest.approx(2 / 3))  # beside c alone only a and b are shown
    np.testing.assert_allclose(found.each, [second, 1 / (1 + second), 0])
    assert evaluation.measure(Popularity().attach(tables), asked(tables, [], [], [])) is None


def test_a_measure_does_not_depend_on_how_many_are_asked_at_a_time(monkeypatch):
    sales = Sales.of(checkerboard(), catalogue("abcdefgh"), as_of=AS_OF)
    window = evaluation.windows(sales)[-1]
    tables = Tables.learn(sales.before(window[0]))
    for questions in QUESTIONS.values():
        found = questions(sales, tables, window)
        once = evaluation.measure(PersonalBlend().attach(tables), found)
        with monkeypatch.context() as few:
            few.setattr(evaluation, "AT_ONCE", 1)
            assert evaluation.measure(PersonalBlend().attach(tables), found) == once


def test_the_future_cannot_be_seen():
    """Change everything after the cut: what is learned before it stays the same to the last bit."""
    lines, cut = checkerboard(), AS_OF - timedelta(days=27)
    other = pl.concat(
        [
            lines.filter(pl.col("day") < cut),
            order_lines({f"n{i}": "ahxyz" for i in range(30)}, customers={f"n{i}": "c00" for i in range(30)}),
        ]
    )
    products = catalogue("abcdefghixyz")
    whole = [Sales.of(x, products, as_of=AS_OF) for x in (lines, other)]
    known = [sales.before(day_number(cut)) for sales in whole]
    (one_meta, one), (two_meta, two) = (Tables.learn(x).to_arrays() for x in known)
    assert one_meta == two_meta
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])
    assert known[1].products.external.tolist() == list("abcdefgh")  # not even the names of later products
    window = (float(day_number(cut)), whole[1].now)
    found = evaluation.customer_questions(whole[1], Tables.learn(known[1]), window)
    histories = found.batch.histories
    assert histories.count == 1  # c00 alone came after the cut
    assert histories.age.min() >= 1
    mine = lines.filter(pl.col("day") < cut, pl.col("customer_id") == "c00").group_by("product_id").len()
    counts = dict(zip("abcdefgh", histories.pattern.toarray()[0], strict=True))
    assert {p: n for p, n in counts.items() if n} == dict(mine.rows())
    assert found.bought.tolist() == [5]  # a, h, x, y, z: three of them could not be known


def test_questions_come_from_the_window_alone():
    sales = Sales.of(checkerboard(), catalogue("abcdefgh"), as_of=AS_OF)
    window = evaluation.windows(sales)[-1]
    tables = Tables.learn(sales.before(window[0]))
    later = sales.matrix[sales.time >= window[0]].toarray().astype(bool)
    baskets = {tuple(np.flatnonzero(b)) for b in later}
    for kind in ("page", "basket"):
        found = QUESTIONS[kind](sales, tables, window)
        assert len(found)
        shown, truth = found.batch.subjects.toarray() > 0, found.truth.toarray() > 0
        assert not (shown & truth).any()
        assert {tuple(np.flatnonzero(row)) for row in shown | truth} <= baskets
        assert (truth.sum(axis=1) == found.bought).all()
        assert ((shown if kind == "page" else truth).sum(axis=1) == 1).all()


def test_modes_divide_what_a_customer_buys():
    sales = Sales.of(checkerboard(60), catalogue("abcdefgh"), as_of=AS_OF)
    window = evaluation.windows(sales)[-1]
    tables = Tables.learn(sales.before(window[0]))
    whole, novel, repeat = (
        evaluation.customer_questions(sales, tables, window, mode=mode) for mode in ("all", "novel", "repeat")
    )
    assert int(whole.bought.sum()) == int(novel.bought.sum() + repeat.bought.sum())
    assert not (novel.truth.toarray() * (novel.batch.histories.pattern.toarray() > 0)).any()
    assert (repeat.truth.toarray() <= (repeat.batch.histories.pattern.toarray() > 0)).all()


def test_a_sample_of_questions_is_fixed_and_has_none_twice():
    sales = Sales.of(checkerboard(), catalogue("abcdefgh"), as_of=AS_OF)
    window = (sales.now - 60, sales.now)
    tables = Tables.learn(sales.before(window[0]))
    every = evaluation.page_questions(sales, tables, window)
    some, again = (evaluation.page_questions(sales, tables, window, limit=8) for _ in range(2))
    assert len(some) == 8 < len(every)
    np.testing.assert_array_equal(some.truth.toarray(), again.truth.toarray())
    pairs = [
        {(tuple(a), tuple(b)) for a, b in zip(q.batch.subjects.toarray(), q.truth.toarray(), strict=True)}
        for q in (some, every)
    ]
    assert pairs[0] <= pairs[1]


@pytest.mark.parametrize(
    ("days", "length", "count"), [(400, 28, 3), (112, 28, 3), (111, 27, 3), (40, 10, 3), (4, 1, 3), (3, 0, 0)]
)
def test_short_histories_get_shorter_windows(days, length, count):
    first = AS_OF - timedelta(days=days - 1)
    sales = Sales.of(order_lines({"1": "ab", "2": "ab"}, days={"1": first}), catalogue("ab"), as_of=AS_OF)
    found = evaluation.windows(sales)
    assert [end - start for start, end in found] == [length] * count
    assert not found or (found[-1][1] == sales.now and found[0][0] - sales.first >= length)


def test_checkerboard_is_served_by_the_hybrid():
    sales = Sales.of(checkerboard(240, ascii_lowercase), catalogue(ascii_lowercase), as_of=AS_OF)
    choice = learn(sales, seed=1).choice
    page = choice.surfaces["page"]
    assert page.method == "hybrid"
    assert page.measure.ndcg_10 > page.baseline.ndcg_10
    assert page.beats_baseline is True
    assert choice.validation.window[1] <= choice.test.window[0]


def popular_shop(orders: int = 240) -> Sales:
    """Two best sellers and one product at random in each order, whatever goes with what: pairs mean nothing.

    In the last quarter the best sellers change, so that co-purchases of the past mislead.
    """
    rng = np.random.default_rng(2)
    names = [f"p{i:02}" for i in range(40)]
    baskets, days = {}, {}
    for i in range(orders):
        late = i >= orders * 3 // 4
        best = names[30:] if late else names[:10]
        baskets[f"{i:04}"] = sorted({str(rng.choice(best)), str(rng.choice(best)), str(rng.choice(names))})
        days[f"{i:04}"] = AS_OF - timedelta(days=orders - 1 - i)
    return Sales.of(order_lines(baskets, days=days), catalogue(names, name=names), as_of=AS_OF)


def fake(**page: Measure) -> Trial:
    other = Measure(100, 0.1, 0.1, 0.1, 0.1)
    return Trial((0.0, 1.0), 500, 50, {
        surface: page if surface == "page" else dict.fromkeys(rungs, other) for surface, rungs in RUNGS.items()
    })  # fmt: skip


def measured(hit: float) -> Measure:
    return Measure(100, hit, hit, hit, 0.5)


@pytest.mark.parametrize(
    ("validation", "test", "served"),
    [
        ((0.5, 0.3, 0.2), (0.5, 0.3, 0.2), "hybrid"),
        ((0.3, 0.4, 0.2), (0.5, 0.3, 0.2), "popularity_content"),  # the test window does not choose upwards
        ((0.5, 0.3, 0.2), (0.1, 0.3, 0.2), "popularity_content"),  # it does forbid what loses
        ((0.5, 0.3, 0.2), (0.1, 0.1, 0.2), "popularity"),
        ((0.2, 0.2, 0.2), (0.5, 0.3, 0.2), "popularity"),  # as good: the simpler
    ],
)
def test_choice_never_serves_what_loses(monkeypatch, validation, test, served):
    names = ("hybrid", "popularity_content", "popularity")
    trials = iter([
        fake(**dict(zip(names, map(measured, validation), strict=True))),
        fake(**dict(zip(names, map(measured, test), strict=True))),
    ])  # fmt: skip
    monkeypatch.setattr(learning, "trial", lambda *a, **k: next(trials))
    page = learn(popular_shop(), seed=1).choice.surfaces["page"]
    assert page.method == served
    assert page.measure == measured(test[names.index(served)])
    assert page.baseline == measured(test[2])
    assert not page.baseline.beats(page.measure)


def test_where_pairs_mean_nothing_the_hybrid_does_not_serve(monkeypatch):
    monkeypatch.setattr(selection, "ENOUGH_QUESTIONS", 1)
    choice = learn(popular_shop(), seed=1).choice
    page, earlier = choice.surfaces["page"], choice.validation.measures["page"]
    assert earlier["popularity_content"].beats(earlier["hybrid"])
    assert page.method != "hybrid"
    assert not page.baseline.beats(page.measure)


def few(hit: float, cases: int = 40) -> Measure:
    each = np.zeros(cases)
    each[: round(hit * cases)] = 1
    return Measure(cases, hit, hit, hit, 0.5, each)


def test_with_few_questions_only_a_clear_defeat_counts():
    """Two hits of forty against three say nothing; two against twenty do."""
    for popular, served in ((few(0.075), "co_purchase"), (few(0.5), "popularity")):
        test = fake(hybrid=popular, popularity_content=popular, popularity=popular)
        test.measures["basket"] = {"co_purchase": few(0.05), "popularity": popular}
        assert surface_of("basket", small=False, validation=test, test=test).method == served
    assert surface_of("basket", small=False, validation=None, test=None).method == "co_purchase"
    assert surface_of("basket", small=True, validation=None, test=None).method == "popularity"


@pytest.mark.parametrize(("lead", "behind", "served"), [(0.3, 0.02, "co_purchase"), (0.02, 0.3, "popularity")])
def test_one_windows_luck_does_not_outweigh_the_other(lead, behind, served):
    """Ahead by 60 of 200 on the first window and behind by 4 on the second, and the other way round."""

    def window(hit: float) -> Trial:
        other = few(0.4, cases=200)
        trial = fake(hybrid=other, popularity_content=other, popularity=other)
        trial.measures["basket"] = {"co_purchase": few(hit, cases=200), "popularity": other}
        return trial

    found = surface_of("basket", small=False, validation=window(0.4 + lead), test=window(0.4 - behind))
    assert found.method == served
    assert surface_of("basket", small=False, validation=None, test=window(0.4 - behind)).method == "popularity"


def test_small_shops_get_popularity_and_content():
    sales = Sales.of(checkerboard(20), catalogue("abcdefgh"), as_of=AS_OF)
    choice = learn(sales, seed=1).choice
    assert choice.small
    assert choice.validation is None
    assert choice.surfaces["page"].method in ("popularity_content", "popularity")


def test_nothing_to_test_on_is_said():
    choice = learn(Sales.of(order_lines({str(i): "a" for i in range(50)}), catalogue("a"), as_of=AS_OF), seed=1).choice
    page = choice.surfaces["page"]
    assert (page.method, page.measure, page.baseline, page.beats_baseline) == ("popularity_content", None, None, None)
