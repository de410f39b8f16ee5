"""One `map`: the same numbers for 1, 2 and 7 parts and for processes; an engine that would change one raises."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl
import pytest

from retail_ml import daily, drawn, engine
from retail_ml.engine import Answer, Engine, EngineFault, InProcess, Processes
from retail_ml.forecast import shop
from retail_ml.forecast.bucket_learners import DEFAULT
from retail_ml.forecast.buckets import Extras
from retail_ml.inventory import plan, policy, replay
from retail_ml.inventory.policy import Rules
from retail_ml.recommend.data import Sales
from retail_ml.recommend.models import HybridPage
from retail_ml.recommend.pages import page_table
from retail_ml.recommend.tables import Tables
from retail_ml.segment import segment_customers
from retail_ml.tests.forecast import boutique, test_products
from retail_ml.tests.forecast.shops import history

Arrays = dict[str, np.ndarray]
SEED = 1


@cache
def data() -> boutique.Boutique:
    return boutique.make(orders=900, days=400, seed=3)


def forecasts(lines: pl.DataFrame | None = None) -> Arrays:
    one = data()
    tables = shop.Tables(one.products, one.stock, one.stock_history)
    read = shop.read(one.lines if lines is None else lines, as_of=one.shop.end)
    trials = shop.try_total(read, [], seed=SEED, step=lambda done: None)
    names = {target: trial.best() for target, trial in trials.items()}
    return shop.stored(shop.assemble(read, trials, names, tables=tables, seed=SEED))[1]


def products() -> Arrays:
    """By the learner, with words, prices and days without stock."""
    rng, h = np.random.default_rng(5), history(test_products.shop(30))
    there = np.where(rng.random(h.y.shape) < 0.1, 0.5, 1.0).astype(np.float32)
    titles = [f"{('red', 'blue', 'green')[i % 3]} cup" for i in range(len(h.y))]
    extras = Extras(rng.gamma(3.0, 4.0, len(h.y)), titles, there)
    found = test_products.train(h, extras=extras)
    assert found.name == DEFAULT
    return {"mean": found.mean, "spread": found.spread, "z": found.widths.z}


def recommendations() -> Arrays:
    one = data()
    tables = Tables.learn(Sales.of(one.lines, one.products, as_of=one.shop.end))
    ids, scores = page_table(HybridPage().attach(tables), k=20)
    return {**tables.to_arrays()[1], "page_ids": ids, "page_scores": scores}


def customers(lines: pl.DataFrame | None = None) -> Arrays:
    one = data()
    found = segment_customers(one.lines if lines is None else lines, one.shop.end, n_clusters=6, seed=SEED)
    return {name: found.customers[name].to_numpy() for name in found.customers.columns}


def inventory(lines: pl.DataFrame | None = None) -> Arrays:
    one, rules = data(), Rules()
    lines = one.lines if lines is None else lines
    made = plan.make(lines, one.stock, one.products, as_of=one.shop.end, rules=rules)
    aimed, facts = plan.aimed(made, rules, seed=SEED)
    told = plan.replayed(aimed, rules, seed=SEED)
    return {**aimed.arrays, "aims": np.array(repr(facts)), "replay": np.array(repr(told))}


def pools() -> Arrays:
    """The policy replayed in pools of a few variants."""
    one, rules = data(), Rules()
    made = plan.make(one.lines, one.stock, one.products, as_of=one.shop.end, rules=rules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "POOL", -(-len(made.arrays["variant_id"]) // 7))
        return {"replay": np.array(repr(plan.replayed(made, rules, seed=SEED)))}


def parts() -> list[pl.LazyFrame]:
    """The lines in 21 parts, in as many blocks as the engine wants."""
    lines = data().lines.drop("day")
    files = lines.with_columns(file=pl.col("order_id").hash(1) % 21).partition_by("file", include_key=False)
    return [pl.concat(files[rows]).lazy() for rows in engine.blocks(len(files), most=100)]


def added_up() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines per customer, and per variant, and day."""
    return daily.customer_lines(parts(), time_zone=boutique.ZONE)


def days() -> Arrays:
    tables = zip(("customer", "variant"), added_up(), strict=True)
    return {f"{kind} {name}": table[name].to_numpy() for kind, table in tables for name in table.columns}


