"""Customer segmentation: who the customers are, in six named segments, and what they are likely to spend.

The mathematics is `retail_ml.segment`; here the shop is read and the version published. `customer_rows` keeps the
result as arrays and writes one row per customer, `customer_sentences` says why and what to do, `customer_history`
keeps what each training changed.
"""

from __future__ import annotations

import logging
from typing import Any

import polars as pl

from ml_predictions import conf
from ml_predictions.artifacts import ArtifactRefused, Content
from ml_predictions.messages import message
from ml_predictions.models import CustomerSegment, MLModel
from ml_predictions.models_segments import SegmentSnapshot
from ml_predictions.services import customer_history
from ml_predictions.services.base import Service, TrainingRun, Version
from ml_predictions.services.customer_rows import insert_customers, pack, remembered, unpack, without
from ml_predictions.sources import currency_of
from ml_predictions.sources.base import customer_lines
from retail_ml.errors import FEWEST_SALES, BadParameter, NotEnoughHistory, UnknownId
from retail_ml.segment import BLEND, Memory, Money, Segmentation, check_clusters, margin_share, segment_customers

log = logging.getLogger(__name__)

CHUNK = 20_000


class CustomerSegmentationService(Service):
    """`train` publishes a version with one `CustomerSegment` per customer; `segment` answers for one."""

    name = "customer_segmentation"
    rows = CustomerSegment
    _moves: tuple[pl.DataFrame | None, int | None] = (None, None)
    """Who changed segment in the training under way, and the version that it goes back to."""

    def train(self, run: TrainingRun, *, n_clusters: int = 6, **unknown: Any) -> MLModel:
        """Segment every customer with an order and publish the version.

        n_clusters: 2…12; other than six, the clusters share the six names (metrics `cluster_names`). Raises
        BadParameter and NotEnoughHistory (under 10 sales, or no customer among them).
        """
        check_clusters(n_clusters)
        if unknown:
            raise BadParameter(
                f"Customer segmentation takes n_clusters and nothing else; {', '.join(unknown)} was given",
                code="bad_parameter.not_known",
                field=min(unknown),
                service=self.name,
                allowed=["n_clusters"],
            )
        until = self.reads.data_until()
        if until is None:
            raise NotEnoughHistory(
                f"Segmenting customers needs {FEWEST_SALES} sales; the shop has none.",
                code="segment.not_enough_sales",
                needed=FEWEST_SALES,
                found=0,
            )
        run.progress(5, message("segment.step_reading"))
        lines, sold = customer_lines(self.reads)
        run.progress(40, message("segment.step_grouping"))
        margin, covered = margin_share(sold, self.reads.stock().select("variant_id", "cost"))
        money = Money(margin, covered, conf.get("VALUE_DISCOUNT"))
        memory, follows, unreadable = self._memory()
        result = segment_customers(
            lines, until.as_of, n_clusters=n_clusters, seed=conf.get("SEED"), money=money, memory=memory
        )
        del lines, sold, memory
        if unreadable:
            result.metrics["map"]["reason"] = unreadable
        run.progress(70, message("segment.step_saving"))
        self._moves = (result.changes, follows if result.changes is not None else None)
        return self.publish(run, [self._version(result, n_clusters)])

    def segment(self, customer_id: str) -> CustomerSegment:
        """The row of one customer, with its version (`row.model`).

        Raises NotTrained, UnknownId (the shop has no such customer), or NotEnoughHistory `customer_without_orders`.
        """
        found = CustomerSegment.objects.filter(
            model__service=self.name, model__is_active=True, customer_id=str(customer_id)
        )
        row = found.select_related("model").first()
        if row is not None:
            return row
        as_of = self.active().as_of.isoformat()
        if not self.source.customer_exists(str(customer_id)):
            raise UnknownId(
                f"The shop has no customer with the id {customer_id}.", code="unknown_customer", customer_id=customer_id
            )
        raise NotEnoughHistory(
            f"The customer {customer_id} is known, but has no order up to {as_of}: nobody can be segmented before the "
            "first one. After an order, train the segmentation again.",
            code="customer_without_orders",
            customer_id=customer_id,
            as_of=as_of,
        )

    def write_rows(self, model: MLModel, content: Content) -> None:
        """One row per customer, from the file alone; the first time, also what this training adds to the history."""
        customers = unpack(content)
        insert_customers(customers, model.pk, currency=currency_of(self.source), chunk=CHUNK)
        if not SegmentSnapshot.objects.filter(version=model.version).exists():
            changes, follows = self._moves
            customer_history.write(model, customers, changes, follows=follows)
        self._moves = (None, None)

    def _memory(self) -> tuple[Memory | None, int | None, dict[str, Any] | None]:
        """What the version in service remembers, its number, and why there is no memory where it cannot be read."""
        model = MLModel.objects.filter(service=self.name, is_active=True).first()
        if model is None:
            return None, None, None
        try:
            return remembered(self.content(model)), model.version, None
        except ArtifactRefused as error:
            log.warning("Segments start anew: %s", error)
            return None, None, message("segment.map_unreadable", version=model.version)

    def without_customer(self, content: Content, customer_id: str) -> Content | None:
        """The version without this customer's row."""
        return without(content, customer_id)

    def train_again(self, run: TrainingRun, model: MLModel) -> MLModel:
        """With as many clusters as before."""
        return self.train(run, n_clusters=model.parameters.get("n_clusters", 6))

    @staticmethod
    def _version(result: Segmentation, n_clusters: int) -> Version:
        metrics = result.metrics
        return Version(
            model_type=f"{result.groups.method}_rfm",
            content=pack(result),
            metrics=metrics,
            receipt=_receipt(metrics),
            as_of=result.as_of,
            parameters={"n_clusters": n_clusters, "seed": conf.get("SEED")},
            beats_baseline=result.beats_baseline,
            why=_why(metrics["clv"], result.beats_baseline),
        )


def _why(clv: dict[str, Any], beats: bool | None) -> dict[str, Any]:
    """Which prediction of the lifetime value serves, and why."""
    if clv["model"] is None:
        return message("segment.value_none")
    if clv["model"] != BLEND:
        return message("segment.value_naive", method=clv["model"])
    return message(
        "segment.value_blend" if beats else "segment.value_blend_noise", method=clv["holdout"]["baseline"]["name"]
    )


def _receipt(metrics: dict[str, Any]) -> dict[str, Any]:
    """The back-test behind the values and chances: method, baseline, error, coverage, period."""
    clv = metrics["clv"]
    tested = clv["holdout"] or {}
    return {
        "method": clv["model"],
        "reason": clv["reason"],
        "period": {key: tested.get(key) for key in ("from", "until", "days")},
        "customers": tested.get("customers"),
        "error": tested.get("methods", {}).get(clv["model"]),
        "baseline": tested.get("baseline"),
        "coverage": tested.get("coverage"),
        "coverage_promised": tested.get("coverage_promised"),
        "probability": clv["probability"],
        "silhouette": metrics["silhouette_score"],
    }
