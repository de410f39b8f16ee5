"""What one training leaves to the next: the map, and who was where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from retail_ml.segment.changes import quiet
from retail_ml.segment.groups import Groups, group
from retail_ml.segment.naming import NAMES
from retail_ml.segment.review import Frozen, judge
from retail_ml.segment.space import logs


@dataclass(frozen=True)
class Memory:
    """A training as the next one remembers it: `customers` (`model.RESULT`) as of `as_of`, the map drawn on `drawn`.

    frozen is None where there were no clusters (few customers).
    """

    as_of: date
    customers: pl.DataFrame
    frozen: Frozen | None
    drawn: date

    def kept(self, known: pl.DataFrame, ids: pl.Series, as_of: date) -> NDArray[np.int8]:
        """The name, before the guards, of each customer who has not ordered since; -1 for the others; shape (n,).

        known: `FEATURES` as of `as_of`, ids: the customers of its rows. Nobody is kept by a map without clusters, by a
        cluster that had no name of its own, or by a training of a later day.
        """
        free = np.full(len(known), -1, dtype=np.int8)
        if self.frozen is None or as_of < self.as_of:
            return free
        name = dict(enumerate(np.where(self.frozen.far, -1, self.frozen.names).tolist()))
        was = self.customers.select(
            "customer_id", "visits", "recency_days", was=pl.col("cluster").replace_strict(name, return_dtype=pl.Int8)
        )
        now = known.select("visits", "recency_days").with_columns(ids.alias("customer_id"))
        both = now.join(was, on="customer_id", how="left", suffix="_before", maintain_order="left")
        still = pl.when(quiet((as_of - self.as_of).days)).then("was").fill_null(-1)
        return both.select(still).to_series().to_numpy().astype(np.int8)


@dataclass(frozen=True)
class Placed:
    """Customers on the map: `groups`, the day the map was drawn, and what there is to tell of it (`told`).

    on_old_map: the segments on the map before, where it was drawn anew from that.
    """

    groups: Groups
    as_of: date
    drawn: date
    told: dict[str, Any]
    on_old_map: NDArray[np.int8] | None = None


def place(known: pl.DataFrame, ids: pl.Series, k: int, *, as_of: date, memory: Memory | None = None) -> Placed:
    """Segment the customers on the map that is remembered, or on a new one where that has to be (`review.judge`).

    known: `FEATURES` as of `as_of`; ids: the customers of its rows.
    """
    old = memory.frozen if memory else None
    verdict = judge(old, logs(known), k, drawn=memory.drawn if memory else None, as_of=as_of)
    kept = memory.kept(known, ids, as_of) if memory else None
    groups = group(known, k, frozen=old if verdict.warm else None, anew=verdict.anew, kept=kept)
    on_old_map = None
    if verdict.anew and old is not None and memory is not None and as_of >= memory.as_of:
        on_old_map = group(known, len(old.centres), frozen=old, anew=False, kept=kept).segment
    drawn = memory.drawn if memory and not verdict.anew else as_of
    told = {
        "drawn": drawn.isoformat(),
        "anew": verdict.anew,
        "reason": verdict.reason,
        "stability_index": verdict.index or None,
        "held": int(groups.held.sum()),
        "names": shared_names(groups),
        "merged": merged(shared_names(groups)),
    }
    return Placed(groups, as_of, drawn, told, on_old_map)


def shared_names(groups: Groups) -> dict[str, list[int]]:
    """Which clusters each of the six names stands for; an empty list: none, so only a rule gives this name."""
    if groups.frozen is None:
        return {}
    return {name: np.flatnonzero((groups.cluster_names == i) & ~groups.far).tolist() for i, name in enumerate(NAMES)}


def merged(names: dict[str, list[int]]) -> list[dict[str, Any]]:
    """Messages on names that stand for several clusters, and on names that no cluster has.

    >>> [told["code"] for told in merged({"vip": [0, 2], "new": [], "inactive": [1]})]
    ['segment.names_shared', 'segment.names_missing']
    """
    clusters = sum(len(of_name) for of_name in names.values())
    shared = [name for name, of_name in names.items() if len(of_name) > 1]
    missing = [name for name, of_name in names.items() if not of_name]
    told = []
    if shared:
        told.append({"code": "segment.names_shared", "params": {"clusters": clusters, "segment": shared}})
    if missing:
        told.append({"code": "segment.names_missing", "params": {"clusters": clusters, "segment": missing}})
    return told
