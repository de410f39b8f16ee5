"""A cluster of two worker processes: the numbers of one machine, also when a worker is killed in mid-run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from retail_ml import daily, engine
from retail_ml.engine import EngineFault
from retail_ml.tests import test_daily
from retail_ml.tests.test_engine import WORK, _double, here, same

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'trastienda[distributed]'")
BACKEND = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """The cluster that the tests share; who kills workers has one of their own."""
    with a_cluster() as found:
        yield found


@contextmanager
def a_cluster() -> Iterator[Any]:
    """A scheduler with two worker processes of this machine, which are started anew when they die."""
    from distributed import LocalCluster

    folders = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{BACKEND}{os.pathsep}{folders}"
    try:
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as found:
            yield found
    finally:
        os.environ["PYTHONPATH"] = folders


@pytest.fixture
def dask(cluster: Any) -> Any:
    """The engine over it."""
    from ml_predictions.engines.dask import DaskEngine

    return DaskEngine(cluster.scheduler_address, parts=7, fine=True)


def _dies_once(flag: str, part: int) -> tuple[int, int]:
    """Kills its own worker at part 5, the first time."""
    if part == 5 and not os.path.exists(flag):
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return part, os.getpid()


def _all_die_once(flags: str, part: int) -> int:
    """The first two parts kill their workers once each, when both have begun; one worker with both dies twice."""
    flag, other = Path(flags) / str(part), Path(flags) / str(1 - part)
    if part < 2 and not flag.exists():
        flag.touch()
        for _ in range(1_000):
            if other.exists():
                break
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def _fails(part: int) -> int:
    if part == 2:
        raise ValueError("the third part is bad")
    return part


@pytest.mark.parametrize("name", WORK)
def test_the_same_bits_as_on_one_machine(name: str, dask: Any):
    with engine.using(dask):
        found = WORK[name]()
    assert same(found, here(name)) == []


def test_workers_read_the_files_and_the_training_gets_sums(tmp_path: Path, dask: Any, monkeypatch: pytest.MonkeyPatch):
    lines, parts = test_daily.order_lines(), []
    for number in range(7):
        file = tmp_path / f"{number}.parquet"
        lines.filter(pl.col("order_id").hash(3) % 7 == number).write_parquet(file)
        parts.append(pl.scan_parquet(file))
    whole = daily.lines([lines.lazy()], time_zone=test_daily.ZONE)

    def here(*_: object) -> None:
        raise AssertionError("read by the process of the training")

    monkeypatch.setattr(daily, "read", here)
    with engine.using(dask):
        assert_frame_equal(daily.lines(parts, time_zone=test_daily.ZONE), whole)
        (tmp_path / "3.parquet").unlink()
        with pytest.raises(EngineFault, match=r"3.parquet.*under the same path"):
            daily.lines(parts, time_zone=test_daily.ZONE)


def test_a_worker_killed_in_mid_run_costs_its_parts_again_and_nothing_else(tmp_path: Path):
    from ml_predictions.engines.dask import DaskEngine

    with a_cluster() as own, engine.using(DaskEngine(own.scheduler_address, parts=7)):
        found = engine.map(partial(_dies_once, str(tmp_path / "died")), range(20))
    assert [part for part, _ in found] == list(range(20))
    assert (tmp_path / "died").exists()
    assert os.getpid() not in {process for _, process in found}


def test_all_workers_killed_at_once_cost_their_parts_again(tmp_path: Path):
    """What they had been given to compute is in nobody's memory then."""
    from ml_predictions.engines.dask import DaskEngine

    with a_cluster() as own, engine.using(DaskEngine(own.scheduler_address, parts=7)):
        found = engine.map(partial(_all_die_once, str(tmp_path)), range(12))
    assert found == list(range(12))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["0", "1"]


def test_an_error_of_the_work_is_raised_as_it_was_and_the_engine_goes_on(dask: Any):
    with engine.using(dask):
        with pytest.raises(ValueError, match="the third part is bad"):
            engine.map(_fails, range(30))
        assert [x.tolist() for x in engine.map(_double, [np.arange(3)] * 2, rows=[3, 3])] == [[0, 2, 4]] * 2


def test_without_a_number_of_parts_there_are_two_per_worker(cluster: Any):
    from ml_predictions.engines.dask import DaskEngine

    with engine.using(DaskEngine(cluster.scheduler_address)):
        assert len(engine.blocks(100, most=100)) == 4


def test_parts_are_not_sent_before_a_worker_can_take_them(dask: Any):
    made: list[int] = []
    with engine.using(dask):
        for done, _ in enumerate(engine.each(abs, (made.append(i) or i for i in range(30))), start=1):  # type: ignore[func-returns-value]
            assert len(made) <= done + 4
    assert len(made) == 30


def test_a_worker_with_other_code_is_refused(dask: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "probe", lambda: "another release")
    with engine.using(dask), pytest.raises(EngineFault, match="computes differently"):
        engine.map(_double, [np.arange(3)] * 2)


def test_a_cluster_that_does_not_answer_is_named():
    from ml_predictions.engines.dask import DaskEngine

    nobody = DaskEngine("tcp://127.0.0.1:8169", wait_seconds=0.5)
    with engine.using(nobody), pytest.raises(EngineFault, match=r"answers at tcp://127.0.0.1:8169"):
        engine.map(abs, [1, 2])


def test_dask_is_not_loaded_before_it_is_used():
    code = "import ml_predictions.engines.dask as d, sys; d.DaskEngine('tcp://x:1'); "
    code += "print([m for m in ('dask', 'distributed', 'tornado') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=BACKEND, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
