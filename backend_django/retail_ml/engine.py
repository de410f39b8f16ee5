"""Where the parts of a computation are computed: one `map`, in this process, in others of this machine, or elsewhere.

What is mapped gives a series, a product, a customer or a variant the same numbers in whatever block it stands, so an
engine decides where and how fast, never what. One that would change a number is refused with `EngineFault`: every
answer carries the probe of the process that gave it (its code, its libraries, and what a fixed sample of arithmetic
comes to on its processor), and numbers and sizes of the answers are counted.

    with engine.using(engine.Processes(4)):
        ...                               # whatever maps inside, maps there
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import platform
import traceback
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, islice, pairwise
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from retail_ml.errors import RetailMLError

LIBRARIES = ("numpy", "scipy", "polars", "scikit-learn", "lightgbm")
KNOWN_PARTS = 7
"""Parts of the sample that an engine computes when it starts."""
TRIES = 3
"""Times a part is given to a process before it is believed to be what kills them."""

Work = Callable[[Any], Any]


class EngineFault(RetailMLError):
    """An engine that gave, or would give, other numbers than this process; or that cannot compute."""

    code = "engine.fault"


@dataclass(frozen=True)
class Answer:
    """What became of part `number`; `probe` of the process that computed it, None: this one."""

    number: int
    probe: str | None
    result: Any


def answer(fn: Work, number: int, part: Any) -> Answer:
    """One part, computed here for another process: what a worker of an engine runs."""
    return Answer(number, probe(), fn(part))


class Engine(ABC):
    """Computes parts somewhere. `parts`: into how many blocks work is cut at least."""

    parts: int = 1
    fine: bool = False
    """Cut also what is too small to be worth sending: for tests."""

    @abstractmethod
    def compute(self, fn: Work, parts: Iterable[Any]) -> Iterator[Answer]:
        """An answer per part, numbered from 0 in the order of `parts`, in any order of time.

        `parts` may be long and made as it is read: no more of it is read ahead than can be worked on.
        """

    def start(self) -> None:
        """Called once, before the first part."""

    def close(self) -> None:
        """Called once, at the end."""


class InProcess(Engine):
    """One part after the other, here."""

    def __init__(self, parts: int = 1, *, fine: bool = False) -> None:
        self.parts = parts
        self.fine = fine

    def compute(self, fn: Work, parts: Iterable[Any]) -> Iterator[Answer]:
        """See the base class."""
        for number, part in enumerate(parts):
            yield Answer(number, None, fn(part))


_current: ContextVar[_Running | None] = ContextVar("engine", default=None)


class _Running:
    """An engine in use: started and checked when the first part comes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._started = False

    def ready(self) -> Engine:
        if not self._started:
            self._started = True
            self.engine.start()
            if not isinstance(self.engine, InProcess):
                check(self.engine)
        return self.engine

    def close(self) -> None:
        if self._started:
            self.engine.close()


@contextmanager
def using(engine: Engine) -> Iterator[Engine]:
    """Whatever is mapped inside is mapped by `engine`, which starts with the first part and is closed at the end.

    >>> with using(InProcess(parts=2)):
    ...     blocks(5, most=100), map(abs, [-1, 2])
    ([slice(0, 2, None), slice(2, 5, None)], [1, 2])
    """
    running = _Running(engine)
    before = _current.set(running)
    try:
        yield engine
    finally:
        _current.reset(before)
        running.close()


