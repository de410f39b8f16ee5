"""Which variants an order of now could be for, by a look at their positions: only these need to be judged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory.beside import rows_of
from retail_ml.inventory.plan import Arrays


def may_be_due(arrays: Arrays, positions: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Where an order of now could be for: all that `live.assess` orders, drafts or not, and what stands in drafts.

    `positions` is `frames.POSITIONS`, live. Ordered is what is on offer, sells, and has a position at or below its
    reorder point; before the end of a season that point may be as high as one unit below the order-up-to level
    (`season.bounded`). What counts here is the position without drafts: a budget pays for these again.

    >>> arrays = {"variant_id": np.array(["a", "b"]), "daily": np.ones(2), "reorder_point": np.array([3.0, 3.0]),
    ...           "order_up_to": np.array([9.0, 9.0])}
    >>> table = pl.DataFrame({"variant_id": ["a", "b"], "active": [True, True], "on_hand": [3.0, 8.0],
    ...     "reserved": [0.0, 0.0], "on_order": [0.0, 0.0], "drafted": [0.0, 0.0], "supplier_id": ["1", "1"],
    ...     "season_end": [None, None]})
    >>> may_be_due(arrays, table).tolist()
    [True, False]
    >>> may_be_due(arrays, table.with_columns(season_end=pl.date(2027, 1, 1))).tolist()
    [True, True]
    """
    row = rows_of(arrays, positions["variant_id"])
    drafted = positions["drafted"].fill_null(0.0).to_numpy() > 0
    if not len(arrays["variant_id"]):
        return drafted

    def units(name: str) -> npt.NDArray[np.float64]:
        return positions[name].fill_null(0.0).to_numpy().astype(float)

    point, up_to, daily = (np.asarray(arrays[name], float)[row] for name in ("reorder_point", "order_up_to", "daily"))
    ends = positions["season_end"].is_not_null().to_numpy()
    bound = np.where(ends, np.maximum(point, up_to - 1), point)
    position = np.maximum(units("on_hand"), 0) + units("on_order") - units("reserved")
    wanted = (row >= 0) & positions["active"].to_numpy() & (daily > 0) & (up_to > 0)
    return drafted | (wanted & (position <= bound))
