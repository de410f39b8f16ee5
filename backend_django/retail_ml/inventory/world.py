"""What policies are replayed in: the demand of a shop's past, lead times, and what comes of a policy's orders.

Whichever policy is tried meets the same demand and the same lead times, and starts from the same stock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import history as hs
from retail_ml.inventory import policy
from retail_ml.inventory.history import History
from retail_ml.inventory.policy import Rules, Terms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Decide = Callable[[History], tuple[Floats, Floats]]

MOST_WEEKS, FEWEST_WEEKS = 26, 4
TRAIN_WEEKS = 8
MOST_VARIANTS = 5_000


@dataclass(frozen=True)
class Window:
    """Days of the history: the replay begins at `start`, is scored from `scored` and ends at the end."""

    start: int
    scored: int
    end: int


@dataclass(frozen=True, eq=False)
class World:
    """What both policies meet: daily demand (N, T), the history before, terms, packs, and drawn lead times."""

    h: History
    daily: Floats
    terms: Terms
    pack: Floats
    minimum: Floats
    rules: Rules
    window: Window
    lead: Ints  # (N, reviews)
    stock: Floats

    def of(self, rows: slice | Ints) -> World:
        """Of some of the variants."""
        h, terms = self.h.of(rows), self.terms.of(rows)
        arrays = (self.pack[rows], self.minimum[rows])
        return World(h, self.daily[rows], terms, *arrays, self.rules, self.window, self.lead[rows], self.stock[rows])


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of each variant in the scored days; arrays of one entry per variant, money unless said otherwise."""

    asked: Floats
    sold: Floats
    lost_margin: Floats
    held: Floats
    """Stock at cost, summed over the evenings of the scored days."""
    lines: Floats
    """Order lines, a count."""
    asked_units: Floats
    sold_units: Floats
    periods: Floats
    """Review periods in which something was asked for, a count; and those of them in which nothing was missed."""
    whole_periods: Floats
    days_in_stock: Floats
    """Open days on which something was on the shelf in the morning, a count."""
    left: Floats
    """Units on the shelf and on order at the end."""

    def of(self, rows: npt.NDArray[np.bool_]) -> Outcome:
        """Of some of the variants."""
        return Outcome(*(column[rows] for column in vars(self).values()))


