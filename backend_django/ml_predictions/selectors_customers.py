"""What the API and the admin read of the customers' segments: lists, sums, movement. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum

from ml_predictions import selectors_sums
from ml_predictions.messages import message
from ml_predictions.messages.readable import NAMES as READABLE
from ml_predictions.models import CustomerSegment, MLModel
from ml_predictions.models_segments import Driver, Segment, SegmentChange, SegmentSnapshot
from retail_ml.errors import BadParameter

SEGMENTS: list[str] = list(Segment.values)
MOST_FOUND = 1_000
"""Customers that a search by name or e-mail may find."""
MOST_TOLD = 3
"""Moves that are told in sentences."""


def active() -> MLModel:
    """The segmentation in service; raises NotTrained."""
    from ml_predictions.services import get_service

    return get_service("customer_segmentation").active()


def rows() -> QuerySet[CustomerSegment]:
    """The customers of the version in service, who spent most first; raises NotTrained."""
    return CustomerSegment.objects.filter(model=active()).order_by("-total_spent", "id")


# --- people ---------------------------------------------------------------------------------------


def contacts(ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Name and e-mail by id of those customers that the shop knows by them: one read, none for a shop without."""
    from ml_predictions.sources import get_source

    read = getattr(get_source(), "contacts", None)
    if read is None or not ids:
        return {}
    return {row.pop("customer_id"): row for row in read(ids).iter_rows(named=True)}


def search(customers: QuerySet[CustomerSegment], text: str) -> QuerySet[CustomerSegment]:
    """Those of `customers` whose id is `text`, or whose name, e-mail or number in the shop contains it.

    Raises BadParameter when more than MOST_FOUND match.
    """
    from ml_predictions.sources import get_source

    find = getattr(get_source(), "find_customers", None)
    found = find(text, most=MOST_FOUND + 1) if find is not None else []
    if len(found) > MOST_FOUND:
        raise BadParameter(
            f"More than {MOST_FOUND} customers match “{text}”. Write more of the name or the e-mail.",
            code="too_many_found", field="search", most=MOST_FOUND, search=text,
        )  # fmt: skip
    return customers.filter(Q(customer_id=text) | Q(customer_id__in=found))


def in_parts(customers: QuerySet[CustomerSegment], size: int) -> Iterator[list[CustomerSegment]]:
    """The rows of a query, so many at a time, without keeping the others."""
    part: list[CustomerSegment] = []
    for row in customers.iterator(chunk_size=size):
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


# --- the segments as a whole ----------------------------------------------------------------------


def summary() -> dict[str, Any]:
    """Size, money and prospects of each segment, and what belongs to none. Three queries at most. Raises NotTrained."""
    model = active()
    found = selectors_sums.of_segments(model)
    total = {name: _add(row[name] for row in found.values()) for name in ("customers", "spent", "year", "value")}
    segments = [_segment(name, found.get(name), total) for name in SEGMENTS]
    metrics = model.metrics
    clv, drawn = metrics.get("clv") or {}, metrics.get("map") or {}
    return {
        "as_of": model.as_of,
        "model": model,
        "total_customers": total["customers"] or 0,
        "segments": segments,
        "totals": {
            "spent": _money(total["spent"]),
            "spent_last_year": _money(total["year"]),
            "expected_12_months": _money(total["value"]),
            "money_at_risk": _money(_add(part["money_at_risk"] for part in segments)),
            "expected_buyers_90d": _add(part["expected_buyers_90d"] for part in segments),
        },
        "guests": metrics.get("guests"),
        "only_returns": metrics.get("only_returns"),
        "clusters": drawn.get("names") or None,
        "value": {"model": clv.get("model"), "reason": clv.get("reason"), "receipt": model.receipt},
        "explanation": _told(metrics, drawn, _currency(model)),
    }


def _segment(name: str, found: dict[str, Any] | None, total: dict[str, Any]) -> dict[str, Any]:
    row = found or dict.fromkeys(("spent", "year", "value", "risk", "buyers", "recency", "orders"))
    return {
        "segment": name,
        "name": str(READABLE[name]),
        "customers": row.get("customers", 0),
        "share": _share(row.get("customers", 0), total["customers"]),
        "spent": _money(row["spent"]),
        "spent_share": _share(row["spent"], total["spent"]),
        "spent_last_year": _money(row["year"]),
        "expected_12_months": _money(row["value"]),
        "expected_share": _share(row["value"], total["value"]),
        "money_at_risk": _money(row["risk"]),
        "expected_buyers_90d": None if row["buyers"] is None else round(row["buyers"], 1),
        "overdue_customers": row.get("overdue", 0),
        "average_recency_days": None if row["recency"] is None else round(row["recency"], 1),
        "average_orders": None if row["orders"] is None else round(row["orders"], 2),
    }


def _told(metrics: dict[str, Any], drawn: dict[str, Any], currency: str) -> list[dict[str, Any]]:
    """How the groups came about, as messages."""
    told = [metrics.get("method_reason"), drawn.get("reason"), *drawn.get("merged", [])]
    guests = metrics.get("guests") or {}
    if guests.get("orders"):
        told.append(message("segment.guests", **guests, currency=currency))
    if metrics.get("only_returns"):
        told.append(message("segment.only_returns", customers=metrics["only_returns"]))
    return [one for one in told if one]