def blocks(count: int, *, most: int, least: int = 1) -> list[slice]:
    """Slices of `count` rows, of at most `most` each, and as many as the engine in use wants.

    Where that leaves fewer than `least` rows to each, which are not worth sending, there are fewer slices.

    >>> blocks(5, most=2)
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    running = _current.get()
    wanted, least = (running.engine.parts, 1 if running.engine.fine else least) if running else (1, least)
    pieces = max(-(-count // most), min(wanted, count // least), min(count, 1))
    edges = [count * i // pieces for i in range(pieces + 1)] if pieces else [0]
    return [slice(first, last) for first, last in pairwise(edges)]


def each(fn: Work, parts: Iterable[Any], *, rows: Sequence[int] | None = None) -> Iterator[tuple[int, Any]]:
    """(number of a part, fn(part)) of every part, in the order in which they are done.

    fn must be a function of a module (or a `functools.partial` of one) that looks at its part alone; a part that is
    the only one is computed here. `rows`: how many
    rows the result of each part has (every array of it, where it is a tuple). Raises EngineFault when an answer is
    missing, comes twice, has another size, or was given by a process that computes differently.
    """
    running, sent, parts = _current.get(), 0, iter(parts)
    first = list(islice(parts, 2))
    engine = running.ready() if running and len(first) > 1 else InProcess()

    def counted() -> Iterator[Any]:
        nonlocal sent
        for part in chain(first, parts):
            sent += 1
            yield part

    seen: set[int] = set()
    for one in engine.compute(fn, counted()):
        _checked(one, engine)
        if one.number in seen or not 0 <= one.number < sent:
            _fault(engine, f"it answered part {one.number} of {sent} twice, or was never asked for it")
        if rows is not None and any(len(a) != rows[one.number] for a in _arrays(one.result)):
            found = [len(a) for a in _arrays(one.result)]
            _fault(engine, f"part {one.number} has {rows[one.number]} rows, its answer {found}")
        seen.add(one.number)
        yield one.number, one.result
    if len(seen) != sent:
        _fault(engine, f"it answered {len(seen)} of {sent} parts")


def map(fn: Work, parts: Iterable[Any], *, rows: Sequence[int] | None = None) -> list[Any]:  # noqa: A001
    """[fn(part) for part in parts], by the engine in use: see `each`.

    >>> map(len, ["a", "bc"])
    [1, 2]
    """
    found = dict(each(fn, parts, rows=rows))
    return [found[number] for number in range(len(found))]


def joined(fn: Work, parts: Iterable[Any], *, rows: Sequence[int]) -> tuple[np.ndarray[Any, Any], ...]:
    """The arrays of all parts, one after the other: fn returns a tuple of arrays of as many rows as its part has.

    There must be a part.

    >>> [a.tolist() for a in joined(lambda part: (part, -part), [np.arange(2), np.arange(1)], rows=[2, 1])]
    [[0, 1, 0], [0, -1, 0]]
    """
    return tuple(np.concatenate(column) for column in zip(*map(fn, parts, rows=rows), strict=True))


def by_row(table: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`table` (rows, columns) @ `weights` (columns,), every row by itself.

    BLAS gives a row other last digits when other rows stand beside it, and blocks could then be told apart.

    >>> by_row(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 1.0])).tolist()
    [12.0, 34.0]
    """
    return np.einsum("ij,j->i", np.ascontiguousarray(table), weights)


def check(engine: Engine) -> None:
    """Raise EngineFault unless the engine computes a sample exactly as this process does, and puts it in order."""
    here = [_sample(number) for number in range(KNOWN_PARTS)]
    there: dict[int, bytes] = {}
    for one in engine.compute(_sample, iter(range(KNOWN_PARTS))):
        _checked(one, engine)
        there[one.number] = one.result
    if [there.get(number) for number in range(KNOWN_PARTS)] != here:
        _fault(engine, "its answers to the known sample are others than this process gives, or in another order")


