"""The steps of an erasure. Each may be done again: a run that is killed is taken up by the next worker."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from ml_predictions.messages import message
from ml_predictions.models_erasure import PersonalDataErasure
from ml_predictions.services.base import TrainingRun
from ml_predictions.services.erasure import certificate, space, versions
from ml_predictions.services.erasure.needles import Needles
from ml_predictions.services.erasure.places import Place, places
from ml_predictions.sources import get_source
from ml_predictions.sources.base import Erasing, Person
from retail_ml.errors import RetailMLError, UnknownId

PASSES = 3
"""Times the places are gone through when somebody writes the person's name meanwhile."""


class NotAllGone(RetailMLError):
    """Something that names the person has come in while they were being erased."""

    code = "erasure_not_all_gone"


class Erasure:
    """One person's erasure as a run of the worker. What it has done stands in its row."""

    def __init__(self, run: TrainingRun, erasure: int) -> None:
        self.run = run
        self.row = PersonalDataErasure.objects.get(pk=erasure)

    @property
    def only_to_close(self) -> bool:
        """Is everything removed and the certificate drawn up, so that only the database is left to be compacted?"""
        return self.row.certificate is not None

    def forget(self) -> None:
        """Remove the person from the shop's tables; what they were known by stands in the row until all is done."""
        self.run.progress(5, message("erasure.step_shop"))
        source = get_source()
        assert isinstance(source, Erasing)  # `actions.request_erasure` has asked
        with transaction.atomic():
            if "shop" not in self.row.done:
                person = source.person(self.row.customer_id)
                if person is None:
                    raise self._vanished()
                self.row.person = asdict(person)
                self.row.done["shop"] = source.erase_customer(self.row.customer_id)
                self.run.progress(10, message("erasure.step_shop"))  # is the run still ours?
                self.row.save(update_fields=["person", "done"])
        # After the commit, by the database's clock: a training that begins from now on reads the shop without them.
        waiting = PersonalDataErasure.objects.filter(pk=self.row.pk, forgotten_at=None)
        waiting.update(forgotten_at=Now(), training_log_id=self.run.log_id)
        self.row.refresh_from_db()

    def clean_versions(self) -> None:
        """Take them out of the model files."""
        versions.clean(self.run, self.row)

    def clean_places(self) -> None:
        """Take them out of every place, and look whether they are gone. Raises NotAllGone."""
        needles = Needles(_person(self.row.person))
        every = places()
        for _pass in range(PASSES):
            self._clean_each(every, needles)
            self.run.progress(86, message("erasure.step_checking"))
            left = {place.name: count for place in every if (count := place.find(needles))}
            if not left:
                return
        where, count = ", ".join(sorted(left)), sum(left.values())
        raise NotAllGone(
            f"The person is still named in {count} row(s) or file(s) of {where}. Ask for the erasure again.",
            count=count,
            places=where,
        )

    def _clean_each(self, every: list[Place], needles: Needles) -> None:
        for at, place in enumerate(every):
            with transaction.atomic():
                self.run.progress(70 + 15 * at / len(every), message("erasure.step_places"))
                counts = self.row.done.setdefault("places", {})
                counts[place.name] = counts.get(place.name, 0) + place.erase(needles)
                self.row.save(update_fields=["done"])

    def draw_up(self) -> None:
        """Store the certificate and forget what the person was known by, in one transaction.

        The customer's id stays until the end: by it the erasure can be asked for again when the rest fails.
        """
        row = self.row
        with transaction.atomic():
            self.run.progress(90, message("erasure.step_space"))
            row.certificate = certificate.draw_up(row)
            row.person = {}
            row.save(update_fields=["certificate", "person"])

    def close(self) -> None:
        """Make the database give up what it keeps of deleted rows, then sign: now it is done."""
        self.run.progress(90, message("erasure.step_space"))
        told = space.compact()
        row = self.row
        with transaction.atomic():
            row.finished_at, row.customer_id = timezone.now(), ""
            row.certificate = {**(row.certificate or {}), "database": told, "finished_at": row.finished_at.isoformat()}
            certificate.sign(row)
            row.save(update_fields=["certificate", "customer_id", "finished_at", "sha256", "signature"])
            self.run.published({"erasure_id": row.pk})

    def _vanished(self) -> UnknownId:
        customer_id = self.row.customer_id
        return UnknownId(
            f"The shop has no customer with the id {customer_id}.", code="unknown_customer", customer_id=customer_id
        )


def _person(stored: dict[str, Any]) -> Person:
    """The person of a row; JSON has made lists of its tuples."""
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()}
    return Person(**values)
