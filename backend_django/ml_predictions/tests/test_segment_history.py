"""The history of the segments: what trainings leave, going back and forward, and movement between any two of them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ml_predictions import selectors_customers
from ml_predictions.messages import render
from ml_predictions.models import CustomerSegment, MLModel, MLTrainingLog
from ml_predictions.models_segments import SegmentChange, SegmentSnapshot
from ml_predictions.services import retention
from ml_predictions.services.customer_segmentation import CustomerSegmentationService
from ml_predictions.sources.base import DataUntil
from ml_predictions.tests.test_customer_segmentation import HandMade
from retail_ml.errors import BadParameter
from retail_ml.segment import NAMES
from retail_ml.tests.segment.shops import AS_OF, Sale, busy

pytestmark = pytest.mark.django_db


class Until(HandMade):
    """Hand-made sales of which the shop knows those up to a day."""

    def __init__(self, sales: list[Sale], until: date) -> None:
        super().__init__(sales)
        self.until = until

    def data_until(self) -> DataUntil | None:
        """Noon of the day after."""
        noon = datetime.combine(self.until + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12)
        return DataUntil(noon, live=False, time_zone="Europe/Madrid")


SALES = busy(150)
DAYS = [AS_OF - timedelta(days=days) for days in (60, 40, 20, 0)]


def train(run: Any, day: date, sales: list[Sale] = SALES, **parameters: Any) -> MLModel:
    """A training as of `day`."""
    service = CustomerSegmentationService(Until(sales, day))  # type: ignore[arg-type]
    return service.train(run, **parameters)


def segments() -> dict[str, str]:
    """Who is where now."""
    return dict(CustomerSegment.objects.values_list("customer_id", "segment"))


def put_back(model: MLModel) -> None:
    """Activate a version."""
    service = CustomerSegmentationService(HandMade([]))  # type: ignore[arg-type]
    service.put_in_service(model, service.content(model))


@pytest.fixture(scope="module")
def trained(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[tuple[Path, list[Any]]]:
    """Four trainings, twenty days apart, and who was where after each; undone at the end of this file."""
    from conftest import RecordingRun, undone_at_the_end

    folder: Path = tmp_path_factory.mktemp("models")
    with undone_at_the_end(django_db_blocker, folder):
        run = RecordingRun(MLTrainingLog.objects.create(kind="test", status="completed").pk)
        yield folder, [(train(run, day), segments()) for day in DAYS]


@pytest.fixture
def four(
    trained: tuple[Path, list[Any]], db: None, settings: Any, tmp_path: Path
) -> list[tuple[MLModel, dict[str, str]]]:
    """The four trainings, with files of the test's own."""
    folder, found = trained
    shutil.copytree(folder, tmp_path / "files")
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": tmp_path / "files"}
    return found


def matrix_of(before: dict[str, str], after: dict[str, str]) -> dict[str, dict[str, int]]:
    """Counted one by one."""
    out = {a: dict.fromkeys(NAMES, 0) for a in NAMES}
    for who, name in before.items():
        if who in after:
            out[name][after[who]] += 1
    return out


@pytest.mark.postgres
@pytest.mark.parametrize(("start", "end"), [(0, 1), (1, 2), (2, 3), (0, 3), (1, 3), (2, 2)])
def test_movement_between_any_two_trainings_is_who_really_moved(four, start, end):
    found = selectors_customers.migration({"from": DAYS[start], "to": DAYS[end]})
    before, after = four[start][1], four[end][1]
    assert found["matrix"] == matrix_of(before, after)
    assert found["moved"] == sum(before[who] != after[who] for who in before)
    assert found["stayed"] + found["moved"] == len(before)
    for row in found["segments"]:
        name = row["segment"]
        assert row["before"] == sum(one == name for one in before.values())
        assert row["after"] == sum(one == name for one in after.values())
        assert row["arrived"] == sum(one == name for who, one in after.items() if who not in before)
        assert row["left"] == 0
    for move in found["moves"]:
        assert sum(part["customers"] for part in move["drivers"]) == move["customers"]
        assert move["customers"] == found["matrix"][move["from"]][move["to"]] > 0
    for name, shares in found["shares"].items():
        told = [share for share in shares.values() if share is not None]
        assert sum(told) == pytest.approx(1, abs=1e-3) or not any(found["matrix"][name].values())
    assert all(render(one) for one in found["explanation"])


def test_only_changes_are_kept(four):
    moved = sum(before[1].get(who) != name for before, now in itertools.pairwise(four)
                for who, name in now[1].items())  # fmt: skip
    assert SegmentChange.objects.count() == moved
    assert moved < len(four[-1][1]) * 2
    assert not SegmentChange.objects.filter(snapshot__version=1).exists()


def test_the_default_is_the_training_before_the_one_in_service(four):
    found = selectors_customers.migration({})
    assert (found["from"]["as_of"], found["to"]["as_of"]) == (DAYS[2], DAYS[3])
    assert found == selectors_customers.migration({"from_version": 3, "to_version": 4})
    assert [one["as_of"] for one in found["trainings"]] == DAYS
    between = selectors_customers.migration({"from": DAYS[1] + timedelta(days=3), "to": DAYS[3]})
    assert between["from"] == {"version": 2, "as_of": DAYS[1]}