def window(days: int) -> Window | None:
    """Which days of a history of `days` are replayed; None when there are too few.

    8 weeks at least come before it, up to 8 weeks warm it up, and 4 to 26 weeks are scored.

    >>> window(738), window(60)
    (Window(start=500, scored=556, end=738), None)
    """
    weeks = days // 7
    warm = min(8, max(2, weeks // 8))
    scored = min(MOST_WEEKS, weeks - TRAIN_WEEKS - warm)
    if scored < FEWEST_WEEKS:
        return None
    return Window(days - 7 * (scored + warm), days - 7 * scored, days)


def make_world(
    h: History,
    terms: Terms,
    rules: Rules,
    *,
    days: Window,
    goods: tuple[Floats, Floats],
    seed: int,
    most: int = MOST_VARIANTS,
) -> tuple[World, dict[str, int]]:
    """What the policies meet, and how many variants were left out of it or have an assumed cost.

    `goods` are packs and minimums. At most `most` variants, drawn by `seed`; classes are those of the year before.
    """
    rng = np.random.default_rng(seed)
    if len(h.open_days) == 1:  # else days in stock are known for each variant
        shop_open = hs.opened_as_seen(h, days.start)
        h = replace(h, shop_open=shop_open, open_days=shop_open[None, :])
    priced = np.isfinite(terms.price) & (terms.price > 0)
    seen = h.units[:, days.start] > 0  # what was not sold yet, no policy could have known of
    chosen = np.sort(rng.permutation(np.flatnonzero(priced & seen))[:most])
    price = terms.price[chosen]
    known = np.isfinite(terms.cost[chosen])
    usual = float(np.median(terms.cost[chosen][known] / price[known])) if known.any() else 0.5
    cost = np.where(known, np.nan_to_num(terms.cost[chosen]), usual * price)
    h = replace(
        h,
        variant_ids=h.variant_ids[chosen],
        units=h.units[chosen],
        open_days=np.repeat(h.open_days, len(chosen), 0) if len(h.open_days) == 1 else h.open_days[chosen],
        start=h.start[chosen],
        group=h.group[chosen],
    )
    lead_days, lead_sd = terms.lead_days[chosen], terms.lead_sd[chosen]
    year = h.units[:, days.start] - h.units[:, max(days.start - 365, 0)]
    used = Terms(cost, price, lead_days, lead_sd, policy.abc_class(year * (price - cost)))
    reviews = -(-(days.end - days.start) // rules.review_days)
    quarter = (h.units[:, days.start] - h.units[:, max(days.start - 90, 0)]) / min(90, days.start)
    stock = np.ceil(quarter * (rules.review_days + lead_days))
    world = World(
        h,
        np.diff(h.units, axis=1),
        used,
        goods[0][chosen],
        goods[1][chosen],
        rules,
        days,
        draw_leads(lead_days, lead_sd, reviews, rng),
        stock,
    )
    left = {"without_price": int((seen & ~priced).sum()), "not_sold_before": int((~seen).sum())}
    return world, {**left, "assumed_cost": int((~known).sum())}


def draw_leads(mean: Floats, sd: Floats, reviews: int, rng: np.random.Generator) -> Ints:
    """Whole lead times of at least a day: gamma with each variant's mean and spread, the same for every policy."""
    varies = (sd > 0) & (mean > 0)
    shape = np.where(varies, (mean / np.where(varies, sd, 1)) ** 2, 1.0)[:, None]
    drawn = rng.gamma(np.broadcast_to(shape, (len(mean), reviews))) / shape * mean[:, None]
    return np.maximum(np.rint(np.where(varies[:, None], drawn, mean[:, None])), 1).astype(np.int64)


def decided_on(world: World) -> list[int]:
    """Days on which levels are computed: the reviews that are whole weeks apart, or all where they are rarer."""
    days, review = world.window, world.rules.review_days
    return [t for t in range(days.start, days.end, review) if (t - days.start) % 7 == 0 or review > 7]


def simulate(world: World, decide: Decide, *, sees_demand: bool = False) -> Outcome:
    """Walk through the days: receive, review, sell what is there, count.

    `decide` is given the history as the policy has seen it (its own sales, and its days in stock) up to before the
    day of the review, and returns reorder points and order-up-to levels. With `sees_demand` it is given what was asked
    for instead.
    """
    days, h = world.window, world.h
    units, shelf_days = h.units.copy(), h.open_days.copy()
    stock, on_order = world.stock.copy(), np.zeros(len(world.stock))
    arrivals = np.zeros((len(stock), days.end + int(world.lead.max()) + 1))
    sums = np.zeros((10, len(stock)))
    period = np.zeros((2, len(stock)))  # asked and missed since the last review
    levels: tuple[Floats, Floats] | None = None
    price, margin, open_today = world.terms.price, world.terms.price - world.terms.cost, np.diff(h.shop_open)
    decided = set(decided_on(world))
    for t in range(days.start, days.end):
        stock += arrivals[:, t]
        on_order -= arrivals[:, t]
        since = t - days.start
        if since % world.rules.review_days == 0:
            if levels is None or t in decided:
                seen = h if sees_demand else replace(h, units=units, open_days=shelf_days)
                levels = decide(seen.until(t))
            quantity = policy.order_quantity(
                stock + on_order,
                reorder_point=levels[0],
                order_up_to=levels[1],
                pack=world.pack,
                minimum=world.minimum,
            )
            due = t + world.lead[:, since // world.rules.review_days]
            arrivals[np.arange(len(stock)), due] += quantity
            on_order += quantity
            sums[[4, 7, 8]] += [(quantity > 0) * (t >= days.scored), period[0] > 0, (period[0] > 0) & (period[1] == 0)]
            period[:] = 0
        asked = world.daily[:, t]
        sold = np.minimum(stock, asked)
        there = open_today[t] * (stock > 0)
        shelf_days[:, t + 1] = shelf_days[:, t] + there
        stock -= sold
        units[:, t + 1] = units[:, t] + sold
        if t >= days.scored:
            sums[:4] += [asked * price, sold * price, (asked - sold) * margin, stock * world.terms.cost]
            sums[[5, 6, 9]] += [asked, sold, there]
            period += [asked, asked - sold]
    columns = [*sums, stock + on_order]
    return Outcome(*columns)
