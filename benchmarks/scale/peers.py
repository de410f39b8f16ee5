"""What others cost on the same shop: a tutorial's way, lifetimes, implicit, statsforecast; ours beside them.

    python benchmarks/scale/run.py --sizes 100000 1000000 --keep /var/tmp/shops
    python benchmarks/scale/peers.py --sizes 100000 1000000 --keep /var/tmp/shops --python BENCH --write-readme

Over the SQLite shops that `run.py` has kept, each step a process of its own with one thread; ours is done again in the
same run. `--python`: an interpreter with this project's requirements and `pip install --group bench`. What is compared
is cost, not quality: the other benchmarks do that. What the peers leave out is said in README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "backend_django"), str(HERE.parents[1])]

from benchmarks.scale import run

FEW, MANY = 20, 80
"""Series that AutoETS is fitted to: the difference is what one costs, the start and the compiling taken out."""
SERVICES = {
    "sales forecast": ("sales_forecast", ("tutorial forecast", "AutoETS")),
    "product recommendation": ("product_recommendation", ("tutorial recommendation", "implicit ALS")),
    "customer segmentation": ("customer_segmentation", ("tutorial segmentation", "lifetimes")),
    "inventory optimization": ("inventory_optimization", ("tutorial inventory",)),
}


# --- a tutorial's way: a model object per row, pandas, scikit-learn ---------------------------------------


def _table() -> Any:
    """Every sold line with product, customer and time, by objects."""
    import pandas as pd

    from orders.models import OrderItem

    sold = OrderItem.objects.filter(order__status__in=["delivered", "completed"]).select_related("order", "variant")
    rows = [
        {"day": item.order.placed_at, "customer": item.order.customer_id, "order": item.order_id,
         "product": item.variant.product_id, "variant": item.variant_id, "units": item.units,
         "amount": float(item.amount)}
        for item in sold.iterator()
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    table["day"] = pd.to_datetime(table["day"]).dt.normalize()
    return table


def tutorial_forecast() -> None:
    """A random forest over lags of the whole shop's days, 30 days ahead step by step."""
    import numpy as np
    import pandas as pd
    from sklearn.ensemble import RandomForestRegressor

    table = _table()
    days = pd.date_range(table["day"].min(), table["day"].max())
    y = table.groupby("day")["amount"].sum().reindex(days).fillna(0.0).to_numpy(dtype=float)
    lags = np.stack([y[28 - lag : len(y) - lag] for lag in (1, 7, 14, 28)], axis=1)
    x = np.column_stack([lags, days[28:].dayofweek, days[28:].month])
    model = RandomForestRegressor(n_estimators=100, random_state=0, n_jobs=1).fit(x, y[28:])
    for ahead in range(30):
        day = days[-1] + pd.Timedelta(days=ahead + 1)
        y = np.append(y, model.predict([[y[-1], y[-7], y[-14], y[-28], day.dayofweek, day.month]]))


def tutorial_recommendation() -> None:
    """Likeness of products by the customers who bought them: a matrix of cosines."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.metrics.pairwise import cosine_similarity

    table = _table().dropna(subset="customer")
    people, products = table["customer"].astype("category"), table["product"].astype("category")
    bought = csr_matrix((np.ones(len(table)), (people.cat.codes, products.cat.codes)))
    np.argsort(-cosine_similarity(bought.T), axis=1)[:, :20]


def tutorial_segmentation() -> None:
    """Recency, frequency and money in four clusters."""
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

    table = _table().dropna(subset="customer")
    last = table["day"].max()
    people = table.groupby("customer").agg(
        recency=("day", lambda days: (last - days.max()).days), frequency=("order", "nunique"), money=("amount", "sum")
    )
    KMeans(4, n_init=10, random_state=0).fit(StandardScaler().fit_transform(people))


def tutorial_inventory() -> None:
    """Mean and spread of each variant's daily demand, safety stock, reorder point, economic quantity."""
    import numpy as np

    table = _table()
    daily = table.pivot_table(index="day", columns="variant", values="units", aggfunc="sum").fillna(0.0)
    mean, spread = daily.mean(), daily.std()
    np.column_stack([mean * 7 + 1.65 * spread * np.sqrt(7), np.sqrt(2 * mean * 365 * 20 / 2.5)])


# --- libraries, given flat columns ------------------------------------------------------------------------


def _flat(columns: str) -> Any:
    """Sold lines by one flat statement: the cheapest way in."""
    import pandas as pd
    from django.db import connection

    sql = f"""SELECT {columns} FROM orders_orderitem i JOIN orders_order o ON o.id = i.order_id
        JOIN products_productvariant v ON v.id = i.variant_id WHERE o.status IN ('delivered', 'completed')"""
    connection.ensure_connection()
    return pd.read_sql_query(sql, connection.connection)