def people() -> Arrays:
    """The lines of a third of the people."""
    some = drawn.lines(parts(), time_zone=boutique.ZONE, share=1 / 3, seed=SEED)
    return {name: some[name].to_numpy() for name in some.columns}


WORK: dict[str, Callable[[], Arrays]] = {
    "days": days, "people": people, "forecasts": forecasts, "products": products, "recommendations": recommendations,
    "customers": customers, "inventory": inventory, "pools": pools,
}  # fmt: skip


@cache
def here(name: str) -> Arrays:
    return WORK[name]()


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Two processes that the tests share."""

    class Shared(Processes):
        def close(self) -> None:
            """Later."""

    shared = Shared(2, parts=7, fine=True)
    yield shared
    Processes.close(shared)


def same(found: Arrays, expected: Arrays) -> list[str]:
    """Names of arrays that differ in any bit, dtype or shape."""
    assert found.keys() == expected.keys()
    return [
        name
        for name, one in expected.items()
        if one.dtype != found[name].dtype or one.shape != found[name].shape or not _equal(one, found[name])
    ]


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes()


class Counting(InProcess):
    """Tells how many parts it was given."""

    largest = 0

    def compute(self, fn: engine.Work, parts: Iterable[Any]) -> Iterator[Answer]:
        for one in super().compute(fn, parts):
            self.largest = max(self.largest, one.number + 1)
            yield one


@pytest.mark.parametrize("name", WORK)
@pytest.mark.parametrize("parts", [2, 7])
def test_the_same_bits_for_any_number_of_parts(name: str, parts: int):
    with engine.using(Counting(parts, fine=True)) as used:
        found = WORK[name]()
    assert used.largest == (max(parts, 5) if name == "pools" else parts)
    assert same(found, here(name)) == []


def test_the_same_bits_for_a_product_by_itself():
    with engine.using(Counting(30)) as used:
        found = products()
    assert used.largest == 30
    assert same(found, here("products")) == []


@pytest.mark.parametrize("name", WORK)
def test_the_same_bits_from_two_processes(name: str, processes: Processes):
    with engine.using(processes):
        assert same(WORK[name](), here(name)) == []


@pytest.mark.parametrize(
    ("name", "work"), [("forecasts", forecasts), ("inventory", inventory), ("customers", customers)]
)
def test_the_same_bits_from_lines_that_were_added_up(name: str, work: Callable[[pl.DataFrame], Arrays]):
    with engine.using(InProcess(7)):
        of_customers, of_variants = added_up()
    assert same(work(of_customers if name == "customers" else of_variants), here(name)) == []


def test_a_level_is_that_of_a_variant_alone():
    """Found by halving for all at once: one that is found early stays while others are looked for."""
    made = plan.make(data().lines, data().stock, data().products, as_of=data().shop.end, rules=Rules())
    rules = replace(Rules(), fill_floors=(0.995,) * 3)
    whole = policy.levels(made.demand, made.terms, rules)
    for i in range(0, len(made.demand.mean), 17):
        rows = slice(i, i + 1)
        alone = policy.levels(made.demand.of(rows), made.terms.of(rows), rules)
        assert alone.reorder_point[0] == whole.reorder_point[i]


# --- how parts are handed out ---------------------------------------------------------------------


def _double(part: np.ndarray) -> np.ndarray:
    return 2 * part


def _fails(part: int) -> int:
    if part == 2:
        raise ValueError("the third part is bad")
    return part


def _dies_once(flag: str, part: int) -> tuple[int, int]:
    """Kills its own process at part 3, the first time."""
    if part == 3 and not os.path.exists(flag):
        open(flag, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return part, os.getpid()


def _dies(part: int) -> int:
    if part == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def test_results_stand_in_the_order_of_the_parts(processes: Processes):
    with engine.using(processes):
        parts = [np.arange(i) for i in range(9)]
        found = engine.map(_double, parts, rows=list(range(9)))
        assert [one.tolist() for one in found] == [(2 * part).tolist() for part in parts]
        assert engine.map(_double, []) == []


def test_an_error_is_raised_as_it_was_and_the_next_map_is_not_answered_by_the_last(processes: Processes):
    with engine.using(processes):
        with pytest.raises(ValueError, match="the third part is bad"):
            engine.map(_fails, range(50))
        assert engine.map(abs, [-1, -2, -3, -4]) == [1, 2, 3, 4]


def test_a_killed_process_costs_its_part_again_and_nothing_else(tmp_path: Any, processes: Processes):
    with engine.using(processes):
        found = engine.map(partial(_dies_once, str(tmp_path / "died")), range(12))
    assert [part for part, _ in found] == list(range(12))
    assert len({process for _, process in found}) in (2, 3), "the one that lived, and one in the place of the dead"
    assert (tmp_path / "died").exists()


def test_a_part_that_kills_every_process_ends_in_an_error(processes: Processes):
    with engine.using(processes), pytest.raises(EngineFault, match="3 processes died at part 1"):
        engine.map(_dies, range(3))


def test_parts_are_not_made_before_they_can_be_worked_on(processes: Processes):
    made: list[int] = []
    done = 0
    with engine.using(processes):
        for _ in engine.each(abs, (made.append(i) or i for i in range(40))):  # type: ignore[func-returns-value]
            done += 1
            assert len(made) <= done + 2 * processes.processes
    assert done == 40


def test_what_is_too_small_is_not_cut_and_what_is_one_part_stays_here(processes: Processes):
    with engine.using(InProcess(7)):
        assert [len(engine.blocks(n, most=100, least=10)) for n in (0, 5, 20, 69, 70, 701)] == [0, 1, 2, 6, 7, 8]
    with engine.using(processes):
        assert engine.map(os.readlink, ["/proc/self"]) == [str(os.getpid())]


def test_an_engine_that_nothing_is_mapped_by_is_not_started():
    class Never(InProcess):
        def start(self) -> None:
            raise AssertionError("started for nothing")

        close = start

    with engine.using(Never()):
        pass


# --- an engine that would change a number -----------------------------------------------------------


class Wrong(Engine):
    """Does as a fault says: `twist` changes the answers of a map."""

    def __init__(self, twist: Callable[[list[Answer]], list[Answer]], *, after: int = 0) -> None:
        self.twist = twist
        self.after = after
        """Maps that it does well before; the first one is the check at its start."""
        self.maps = 0

    def compute(self, fn: engine.Work, parts: Iterable[Any]) -> Iterator[Answer]:
        answers = [engine.answer(fn, number, part) for number, part in enumerate(parts)]
        self.maps += 1
        yield from answers if self.maps <= self.after else self.twist(answers)


def _inexact(answers: list[Answer]) -> list[Answer]:
    first = bytearray(answers[0].result)
    first[0] ^= 1
    return [replace(answers[0], result=bytes(first)), *answers[1:]]


FAULTS: dict[str, tuple[Callable[[list[Answer]], list[Answer]], int, str]] = {
    "another last digit": (_inexact, 0, "known sample"),
    "another order": (
        lambda a: [replace(x, result=y.result) for x, y in zip(a, reversed(a), strict=True)], 0, "known sample",
    ),
    "another library": (lambda a: [replace(x, probe=f"{x.probe} numpy 1.0") for x in a], 0, "computes differently"),
    "one process differs later": (
        lambda a: [*a[:-1], replace(a[-1], probe="else")], 1, "computes differently",
    ),
    "no probe": (lambda a: [replace(x, probe=None) for x in a], 1, "computes differently"),
    "a part is lost": (lambda a: a[1:], 1, "answered 4 of 5 parts"),
    "a part twice": (lambda a: [*a, a[0]], 1, "twice"),
    "a row is lost": (lambda a: [replace(x, result=x.result[1:]) for x in a], 1, "3 rows, its answer"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_an_engine_that_would_change_a_number_raises(name: str):
    twist, after, said = FAULTS[name]
    with engine.using(Wrong(twist, after=after)), pytest.raises(EngineFault, match=said) as fault:
        engine.map(_double, [np.full(3, i) for i in range(5)], rows=[3] * 5)
    assert "Nothing was published" in fault.value.message


def test_an_engine_that_is_sound_passes():
    with engine.using(Wrong(list)):
        assert [x.tolist() for x in engine.map(_double, [np.arange(2)] * 2, rows=[2, 2])] == [[0, 2]] * 2


def test_the_probe_tells_code_and_libraries(monkeypatch: pytest.MonkeyPatch):
    assert f"numpy {np.__version__}" in engine.probe()
    before = engine.probe.__wrapped__()
    assert before == engine.probe()
    monkeypatch.setattr(engine, "_code", lambda: "0" * 64)
    assert engine.probe.__wrapped__() != before
