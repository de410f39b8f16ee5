"""The products that are new today: what their look-alikes say of them, and how such forecasts did before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.forecast import metrics, newcomers
from retail_ml.forecast.history import History
from retail_ml.forecast.look_alikes import Looks, looks
from retail_ml.forecast.models import BASELINE
from retail_ml.forecast.newcomers import AHEAD, SHOWN, Floats, Ints, NewcomerModel

METHOD = "look_alikes"
SIMPLE = "newcomer_mean"
TESTED = (28, 84, 140)
"""Days before the last one on which the past is forecast again."""
FEWEST_TESTED = 20
RECORDS_LATE = 7
"""Days after the last one from which `created` is the day of an import, not of the product."""


@dataclass(frozen=True, eq=False)
class NewcomersTrained:
    """`rows` of the products sold for fewer than 28 open days or never, `rate` units per open day, `age` days.

    `stage` (rows,), `edges` and `spread` (ages, windows, bins, probabilities): quantiles of actual ÷ forecast, as in
    `NewcomerModel`. `alike` (rows, SHOWN) rows of the products that counted most, −1 none; `count` how many counted.
    `established`: no beginnings were seen, all products stand in. `tested`: errors of the back-test beside the
    baseline's, coverage, `forecasts` counted; None where too little could be tested.
    """

    rows: Ints
    rate: Floats
    age: Ints
    stage: Ints
    edges: Floats
    spread: Floats
    alike: Ints
    count: Ints
    established: bool
    tested: dict[str, float | None] | None

    def ahead(self, shop: Floats) -> npt.NDArray[np.float32]:
        """Units of each day ahead, (rows, days): the rate on an ordinary open day, in the shape of the `shop`."""
        near = shop[:AHEAD]
        usual = near[near > 0].mean() if (near > 0).any() else 1.0
        return (self.rate[:, None] * (shop / usual)[None]).astype(np.float32)


def train(history: History, products: pl.DataFrame, ids: npt.NDArray[np.str_]) -> NewcomersTrained:
    """Find today's newcomers and forecast them. `history`: units of `ids`; `products`: `frames.PRODUCTS`.

    A product that is not for sale is no newcomer. One that never sold is for sale since it was created; where that is
    not known, or only the day of an import, since the first day of the data.
    """
    table = pl.DataFrame({"product_id": pl.Series(ids.tolist(), dtype=pl.String)})
    table = table.join(products.unique("product_id"), on="product_id", how="left", maintain_order="left")
    table = table.with_columns(pl.col("name").fill_null(""))
    alike = looks(table, np.asarray((history.y > 0).any(axis=1), dtype=bool))
    model = newcomers.learn(history, alike)
    active = table["active"].fill_null(value=False).to_numpy()
    rows = np.flatnonzero(model.starts.newcomers() & active)
    found = model.forecast(rows, listed=_listed(table["created"], history)[rows])
    named = np.full((len(rows), SHOWN), -1, dtype=np.int64)
    for line, some in zip(named, found.look_alikes, strict=True):
        line[: len(some)] = some
    return NewcomersTrained(
        rows, found.rate, found.age, found.stage, model.edges, model.spread, named, found.count, model.established,
        _tested(history, alike),
    )  # fmt: skip


def _listed(created: pl.Series, history: History) -> Ints:
    """Day of the grid since which each product is for sale, (products,)."""
    late = history.origin + timedelta(days=RECORDS_LATE)
    days = [(day - history.start).days if isinstance(day, date) and day <= late else 0 for day in created.to_list()]
    return np.clip(np.array(days, dtype=np.int64), 0, history.days)


def _tested(history: History, alike: Looks) -> dict[str, float | None] | None:
    """The products that were new at a few days of the past, forecast for 28 days from what was known then."""
    parts: dict[str, list[Floats]] = {}
    for back in TESTED:
        cutoff = history.days - back
        if cutoff < 2 * newcomers.KNOWN_FROM:
            continue
        past = history.until(cutoff)
        model = newcomers.learn(past, alike)  # titles and prices are not of a day
        rows = np.flatnonzero(model.starts.newcomers() & (model.starts.first < cutoff))
        if model.established or not len(rows):
            continue
        for name, values in _held(model, past, rows).items():
            parts.setdefault(name, []).append(values)
        parts.setdefault("actual", []).append(history.y[rows, cutoff : cutoff + AHEAD].sum(axis=1))
    found = {name: np.concatenate(values) for name, values in parts.items()}
    if len(found.get("actual", ())) < FEWEST_TESTED:
        return None
    actual = np.maximum(found["actual"], 0.0)
    out: dict[str, float | None] = {"forecasts": float(len(actual))}
    for name in (METHOD, BASELINE, SIMPLE):
        out[name] = metrics.wape(actual, found[name])
    out["bias"] = metrics.bias(actual, found[METHOD])
    for coverage in (80, 95):
        inside = (actual >= found[f"lower_{coverage}"]) & (actual <= found[f"upper_{coverage}"])
        out[f"coverage_{coverage}"] = float(inside.mean())
    return out


def _held(model: NewcomerModel, past: History, rows: Ints) -> dict[str, Floats]:
    """Forecasts of 28 days of the products `rows` by each method, and the bounds of ours."""
    opened = float(past.open_ahead(AHEAD).sum())
    found = model.forecast(rows)
    mean = found.rate * opened
    everyone = np.nan_to_num(np.nanmean(model.rates[0])) * float(model.starts.level[-1])
    out = {
        METHOD: mean,
        BASELINE: np.maximum(past.y[rows, -7:].sum(axis=1), 0.0) * AHEAD / 7,
        SIMPLE: np.full(len(rows), everyone * opened),
    }
    for coverage in (80, 95):
        tail = (1 - coverage / 100) / 2
        bounds = found.quantiles(mean, AHEAD, (tail, 1 - tail))
        out |= {f"lower_{coverage}": bounds[:, 0], f"upper_{coverage}": bounds[:, 1]}
    return out