def lifetimes() -> None:
    """BG/NBD and Gamma-Gamma in weeks, and what each customer will bring."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter
    from lifetimes.utils import summary_data_from_transaction_data

    table = _flat("o.customer_id AS customer, date(o.placed_at) AS day, i.amount AS amount").dropna()
    people = summary_data_from_transaction_data(table, "customer", "day", "amount", freq="W")
    buying = BetaGeoFitter(penalizer_coef=0.001).fit(people["frequency"], people["recency"], people["T"])
    back = people[(people["frequency"] > 0) & (people["monetary_value"] > 0)]
    spending = GammaGammaFitter(penalizer_coef=0.001).fit(back["frequency"], back["monetary_value"])
    spending.customer_lifetime_value(
        buying, people["frequency"], people["recency"], people["T"], people["monetary_value"], time=6, freq="W"
    )


def als() -> None:
    """Alternating least squares, 64 factors, 15 rounds, and twenty products for every customer."""
    import numpy as np
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    table = _flat("o.customer_id AS customer, v.product_id AS product").dropna()
    people, products = table["customer"].astype("category"), table["product"].astype("category")
    bought = csr_matrix((np.ones(len(table), np.float32), (people.cat.codes, products.cat.codes)))
    model = AlternatingLeastSquares(factors=64, iterations=15, num_threads=1, random_state=1)
    model.fit(bought, show_progress=False)
    model.recommend(np.arange(bought.shape[0]), bought, N=20)


def auto_ets(count: int) -> dict[str, int]:
    """AutoETS with a weekly season on the daily units of `count` products, 28 days ahead with intervals."""
    import numpy as np
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    table = _flat("v.product_id AS unique_id, date(o.placed_at) AS ds, i.units AS y")
    table["ds"] = pd.to_datetime(table["ds"])
    ids = np.sort(table["unique_id"].unique())
    chosen = np.random.default_rng(0).permutation(ids)[:count]
    table = table[table["unique_id"].isin(chosen)]
    wide = table.pivot_table(index="ds", columns="unique_id", values="y", aggfunc="sum")
    wide = wide.reindex(pd.date_range(wide.index.min(), wide.index.max(), name="ds")).fillna(0.0)
    long = wide.reset_index().melt(id_vars="ds", var_name="unique_id", value_name="y")
    StatsForecast([AutoETS(season_length=7)], freq="D", n_jobs=1).forecast(df=long, h=28, level=[80, 95])
    return {"products": len(ids)}


STEPS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None, "tutorial forecast": tutorial_forecast, "tutorial recommendation": tutorial_recommendation,
    "tutorial segmentation": tutorial_segmentation, "tutorial inventory": tutorial_inventory, "lifetimes": lifetimes,
    "implicit ALS": als, "few": lambda: auto_ets(FEW), "many": lambda: auto_ets(MANY),
}  # fmt: skip


def here(step: str) -> None:
    """One step in this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    import django

    django.setup()
    print(json.dumps(STEPS[step]() or {}))


# --- the run ----------------------------------------------------------------------------------------------


def measure(lines: int, keep: Path, python: str, *, most: int) -> dict[str, Any]:
    """Ours and theirs at one size: name → CPU seconds and megabytes."""
    shop = run.Shop(lines, keep / f"sqlite-{lines}", "")
    found: dict[str, Any] = {}

    def done(step: str) -> run.Cost:
        cost = run.measured([python, __file__, step], shop.environment())
        print(f"{lines:>9} {step:<24} {cost.cpu:.1f} CPU s, {cost.megabytes} MB", flush=True)
        return cost

    for service, (ours, theirs) in SERVICES.items():
        cost = shop.run(ours)
        print(f"{lines:>9} {ours:<24} {cost.cpu:.1f} CPU s, {cost.megabytes} MB", flush=True)
        found[service] = {"ours": [cost.cpu, cost.megabytes]}
        for peer in theirs:
            if peer == "AutoETS":
                few, many = done("few"), done("many")
                one = (many.cpu - few.cpu) / (MANY - FEW)
                whole = few.cpu + one * (many.told["products"] - FEW)
                found[service][peer] = [round(whole, 1), many.megabytes, round(one, 3), many.told["products"]]
            elif peer.startswith("tutorial") and lines > most:
                found[service][peer] = None
            else:
                cost = done(peer)
                found[service][peer] = [cost.cpu, cost.megabytes]
    return found


def table(sizes: dict[str, dict[str, Any]]) -> list[str]:
    """The figures as Markdown."""
    names = sorted(sizes, key=int)
    rows = [f"| CPU s (peak MB) | {' | '.join(f'{int(n):,} lines' for n in names)} |", f"|---|{'--:|' * len(names)}"]

    def cell(value: list[float] | None) -> str:
        if value is None:
            return "–"
        per_series = f"; {value[2] * 1000:.0f} ms × {value[3]:,.0f}" if len(value) > 2 else ""
        return f"{value[0]:,.1f} ({value[1]:,.0f}{per_series})"

    for service, (_, theirs) in SERVICES.items():
        for peer in ("ours", *theirs):
            name = f"**{service}**, ours" if peer == "ours" else peer
            rows.append(f"| {name} | {' | '.join(cell(sizes[n][service].get(peer)) for n in names)} |")
    return rows


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000], metavar="LINES")
    parser.add_argument("--keep", type=Path, required=True, metavar="FOLDER", help="that of run.py")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has the peers")
    parser.add_argument("--most", type=int, default=1_000_000, help="lines beyond which the tutorial's way is left out")
    parser.add_argument("--write-readme", action="store_true")
    options = parser.parse_args()
    path = HERE / "results.json"
    for lines in sorted(options.sizes):
        found = measure(lines, options.keep, options.python, most=options.most)
        known = json.loads(path.read_text())
        known.setdefault("peers", {})[str(lines)] = found | {"day": time.strftime("%Y-%m-%d")}
        print("\n".join(table(known["peers"])))
        if options.write_readme:
            path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
            days = ", ".join(sorted({one["day"] for one in known["peers"].values()}))
            text = "\n".join([f"{days}.", "", *table(known["peers"])])
            readme = HERE / "README.md"
            parts = re.sub(r"(<!-- peers -->\n).*?(<!-- /peers -->)", lambda m: f"{m[1]}{text}\n{m[2]}",  # noqa: B023
                           readme.read_text(), flags=re.DOTALL)  # fmt: skip
            readme.write_text(parts)


if __name__ == "__main__":
    here(sys.argv[1]) if sys.argv[1:] and sys.argv[1] in STEPS else main()
