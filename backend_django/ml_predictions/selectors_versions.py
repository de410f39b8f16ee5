"""The report of one version: what it is, what stands behind it, and whether it can be had again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ml_predictions.messages import message
from ml_predictions.models import MLModel
from ml_predictions.services import get_service

WHY = ("sentence", "why", "reason")
"""Where the receipts of the services keep the sentence that sums them up."""
PEOPLE = ("customer", "page")
"""Where the report says what a sample of customers costs: on the first surface of these that was tested."""

FIGURES = {
    "sales_forecast": ("metrics__wape", "metrics__baseline__wape"),
    "product_recommendation": ("metrics__hit_rate_10", "metrics__baseline__hit_rate_10"),
    "customer_segmentation": ("receipt__error__revenue__mae", "receipt__baseline__revenue__mae"),
    "inventory_optimization": ("metrics__replay__total_cost", "metrics__replay__baseline__total_cost"),
}
"""The one figure of each service that tells versions apart, and the naive baseline's on the same test."""
MOST_VERSIONS = 20


def over_time() -> dict[str, list[dict[str, Any]]]:
    """Per service the figure of its last versions beside its baseline's, the oldest first; those that were tested.

    A row has `id, version, trained_at, is_active, value, baseline`. A query per service, of the figures alone.
    """
    names = ("id", "version", "trained_at", "is_active")
    found = {}
    for service, figures in FIGURES.items():
        rows = MLModel.objects.filter(service=service).order_by("-id").values_list(*names, *figures)[:MOST_VERSIONS]
        tested = [dict(zip((*names, "value", "baseline"), row, strict=True)) for row in rows if row[-2] is not None]
        found[service] = tested[::-1]
    return found


def report(model: MLModel) -> dict[str, Any]:
    """The receipt of a version with its sentences (messages), its file's state and what has changed since."""
    from ml_predictions import artifacts  # it brings NumPy along, which the server's start does without

    refused = _refused(model)
    now = artifacts.libraries()
    changed = sorted(name for name in now if model.libraries.get(name) != now[name])
    log = model.training_log
    return {
        "sentences": list(_sentences(model, refused, changed)),
        "comparison": model.comparison,
        "metrics": model.metrics,
        "receipt": model.receipt,
        "parameters": model.parameters,
        "fingerprint": model.fingerprint,
        "libraries": model.libraries,
        "changed_since": changed,
        "file": {"name": model.artifact, "sha256": model.artifact_sha256, "whole": refused is None, "reason": refused},
        "training": log
        and {
            "id": log.pk,
            "cause": log.cause,
            "requested_by": log.requested_by,
            "started_at": log.started_at,
            "duration_seconds": log.duration_seconds,
        },
    }


def _refused(model: MLModel) -> str | None:
    """Why the file of a version is refused; None for a whole one."""
    from ml_predictions import artifacts

    try:
        get_service(model.service).content(model)
    except artifacts.ArtifactRefused as error:
        return str(error.reason)
    return None


def _sentences(model: MLModel, refused: str | None, changed: list[str]) -> Iterator[dict[str, Any]]:
    told = {"version": model.version, "service": model.service, "method": model.model_type}
    yield message("report.what", **told, as_of=model.as_of.isoformat(), trained_on=model.trained_at.date().isoformat())
    seen = {name: model.fingerprint.get(name) for name in ("orders", "lines", "customers", "products")}
    if all(count is not None for count in seen.values()):
        yield message("report.data", **seen)
    yield from _evidence(model)
    yield from _sample(model)
    yield from _people(model.receipt.get("people"))
    if model.comparison:
        yield model.comparison["sentence"]
    if model.is_active and model.activated_at:
        yield message("report.serves", since=model.activated_at.date().isoformat())
    elif model.activated_at:
        until = model.retired_at or model.activated_at
        days = {"since": model.activated_at.date().isoformat(), "until": until.date().isoformat()}
        yield message("report.served", **days)
    else:
        yield message("report.never_served")
    yield message("report.file_refused", reason=refused) if refused else message("report.file_whole")
    if changed:
        yield message("report.changed", names=", ".join(changed))


def _evidence(model: MLModel) -> Iterator[dict[str, Any]]:
    """How it was tested, beside the naive method; the services' own sentence where they have one."""
    receipt = model.receipt
    if model.service == "sales_forecast":
        if receipt.get("wape") is None or receipt.get("baseline_wape") is None:
            yield message("report.untested")
            return
        errors = {"wape": _percent(receipt["wape"]), "baseline": _percent(receipt["baseline_wape"])}
        yield message("report.forecast", **errors, origins=receipt["origins"], days=receipt["horizon_days"])
        if receipt.get("coverage_80") is not None:
            yield message("report.coverage", **{n: _percent(receipt[n]) for n in ("coverage_80", "coverage_95")})
        return
    if model.service == "customer_segmentation" and receipt.get("error") and receipt.get("baseline"):
        errors = {"error": receipt["error"]["revenue"]["mae"], "baseline": receipt["baseline"]["revenue"]["mae"]}
        yield message("report.customers", **errors, customers=receipt["customers"], days=receipt["period"]["days"])
        return
    found = next((receipt[name] for name in WHY if isinstance(receipt.get(name), dict)), None)
    yield found if found and "code" in found else message("report.untested")


def _sample(model: MLModel) -> Iterator[dict[str, Any]]:
    """From how many of how many rows was learned, and what that costs; nothing where it was from all."""
    forecast = model.service == "sales_forecast"
    sample = (model.receipt.get("product", {}) if forecast else model.receipt).get("sample")
    if not sample:
        return
    told = {name: sample[name] for name in ("rows", "of")}
    of = "wape_week" if forecast else "ndcg_10"
    if sample[of] is None:
        yield message("report.sample_untested", **told)
        return
    shares = _halved(sample, of)
    if forecast:
        yield message("report.sample", **told, **shares, origins=sample["origins"])
    else:
        yield message("report.sample_lists", **told, **shares, cases=sample["cases"])


def _people(drawn: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Of what share of the customers lists were learned, and what that costs; nothing where it was of all."""
    if not drawn:
        return
    told = {"share": _percent(drawn["share"])}
    surface = next((name for name in PEOPLE if name in drawn["surfaces"]), None)
    if surface is None:
        yield message("report.people_untested", **told)
        return
    found = drawn["surfaces"][surface]
    yield message(f"report.people_{surface}", **told, **_halved(found, "ndcg_10"), cases=found["cases"])


def _halved(found: dict[str, Any], of: str) -> dict[str, float]:
    """What a sample reached in the measure `of`, what half of it did, and the naive method; per cent."""
    keys = {"whole": of, "half": f"{of}_half", "baseline": f"baseline_{of}"}
    return {name: round(100 * found[key], 2) for name, key in keys.items()}


def _percent(share: float) -> float:
    return round(100 * share, 1)