def _arrays(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _checked(one: Answer, engine: Engine) -> None:
    if one.probe is None and isinstance(engine, InProcess):
        return
    if one.probe != probe():
        _fault(engine, f"a process of it computes differently. There: {one.probe}. Here: {probe()}")


def _fault(engine: Engine, what: str) -> None:
    raise EngineFault(
        f"The engine {type(engine).__name__} cannot be trusted: {what}. Nothing was published. Give every machine the "
        "same release of this project, the same library versions, the same kind of processor and as many threads of "
        "numerics (OMP_NUM_THREADS=1), or set ENGINE to retail_ml.engine.InProcess.",
        engine=type(engine).__name__,
        what=what,
    )


# --- what a process computes like ---------------------------------------------------------------------


@cache
def probe() -> str:
    """What this process computes by, as one line: Python, libraries, the code of this package, a sample's checksum.

    Two processes with equal probes give equal numbers.
    """
    found = [f"python {platform.python_version()}", *(f"{name} {_version(name)}" for name in LIBRARIES)]
    sample = hashlib.sha256(b"".join(_sample(number) for number in range(3))).hexdigest()
    return ", ".join([*found, f"retail_ml {_code()[:12]}", f"sample {sample[:12]}"])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _code() -> str:
    """Checksum of the sources of this package, its tests left out."""
    root, found = Path(__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if name.parts[0] != "tests":
            found.update(name.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _sample(number: int) -> bytes:
    """Arithmetic of the kinds that the forecasts, lists, values and levels are made of, as bytes."""
    from scipy import sparse, special

    rng = np.random.default_rng(number)
    x, A = rng.random(1_003) + 0.01, rng.random((203, 57))
    B = sparse.csr_matrix(np.where(A > 0.7, A, 0.0)).astype(np.float32)
    found = [
        np.exp(x), np.log(x), np.power(x, 0.85), np.sqrt(x), np.logaddexp(x, 0.5), A @ A.T, A @ x[:57], A.sum(axis=0),
        np.linalg.solve(A[:57] + 57 * np.eye(57), x[:57]), A.astype(np.float32).sum(axis=1), (B @ B.T).toarray(),
        special.gammaln(x), special.expit(x), special.hyp2f1(x - 0.4, x + 1.2, x + 3.0, x[::-1] / 2),
        special.betainc(x + 1, 2.5, x / 2), rng.gamma(2.0, size=101), rng.permutation(101),
    ]  # fmt: skip
    return b"".join(np.ascontiguousarray(one).tobytes() for one in found)


# --- processes of this machine ------------------------------------------------------------------------


def _serve(line: Connection) -> None:
    """A worker: gets a function, then parts of it; ends when the other end of the line is closed."""
    packed, fn = b"", None
    while True:
        try:
            what, *rest = line.recv()
        except EOFError:
            return
        if what == "fn":
            packed, fn = rest[0], None
            continue
        try:
            fn = fn or pickle.loads(packed)
            line.send(answer(fn, *rest))
        except Exception as error:  # noqa: BLE001  # told to whoever asked
            error.add_note(traceback.format_exc())
            line.send(error)


class _Worker:
    """A process with the line to it, and the part that it has in hand."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of threads that it does not have
        self.line, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.part: tuple[int, Any] | None = None
        self._known = b""

    def give(self, fn: bytes, number: int, part: Any) -> None:
        """Send a part, and before it the function where that is new."""
        self.part = (number, part)
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died: so says its line when it is read
            if self._known is not fn:
                self.line.send(("fn", fn))
                self._known = fn
            self.line.send(("part", number, part))

    def end(self) -> None:
        """End it, whatever it does."""
        self.line.close()
        self.process.kill()
        self.process.join()


class Processes(Engine):
    """Processes of this machine (default: one per core), each with a line of its own to this one.

    A process that dies costs its part again; a part at which three of them die ends in EngineFault. When this process
    dies, its lines close and the others end.
    """

    def __init__(self, processes: int | None = None, *, parts: int | None = None, fine: bool = False) -> None:
        self.fine = fine
        self.processes = processes or os.cpu_count() or 1
        self.parts = parts or self.processes
        self._workers: list[_Worker] = []

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.end()
        self._workers = []

    def compute(self, fn: Work, parts: Iterable[Any]) -> Iterator[Answer]:
        """See the base class. An error of `fn` is raised here as it was there."""
        packed, waiting = pickle.dumps(fn), enumerate(parts)
        again: deque[tuple[int, Any]] = deque()
        deaths: Counter[int] = Counter()
        try:
            while busy := self._give(packed, again, waiting):
                for line in wait([worker.line for worker in busy]):
                    worker = next(one for one in busy if one.line is line)
                    found = self._answer_of(worker, again, deaths)
                    if isinstance(found, Exception):
                        raise found
                    if found is not None:
                        yield found
        finally:
            for worker in [one for one in self._workers if one.part is not None]:  # of a map that was given up
                self._forget(worker)

    def _give(self, fn: bytes, again: deque[tuple[int, Any]], waiting: Iterator[tuple[int, Any]]) -> list[_Worker]:
        """Give parts to the idle, new processes in the place of dead ones; returns those that have a part in hand."""
        self._workers += [_Worker() for _ in range(self.processes - len(self._workers))]
        for worker in self._workers:
            if worker.part is None and (todo := again.popleft() if again else next(waiting, None)):
                worker.give(fn, *todo)
        return [worker for worker in self._workers if worker.part is not None]

    def _answer_of(
        self, worker: _Worker, again: deque[tuple[int, Any]], deaths: Counter[int]
    ) -> Answer | Exception | None:
        """What a process says; None: it has died, and its part is to be done again."""
        try:
            found: Answer | Exception = worker.line.recv()
        except (EOFError, OSError):
            if worker.part is not None:
                again.append(worker.part)
                deaths[worker.part[0]] += 1
            self._forget(worker)
            number, most = deaths.most_common(1)[0]
            if most >= TRIES:
                _fault(self, f"{TRIES} processes died at part {number}")
            return None
        worker.part = None
        return found

    def _forget(self, worker: _Worker) -> None:
        worker.end()
        self._workers.remove(worker)
