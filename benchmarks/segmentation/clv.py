"""CLV-1 to CLV-5: published parameters, recovery, hold-outs and chances."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from benchmarks.segmentation import data, peers
from retail_ml.segment import buying, holdout, probability, spending
from retail_ml.segment.buying import History
from retail_ml.segment.features import days_before
from retail_ml.segment.past import Past
from retail_ml.segment.space import Array
from retail_ml.segment.value import BLEND, METHODS, Expected, Shop
from retail_ml.segment.worth import EARLY, EVEN, next_day, share_come

PUBLISHED = {
    "BG/NBD": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "MBG/NBD": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    "Gamma-Gamma": {"p": 6.25, "q": 3.74, "v": 15.44},
}
"""CDNOW's 1/10 sample, weeks: Fader, Hardie & Lee 2005; BTYDplus; Fader & Hardie 2013."""
LIKELIHOOD = {"BG/NBD": -9582.43, "MBG/NBD": -9582.14}
PEER = "lifetimes"


def table(columns: list[str], rows: list[list[Any]]) -> None:
    """Markdown."""
    print("\n| " + " | ".join(columns) + " |\n|---" + "|---:" * (len(columns) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(f"{one:.4g}" if isinstance(one, float) else str(one) for one in row) + " |")


def parameters(who: History, mean: Array) -> None:
    """CLV-1: parameters fitted to CDNOW's sample beside the published ones."""
    print("\n## CLV-1 Published parameters (CDNOW 1/10 sample, 2,357 customers)")
    repeaters = who.x > 0
    found: dict[str, Any] = {
        "BG/NBD": buying.fit(who, modified=False),
        "MBG/NBD": buying.fit(who),
        "Gamma-Gamma": spending.fit(who.x[repeaters], mean[repeaters]),
    }
    rows = []
    for name, published in PUBLISHED.items():
        for parameter, value in published.items():
            ours = getattr(found[name], parameter)
            rows.append([f"{name} {parameter}", value, f"{ours:.6f}", f"{abs(ours / value - 1):.2%}"])
        if name in LIKELIHOOD:
            rows.append([f"{name} log-likelihood", f"{LIKELIHOOD[name]:.2f}", f"{found[name].log_likelihood:.4f}", ""])
    table(["", "published", "ours", "apart"], rows)
    known = found["BG/NBD"].expected(History(np.array([2.0]), np.array([30.43]), np.array([38.86])), np.array([39.0]))
    print(f"\nBG/NBD E[Y(39) | 2, 30.43, 38.86]: {known[0, 0]:.4f} (published 1.226)")


def recovery(sizes: tuple[int, ...] = (100_000, 1_000_000)) -> None:
    """CLV-2: parameters that drawn customers were made with."""
    print("\n## CLV-2 Recovery (drawn MBG/NBD customers)")
    rows = []
    for a, b in ((0.9, 2.0), data.LEAVING):
        true = {"r": 0.7, "alpha": 70.0, "a": a, "b": b}
        for size in sizes:
            model = buying.fit(data.drawn(size, leaving=(a, b), whole_days=False)[0])
            apart = (f"{getattr(model, name) / value - 1:+.2%}" for name, value in true.items())
            rows.append([f"{size:,}, leaving beta({a}, {b})", *apart])
    table(["customers", "r", "alpha", "a", "b"], rows)


def hold_out(past: Past, title: str, cutoff: date, days: int) -> None:
    """CLV-3, CLV-5: every method's expectations of the days after a cut-off, beside what came."""
    shop, came = past.at(cutoff), past.came(cutoff, days)
    window, reach = past.window(cutoff, days), past.reach(cutoff, days)
    share = past.own_share(cutoff, window)
    told = {name: shop.expect(name, days=days, window=reach, share=share) for name in METHODS}
    told["BG/NBD + GG(all)"] = bg(shop, days)
    told[PEER], _ = peers.expect(shop, days)
    print(f"\n### {title}: {cutoff} + {days} days, {len(shop.known):,} customers, own window {reach} days")
    print(f"\nw {share}, learnt from windows of {window} days before the cut-off")
    rows = []
    for name, one in holdout.compare(told, came).items():
        orders, revenue = one["orders"], one["revenue"]
        keys = ("mae", "rmse", "bias", "decile_error")
        rows.append(
            [
                name,
                *(orders[key] for key in keys),
                *(revenue[key] for key in keys),
                one["top_decile_share"],
                one["top_decile_capture"],
            ]
        )
    columns = [
        "method",
        "tx MAE",
        "RMSE",
        "bias",
        "decile",
        "rev MAE",
        "RMSE",
        "bias",
        "decile",
        "top 10 %",
        "of possible",
    ]
    table(columns, rows)
    band = past.band(BLEND, cutoff, window=window, share=share)
    if band is not None:
        covered = band.coverage(told[BLEND].revenue, came.revenue, days)
        print(f"\n80 % band of the blend, made before the cut-off, covered {covered:.3f}")


def bg(shop: Shop, days: int) -> Expected:
    """Our BG/NBD with our Gamma-Gamma over all visits."""
    model = buying.fit(shop.history, modified=False)
    orders = model.expected(shop.history, np.array([float(days)]))[:, 0]
    return Expected(orders, orders * shop.money)


def chances(past: Past, title: str, origins: list[date]) -> None:
    """CLV-4, CLV-5: the chance of an order within 90 days, raw and with the season where a year can be compared."""
    print(f"\n### {title}: an order within 90 days")
    rows = []
    for day in origins:
        shop, hit = past.at(day), (past.came(day, probability.DAYS).orders > 0).astype(np.float64)
        raw = probability.chances(shop)
        shift = probability.season(past, day)
        told = raw if shift is None else probability.moved(raw, shift)
        recency = -shop.known["recency_days"].to_numpy().astype(np.float64)
        scores = (raw, shop.buying.alive(shop.history), buying.fit(shop.history, modified=False).alive(shop.history))
        band = probability.bands(told)
        rows.append(
            [day, len(hit), float(hit.mean()), *(probability.auc(one, hit) for one in (*scores, recency, shop.visits)),
             float(((told - hit) ** 2).mean()), float(hit.var()), probability.calibration_error(raw, hit),
             "bands" if shift is None else f"{probability.calibration_error(told, hit):.3f}",
             " / ".join(f"{hit[band == i].mean():.2f}" if (band == i).any() else "-" for i in range(3))]
        )  # fmt: skip
    columns = "origin, customers, came, AUC P(buy), P(alive), BG P(alive), recency, frequency, Brier, base, ECE raw"
    table([*columns.split(", "), "ECE served", "came by band"], rows)


def next_days(past: Past, title: str, origins: list[date], end: date) -> None:
    """CLV-4: how many had come by their 25 % and 50 % days, among those whose day was over by the end of the data."""
    rows = [
        [day, *(share_come(past, next_day(past.at(day), one), day, end)[1] for one in (EARLY, EVEN))] for day in origins
    ]
    print(f"\n### {title}: the next order by its day")
    table(["origin", "by the 25 % day", "by the 50 % day"], rows)


def cdnow(past: Past) -> None:
    """CLV-3 and CLV-4."""
    print("\n## CLV-3, CLV-4 CDNOW master")
    first, second = date(1997, 9, 30), date(1998, 3, 31)
    for day, weeks in ((first, 39), (first, 26), (first, 13), (second, 13)):
        hold_out(past, f"{weeks} weeks", day, 7 * weeks)
    chances(past, "CDNOW", [first, second])
    next_days(past, "CDNOW", [first, date(1997, 12, 31)], data.CDNOW_END)


def online_retail(past: Past) -> None:
    """CLV-5."""
    print("\n## CLV-5 Online Retail II")
    first, second = date(2011, 2, 28), date(2010, 8, 31)
    hold_out(past, "split 1, nine months", first, 275)
    hold_out(past, "split 2, six months", second, 181)
    origins = [second, date(2010, 11, 30), first, date(2011, 5, 31), date(2011, 8, 31)]
    chances(past, "Online Retail II", origins)
    next_days(past, "Online Retail II", [second, first], days_before(first, -275))
