"""What the API and the admin read of the stock and its alerts. Nothing here writes."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Avg, Case, CharField, Count, F, FloatField, Max, Min, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Abs, Cast, Coalesce, Floor, Substr

from ml_predictions import conf
from ml_predictions.messages import message
from ml_predictions.models_accuracy import Horizon, PastForecast
from ml_predictions.models_inventory import InventoryAlert, InventoryClaim

FEW_CLAIMS = 30
"""Fewer scored claims than this say little about a precision."""
BINS = 10
MOST_CLAIMS = 20
CAME = Case(When(came_true=True, then=Value(1.0)), default=Value(0.0), output_field=FloatField())
SCORED = Q(came_true__isnull=False)
Kind, Done = InventoryClaim.Kind, InventoryClaim.Done


def analysis(service: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """One page of the alerts of `service` (InventoryOptimizationService) that pass the filters of `wanted`.

    The summary is over all alerts; only the rows of the page get their reasons. Raises NotTrained.
    """
    import polars as pl

    found = service.analysis()
    rows = found.alerts
    for name in ("alert_type", "code", "category", "product_id"):
        if name in wanted:
            rows = rows.filter(pl.col(name) == wanted[name])
    if "min_urgency" in wanted:
        rows = rows.filter(pl.col("urgency_level") >= wanted["min_urgency"])
    if "search" in wanted:
        rows = rows.filter(_holds(wanted["search"]))
    name = wanted["ordering"].lstrip("-")
    if wanted["ordering"] != "-money_at_stake":  # the order that the alerts come in
        down = wanted["ordering"].startswith("-")
        rows = rows.sort([name, "sku"], descending=[down, False], nulls_last=True)
    first = (wanted["page"] - 1) * wanted["page_size"]
    return {
        "total_products_analyzed": found.total_analyzed,
        "as_of": found.as_of,
        "count": len(rows),
        "page": wanted["page"],
        "page_size": wanted["page_size"],
        "alerts": found.alert_rows(rows.slice(first, wanted["page_size"])),
        "summary": found.summary(),
        **found.note,
    }


def slow_moving(service: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """One page of the dead, slow and excess stock that passes the filters; the summary is over all that pass.

    Raises NotTrained.
    """
    import polars as pl

    from ml_predictions.services import inventory_idle

    analysis = service.analysis()
    terms = {name: wanted[name] for name in ("elasticity", "days")}
    rows = inventory_idle.found(analysis, **terms)
    for name in ("kind", "category", "supplier_id", "product_id"):
        if name in wanted:
            rows = rows.filter(pl.col(name) == wanted[name])
    if "min_cost" in wanted:
        rows = rows.filter(pl.col("stock_value") >= wanted["min_cost"])
    if "search" in wanted:
        rows = rows.filter(_holds(wanted["search"]))
    name = wanted["ordering"].lstrip("-")
    rows = rows.sort([name, "sku"], descending=[wanted["ordering"].startswith("-"), False], nulls_last=True)
    first = (wanted["page"] - 1) * wanted["page_size"]
    return {
        "as_of": analysis.as_of,
        "count": len(rows),
        "page": wanted["page"],
        "page_size": wanted["page_size"],
        "products": inventory_idle.rows(rows.slice(first, wanted["page_size"]), analysis),
        "summary": inventory_idle.summary(rows),
        "assumptions": inventory_idle.assumptions(**terms),
        "currency": analysis.currency,
        **analysis.note,
    }


def _holds(text: str) -> Any:
    """Does SKU or product name hold the text, in whatever case?"""
    import polars as pl

    names = ("sku", "product_name")
    return pl.any_horizontal(pl.col(n).str.to_lowercase().str.contains(text.lower(), literal=True) for n in names)


def variant(service: Any, variant_id: str) -> dict[str, Any]:
    """One variant explained, with how forecasts of its product and claims about it have done. Raises as `explain`."""
    found = service.explain(variant_id)
    past = PastForecast.objects.filter(level="product", object_id=found["product_id"], actual__isnull=False)
    sums = past.filter(horizon=Horizon.WEEK).aggregate(
        weeks=Count("id"),
        came=Sum("actual"),
        forecast=Sum("mean"),
        error=Sum(Abs(F("mean") - F("actual"))),
        naive=Sum(Abs(F("naive") - F("actual"))),
    )
    past_claims = InventoryClaim.objects.filter(variant_id=variant_id).exclude(kind=Kind.RULE).exclude(scored_on=None)
    columns = ("kind", "code", "made_on", "due_on", "probability", "came_true", "units_came", "money_came", "done")
    return found | {
        "past_forecasts": {name: _rounded(sums[name]) if sums["weeks"] else None for name in sums} | {
            "weeks": sums["weeks"], "level": "product",
        },
        "past_claims": list(past_claims.order_by("-made_on", "-id").values(*columns)[:MOST_CLAIMS]),
    }  # fmt: skip


# --- the alerts worth the owner's time ------------------------------------------------------------


def digest() -> dict[str, Any]:
    """The alerts of today: those with the most money expected, as many as `ALERTS_A_DAY`; the rest is counted.

    Neither those that somebody has seen nor the snoozed ones are among them; they are counted too. `alerts` are rows.
    """
    today, most = conf.shop_today(), int(conf.get("ALERTS_A_DAY"))
    awake = InventoryAlert.objects.awake(today)
    unseen = awake.filter(acknowledged_at=None)
    alerts = list(unseen.order_by("-expected_money", "-urgency_level", "id")[:most])
    all_, seen = _counted(unseen), _counted(awake.exclude(acknowledged_at=None))
    shown = sum(alert.expected_money for alert in alerts)
    rest = {"count": all_["count"] - len(alerts), "money": max(round(all_["money"] - shown, 2), 0.0)}
    code = "inventory.digest_rest" if rest["count"] else "inventory.digest_all" if alerts else "inventory.digest_none"
    return {
        "today": today,
        "alerts_a_day": most,
        "alerts": alerts,
        "rest": rest,
        "acknowledged": seen,
        "snoozed": _counted(InventoryAlert.objects.active().filter(snoozed_until__gt=today)),
        "sentence": message(code, shown=len(alerts), **rest, currency=_currency()),
    }


def _counted(rows: QuerySet[InventoryAlert]) -> dict[str, Any]:
    found = rows.order_by().aggregate(count=Count("id"), money=Coalesce(Sum("expected_money"), 0.0))
    return {"count": found["count"], "money": round(found["money"], 2)}


def _currency() -> str:
    from ml_predictions.sources import currency_of, get_source

    return currency_of(get_source())


# --- was it right? --------------------------------------------------------------------------------


def value(wanted: dict[str, Any]) -> dict[str, Any]:
    """What alerts and order suggestions promised and what came: per code, by probability, by month; and a naive rule.

    `wanted`: since (claims made from that day on), until, kind, code and variant_id, each of them optional.
    """
    claims = _claims(wanted)
    ours = claims.exclude(kind=Kind.RULE)
    ends = claims.aggregate(until=Max("due_on", filter=SCORED))
    month = Substr(Cast("made_on", CharField()), 1, 7)  # SQLite would call Python for the month of each row
    return {
        "scored_until": ends["until"],
        **claims_by_code(wanted),
        "calibration": _calibration(ours.filter(SCORED, probability__isnull=False)),
        "months": [_per_month(row) for row in _grouped(ours.annotate(month=month), "month")],
        "currency": _currency(),
    }


def claims_by_code(wanted: dict[str, Any]) -> dict[str, Any]:
    """`codes` and `notes` of `value`, which a page shows: two queries."""
    claims = _claims(wanted)
    codes = [_per_code(row) for row in _grouped(claims, "kind", "code")]
    first = claims.filter(scored_on=None).aggregate(first=Min("due_on"))["first"]
    return {
        "codes": sorted(codes, key=lambda row: (list(Kind.values).index(row["kind"]), row["code"])),
        "notes": _value_notes(codes, first),
    }


def _claims(wanted: dict[str, Any]) -> QuerySet[InventoryClaim]:
    names = {"since": "made_on__gte", "until": "made_on__lte"}
    return InventoryClaim.objects.filter(**{names.get(name, name): value for name, value in wanted.items()}).order_by()


def _grouped(claims: QuerySet[InventoryClaim], *by: str) -> list[dict[str, Any]]:
    """Sums of the claims by some columns, in the order of these."""
    chance = Q(SCORED, probability__isnull=False)
    base = Q(SCORED, base_rate__isnull=False, probability__isnull=False)
    promised = Q(SCORED, money__isnull=False, money_came__isnull=False)
    rows = claims.values(*by).annotate(
        claims=Count("id"),
        waiting=Count("id", filter=Q(scored_on=None)),
        scored=Count("id", filter=SCORED),
        true=Count("id", filter=Q(came_true=True)),
        money_promised=Sum("money", filter=promised),
        money_came=Sum("money_came", filter=promised),
        mean_base=Avg("base_rate", filter=SCORED),
        mean_probability=Avg("probability", filter=chance),
        brier=Avg((F("probability") - CAME) ** 2, filter=chance, output_field=FloatField()),
        brier_here=Avg((F("probability") - CAME) ** 2, filter=base, output_field=FloatField()),
        brier_base=Avg((F("base_rate") - CAME) ** 2, filter=base, output_field=FloatField()),
        **{f"unknown_{code}": Count("id", filter=Q(unknown=code)) for code in InventoryClaim.Unknown.values},
        **{f"done_{name}": Count("id", filter=Q(done=name)) for name in Done.values},
    )
    return list(rows.order_by(*by))


def _per_code(row: dict[str, Any]) -> dict[str, Any]:
    better = row["brier_base"] and row["brier_here"] is not None
    return {
        "kind": row["kind"],
        "code": row["code"],
        "claims": row["claims"],
        "waiting": row["waiting"],
        "scored": row["scored"],
        "came_true": row["true"],
        "precision": _share(row["true"], row["scored"]),
        "base_rate": _rounded(row["mean_base"]),
        "mean_probability": _rounded(row["mean_probability"]),
        "brier": _rounded(row["brier"]),
        "brier_skill": round(1 - row["brier_here"] / row["brier_base"], 4) if better else None,
        **_money_of(row),
        "unknown": {code: row[f"unknown_{code}"] for code in InventoryClaim.Unknown.values},
        "done": {name: row[f"done_{name}"] for name in Done.values},
    }


def _per_month(row: dict[str, Any]) -> dict[str, Any]:
    counts = {"claims": row["claims"], "scored": row["scored"], "precision": _share(row["true"], row["scored"])}
    return {"month": date.fromisoformat(f"{row['month']}-01"), **counts, **_money_of(row)}


def _money_of(row: dict[str, Any]) -> dict[str, float | None]:
    return {name: None if row[name] is None else round(row[name], 2) for name in ("money_promised", "money_came")}


def _calibration(claims: QuerySet[InventoryClaim]) -> list[dict[str, Any]]:
    """Claims by tenths of their probability: what was said on average, and how often it came."""
    rows = claims.annotate(bin=Floor(F("probability") * BINS)).values("bin")
    rows = rows.annotate(n=Count("id"), said=Sum("probability"), came=Sum(CAME)).order_by("bin")
    found: dict[int, list[float]] = {}
    for row in rows:
        place = min(int(row["bin"]), BINS - 1)  # certainty itself belongs to the last tenth
        sums = found.setdefault(place, [0.0, 0.0, 0.0])
        found[place] = [a + b for a, b in zip(sums, (row["n"], row["said"], row["came"]), strict=True)]
    return [
        {
            "from": place / BINS,
            "to": (place + 1) / BINS,
            "claims": int(n),
            "predicted": round(said / n, 4),
            "observed": round(came / n, 4),
        }
        for place, (n, said, came) in sorted(found.items())
    ]


def _value_notes(codes: list[dict[str, Any]], first: Any) -> list[dict[str, Any]]:
    scored = [row["scored"] for row in codes if row["scored"]]
    notes = []
    if not codes:
        notes.append(message("inventory.value_none"))
    elif not scored:
        notes.append(message("inventory.value_waiting", day=first) if first else message("inventory.value_unknown"))
    else:
        notes.append(message("inventory.value_counts"))
        if min(scored) < FEW_CLAIMS:
            notes.append(message("inventory.value_few", fewest=min(scored), needed=FEW_CLAIMS))
    if missing := sum(row["unknown"]["no_stock_history"] for row in codes):
        notes.append(message("inventory.value_no_history", count=missing))
    return notes


def _share(part: int, of: int) -> float | None:
    return round(part / of, 4) if of else None


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)