def _currency(model: MLModel) -> str:
    """That of the figures of a version."""
    return str(model.fingerprint.get("currency") or "")


def _add(values: Iterable[Any]) -> Any:
    """The sum of those that are known; None when none is."""
    known = [value for value in values if value is not None]
    return round(sum(known), 2) if known else None


def _money(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _share(part: float | None, whole: float | None) -> float | None:
    return round(part / whole, 4) if part is not None and whole and whole > 0 else None


# --- movement -------------------------------------------------------------------------------------


def migration(wanted: dict[str, Any]) -> dict[str, Any]:
    """Who moved from which segment to which between two trainings, why, and the money that moved. Three queries.

    wanted: `from`, `to` (days: the last training by then) or `from_version`, `to_version`; by default the version in
    service and the one before it. Only trainings that the version in service goes back to are compared: one that was
    put aside by going back to an older version is not part of its history. Raises NotTrained and BadParameter.
    """
    model = active()
    line = SegmentSnapshot.objects.lineage(model.version)
    end = _training(line, wanted, "to") or line[-1]
    start = _training(line, wanted, "from") or line[max(line.index(end) - 1, 0)]
    if line.index(start) > line.index(end):
        raise BadParameter(
            f"The training to compare with, of {start.as_of}, is later than the other, of {end.as_of}; exchange them.",
            code="backwards", field="from", start=start.as_of.isoformat(), end=end.as_of.isoformat(),
        )  # fmt: skip
    between = line[line.index(start) + 1 : line.index(end) + 1]
    found = _moved(start, end, _journeys([snapshot.pk for snapshot in between]), line)
    told = _sentences(found["moves"], _currency(model)) if start != end else [message("segment.one_training")]
    return {**found, "explanation": told}


def _training(line: list[SegmentSnapshot], wanted: dict[str, Any], side: str) -> SegmentSnapshot | None:
    """The training that `from` (`to`) or `from_version` (`to_version`) names; None when nothing is asked."""
    version, day = wanted.get(f"{side}_version"), wanted.get(side)
    if version is not None:
        for snapshot in line:
            if snapshot.version == version:
                return snapshot
        known = ", ".join(str(snapshot.version) for snapshot in line[-10:])
        raise BadParameter(
            f"Version {version} is not among the trainings that lead to the version in service: {known}.",
            code="no_such_version", field=f"{side}_version", version=version, known=known,
        )  # fmt: skip
    if day is None:
        return None
    found = [snapshot for snapshot in line if snapshot.as_of <= day]
    if not found:
        raise _too_early(side, day, line[0].as_of)
    return found[-1]


def _too_early(side: str, day: date, first: date) -> BadParameter:
    return BadParameter(
        f"No training on or before {day} leads to the version in service; the history goes back to {first}.",
        code="no_such_training", field=side, day=day.isoformat(), first=first.isoformat(),
    )  # fmt: skip


def _journeys(snapshots: list[int]) -> list[dict[str, Any]]:
    """From where to where customers went in these trainings, added up: `before, after, driver, customers`, and money.

    Who changed more than once goes from the first segment to the last, for the last reason; who is back, nowhere.
    """
    changes = SegmentChange.objects.filter(snapshot__in=snapshots).order_by()
    if len(snapshots) == 1:  # no customer changes twice in one training: the database adds up
        found = changes.values("before", "after", "driver").annotate(
            customers=Count("id"), value_before=Sum("value_before"), value_after=Sum("value_after")
        )
        return [dict(row) for row in found]
    import polars as pl

    columns = ("customer_id", "before", "after", "driver", "value_before", "value_after")
    schema = {name: pl.Float64 if name.startswith("value") else pl.String for name in columns}
    table = pl.DataFrame(
        list(changes.order_by("snapshot__version", "id").values_list(*columns)), schema=schema, orient="row"
    )
    ends = table.group_by("customer_id", maintain_order=True).agg(
        pl.col("before", "value_before").first(), pl.col("after", "driver", "value_after").last()
    )
    added = ends.filter(pl.col("before") != pl.col("after")).group_by("before", "after", "driver").agg(
        pl.len().alias("customers"),
        *(pl.when(pl.col(c).count() > 0).then(pl.col(c).sum()).alias(c) for c in ("value_before", "value_after")),
    )  # fmt: skip
    return added.sort("before", "after", "driver").to_dicts()


def _moved(
    start: SegmentSnapshot, end: SegmentSnapshot, journeys: list[dict[str, Any]], line: list[SegmentSnapshot]
) -> dict[str, Any]:
    matrix = {name: dict.fromkeys(SEGMENTS, 0) for name in SEGMENTS}
    arrived, left = dict.fromkeys(SEGMENTS, 0), dict.fromkeys(SEGMENTS, 0)
    for journey in journeys:
        before, after, customers = journey["before"], journey["after"], journey["customers"]
        if before and after:
            matrix[before][after] += customers
        elif after:
            arrived[after] += customers
        elif before:
            left[before] += customers
    first, last = (
        {name: snapshot.segments.get(name, {}).get("customers", 0) for name in SEGMENTS} for snapshot in (start, end)
    )
    for name in SEGMENTS:
        matrix[name][name] = first[name] - sum(matrix[name].values()) - left[name]
        # People erased since have no changes any more, but were counted then.
        gone = sum(matrix[other][name] for other in SEGMENTS) + arrived[name] - last[name]
        left[name] += max(gone, 0)
        arrived[name] += max(-gone, 0)
        matrix[name][name] -= max(gone, 0)
    moves = _moves(matrix, journeys)
    return {
        "from": _dated(start),
        "to": _dated(end),
        "trainings": [_dated(snapshot) for snapshot in line],
        "segments": [
            {"segment": n, "name": str(READABLE[n]), "before": first[n], "after": last[n], "arrived": arrived[n],
             "left": left[n]}
            for n in SEGMENTS
        ],
        "matrix": matrix,
        "shares": {name: _row_shares(row) for name, row in matrix.items()},
        "stayed": sum(matrix[name][name] for name in SEGMENTS),
        "moved": sum(move["customers"] for move in moves),
        "moves": moves,
    }  # fmt: skip


def _dated(snapshot: SegmentSnapshot) -> dict[str, Any]:
    return {"version": snapshot.version, "as_of": snapshot.as_of}


def _row_shares(row: dict[str, int]) -> dict[str, float | None]:
    total = sum(row.values())
    return {name: _share(count, total) for name, count in row.items()}


def _moves(matrix: dict[str, dict[str, int]], journeys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells off the diagonal, most customers first, each with its money and drivers."""
    found = []
    for before in SEGMENTS:
        for after in SEGMENTS:
            parts = [j for j in journeys if j["before"] == before and j["after"] == after]
            if not parts:
                continue
            drivers = sorted(parts, key=lambda part: (-part["customers"], part["driver"]))
            was, now = _add(p["value_before"] for p in parts), _add(p["value_after"] for p in parts)
            found.append(
                {
                    "from": before,
                    "to": after,
                    "customers": matrix[before][after],
                    "share": _share(matrix[before][after], sum(matrix[before].values())),
                    "value_before": was,
                    "value_after": now,
                    "value_change": None if was is None or now is None else round(now - was, 2),
                    "drivers": [
                        {"driver": p["driver"], "name": Driver(p["driver"]).label, "customers": p["customers"]}
                        for p in drivers
                    ],
                }
            )
    return sorted(found, key=lambda move: (-move["customers"], move["from"], move["to"]))


def _sentences(moves: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    told = []
    for move in moves[:MOST_TOLD]:
        figures = {"customers": move["customers"], "segment": move["from"], "rival": move["to"],
                   "driver": move["drivers"][0]["driver"]}  # fmt: skip
        if move["value_change"] is None:
            told.append(message("segment.moved_most_count", **figures))
        else:
            money = {"before": move["value_before"], "after": move["value_after"], "currency": currency}
            told.append(message("segment.moved_most", **figures, **money))
    return told or [message("segment.nobody_moved")]


def changed_since(day: date) -> Q:
    """Customers whose segment changed on or after this day."""
    return Q(changed_on__gte=day) & ~Q(previous_segment=F("segment"))


# --- one customer, and the picture of all ------------------------------------------------------------


def one(customer_id: str) -> CustomerSegment:
    """A customer's row in the version in service. Raises NotTrained, UnknownId, NotEnoughHistory."""
    from ml_predictions.services import get_service

    service: Any = get_service("customer_segmentation")
    row: CustomerSegment = service.segment(customer_id)
    return row


def orders(customer_id: str) -> list[dict[str, Any]]:
    """What a customer bought, live: `order_id`, `day`, `units`, `amount` of each order, the newest first."""
    import polars as pl

    from ml_predictions.sources import get_source

    lines = get_source().order_lines(customer_id=customer_id)
    found = lines.group_by("order_id").agg(pl.col("day").min(), pl.col("units", "amount").sum())
    return found.sort("day", "order_id", descending=True).to_dicts()


def points(most: int) -> list[dict[str, Any]]:
    """Recency, spending and segment of at most so many customers, evenly drawn: for a picture. Raises NotTrained.

    Every so many numbers of the rows one is read, by itself: reading all to leave most of them out takes longer.
    """
    from ml_predictions.sources import scans  # it brings Polars along, which the server's start does without

    model = active().pk
    chosen = CustomerSegment.objects.filter(model=model)
    first, last = (chosen.aggregate(end=end("id"))["end"] for end in (Min, Max))  # together SQLite would read all
    if first is None:
        return []
    step = -(-(last - first + 1) // most)
    if step > 1:  # by their numbers alone: with the version as well SQLite would read all of its rows
        drawn = scans.one_of("id", range(first, last + 1, step))
        chosen = CustomerSegment.objects.filter(drawn)
    columns = ("segment", "recency_days", "total_spent", "total_orders")
    found = chosen.order_by("id").values("model_id", *columns)
    return [{name: row[name] for name in columns} for row in found if row["model_id"] == model]