def test_the_money_that_moved_is_the_customers_own(four):
    found = selectors_customers.migration({})
    changes = SegmentChange.objects.filter(snapshot__version=4).exclude(before="")
    assert changes
    rows = {row.customer_id: row for row in CustomerSegment.objects.all()}
    assert all(change.value_after == rows[change.customer_id].value_12 for change in changes)
    assert all(rows[change.customer_id].previous_segment == change.before for change in changes)
    assert all(rows[change.customer_id].changed_on == AS_OF for change in changes)
    total = sum(move["value_after"] for move in found["moves"])
    assert total == pytest.approx(sum(change.value_after for change in changes), abs=0.1)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"from": DAYS[0] - timedelta(days=1)}, "no_such_training"),
        ({"to_version": 9}, "no_such_version"),
        ({"from": DAYS[3], "to": DAYS[1]}, "backwards"),
    ],
)
def test_trainings_that_are_not_there(four, wanted, code):
    with pytest.raises(BadParameter) as caught:
        selectors_customers.migration(wanted)
    assert caught.value.code == code
    assert "{" not in render({"code": code, "params": caught.value.details})


def test_one_training_has_nothing_to_be_compared_with(four):
    put_back(four[0][0])
    found = selectors_customers.migration({})
    assert found["moved"] == 0
    assert found["stayed"] == len(segments())
    assert [one["code"] for one in found["explanation"]] == ["segment.one_training"]


@pytest.mark.postgres
def test_going_back_and_training_on_keeps_the_history_of_what_served(four, run):
    """1 → 2 → 3 → 4, back to 2, then 5: trainings 3 and 4 are no part of what led to 5."""
    second, then = four[1]
    put_back(second)
    assert segments() == then
    found = selectors_customers.migration({})
    assert (found["from"]["version"], found["to"]["version"]) == (1, 2)
    assert found["matrix"] == matrix_of(four[0][1], then)
    fifth = train(run, AS_OF)
    assert SegmentSnapshot.objects.get(version=fifth.version).follows == 2
    found = selectors_customers.migration({})
    assert (found["from"]["version"], found["to"]["version"]) == (2, 5)
    assert found["matrix"] == matrix_of(then, segments())
    with pytest.raises(BadParameter):
        selectors_customers.migration({"from_version": 3})


def test_going_forward_again_brings_everything_back(four):
    columns = ["customer_id", "segment", "previous_segment", "changed_on", "confidence", "explanation", "advice"]
    rows = list(CustomerSegment.objects.order_by("customer_id").values_list(*columns))
    movement = selectors_customers.migration({"from": DAYS[0]})
    put_back(four[0][0])
    assert set(CustomerSegment.objects.values_list("previous_segment", flat=True)) == {""}
    put_back(four[3][0])
    assert list(CustomerSegment.objects.order_by("customer_id").values_list(*columns)) == rows
    assert selectors_customers.migration({"from": DAYS[0]}) == movement


def test_history_outlives_the_files_but_not_what_was_put_aside(four, run, settings, monkeypatch):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "KEEP_VERSIONS": 1, "KEEP_SERVED_DAYS": 0}
    monkeypatch.setattr(retention, "IN_USE", timedelta(0))
    put_back(four[1][0])
    train(run, AS_OF)  # version 5; the files of all others are gone now
    assert list(MLModel.objects.values_list("version", flat=True)) == [5]
    train(run, AS_OF)
    assert sorted(SegmentSnapshot.objects.values_list("version", flat=True)) == [1, 2, 5, 6]
    assert selectors_customers.migration({"from_version": 1})["matrix"] == matrix_of(four[0][1], segments())


def test_a_person_erased_since_does_not_unbalance_the_sums(four, run):
    change = SegmentChange.objects.filter(snapshot__version=4).exclude(before="").first()
    assert change is not None
    SegmentChange.objects.filter(customer_id=change.customer_id).delete()
    CustomerSegment.objects.filter(customer_id=change.customer_id).delete()
    found = selectors_customers.migration({})
    for row in found["segments"]:
        name = row["segment"]
        assert sum(found["matrix"][name].values()) + row["left"] == row["before"]
        assert sum(found["matrix"][other][name] for other in NAMES) + row["arrived"] == row["after"]


def test_a_version_in_service_that_cannot_be_read_is_said_and_started_anew(four, run, settings, tmp_path):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": tmp_path / "elsewhere"}
    from ml_predictions import artifacts

    artifacts.load.cache_clear()
    model = train(run, AS_OF)
    assert model.metrics["map"]["reason"]["code"] == "segment.map_unreadable"
    assert SegmentSnapshot.objects.get(version=model.version).follows is None


@pytest.mark.postgres
def test_movement_asks_the_same_few_questions_whatever_its_size(four, django_assert_num_queries):
    with django_assert_num_queries(3):
        selectors_customers.migration({"from": DAYS[0]})
    with django_assert_num_queries(3):
        selectors_customers.migration({})
    for queries in (3, 2):  # the second time the sums are remembered
        with django_assert_num_queries(queries):
            selectors_customers.summary()
