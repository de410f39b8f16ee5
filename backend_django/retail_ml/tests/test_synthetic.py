"""The synthetic shop: the same again, never impossible, and its true parameters can be found in its data."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import betaln, gammaln
from scipy.stats import chi2

from retail_ml.dates import easter
from retail_ml.errors import BadParameter
from retail_ml.synthetic import make_shop
from retail_ml.synthetic.calendar import holidays

END = date(2026, 6, 30)
ZONE = "Europe/Madrid"
STANDARD_ERRORS = 4


@pytest.fixture(scope="module")
def shop():
    return make_shop(end=END)


@pytest.fixture(scope="module")
def small():
    return make_shop(orders=400, days=150, end=END, seed=3)


def day_of(column: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone(ZONE).dt.date()


def sold(shop) -> pl.DataFrame:
    return shop.lines.join(shop.orders, on="order_number").with_columns(day=day_of("placed_at"))


# --- the same again -------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_tables(small):
    again = make_shop(orders=400, days=150, end=END, seed=3)
    assert all(frame.equals(again.tables()[name]) for name, frame in small.tables().items())
    assert again.truth.customers.equals(small.truth.customers)


def test_another_seed_gives_another_shop(small):
    other = make_shop(orders=400, days=150, end=END, seed=4)
    assert not other.lines.head(100).equals(small.lines.head(100))
    assert other.catalogue["product_name"].to_list() != small.catalogue["product_name"].to_list()


@pytest.mark.parametrize("extra", [1, 45, 400])
def test_a_longer_shop_begins_with_the_shorter_one_row_for_row(small, extra):
    longer = make_shop(orders=400, days=150, end=END, seed=3, extra_days=extra)
    open_at_the_end = {
        "catalogue": ["status"], "orders": ["status"], "purchases": ["status", "received_at", "received_units"],
    }  # fmt: skip
    for name, frame in small.tables().items():
        fixed = frame.drop(open_at_the_end.get(name, []))
        assert longer.tables()[name].head(frame.height).select(fixed.columns).equals(fixed), name
    assert longer.end == END + timedelta(days=extra)
    assert longer.orders.height > small.orders.height or extra == 1


def test_what_is_new_in_a_longer_shop_happens_after_the_end(small):
    longer = make_shop(orders=400, days=150, end=END, seed=3, extra_days=45)
    for name, column in (("orders", "placed_at"), ("returns", "returned_at"), ("movements", "at")):
        new = longer.tables()[name].slice(small.tables()[name].height)
        assert new.height, name
        assert new.select(day_of(column).min()).item() > END, name


# --- never impossible -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["shop", "small"])
def test_stock_is_never_negative_at_any_moment(name, request):
    moves = request.getfixturevalue(name).movements
    running = moves.with_columns(stock=pl.col("units").cum_sum().over("sku"))
    assert running["stock"].min() == 0
    assert moves["at"].is_sorted()


def test_movements_say_what_orders_returns_and_deliveries_say(shop):
    """Stock told twice: once by the movements, once by the other tables."""
    kinds = {kind: part for (kind,), part in shop.movements.group_by("kind")}

    def units(frame: pl.DataFrame, sign: int = 1) -> pl.DataFrame:
        return frame.group_by("sku").agg(pl.col("units").sum() * sign).sort("sku")

    lines = sold(shop)
    taken = lines.filter(pl.col("status").is_in(["completed", "delivered"]))
    net = pl.concat([kinds["sale"], kinds["cancellation"]])
    assert units(net).filter(pl.col("units") != 0).equals(units(taken, -1))
    assert units(kinds["return"]).equals(units(shop.returns))
    received = shop.purchases.select("sku", units="received_units").filter(pl.col("units") > 0)
    assert units(kinds["receipt"]).equals(units(received))
    assert kinds["opening"]["sku"].sort().to_list() == shop.catalogue["sku"].sort().to_list()


@pytest.mark.parametrize("name", ["shop", "small"])
def test_every_reference_is_met_and_every_key_is_unique(name, request):
    shop = request.getfixturevalue(name)
    skus, numbers = set(shop.catalogue["sku"]), set(shop.orders["order_number"])
    for frame in (shop.lines, shop.returns, shop.movements, shop.purchases):
        assert set(frame["sku"]) <= skus
    assert set(shop.lines["order_number"]) == numbers
    assert set(shop.orders["customer_id"].drop_nulls()) == set(shop.customers["external_id"])
    assert set(shop.catalogue["supplier"]) | set(shop.purchases["supplier"]) <= set(shop.suppliers["name"])
    for frame, keys in (
        (shop.catalogue, ["sku"]), (shop.customers, ["external_id"]), (shop.customers, ["email"]),
        (shop.orders, ["order_number"]), (shop.lines, ["order_number", "sku"]), (shop.returns, ["reference"]),
        (shop.movements, ["kind", "reference"]), (shop.purchases, ["number", "sku"]),
    ):  # fmt: skip
        assert not frame.select(keys).is_duplicated().any(), keys
    assert not shop.catalogue.unique("product_code")["product_name"].is_duplicated().any()
    assert shop.returns.join(shop.lines, on=["order_number", "sku"]).height == shop.returns.height


def test_nobody_buys_on_closed_days(shop):
    days = sold(shop)["day"].unique()
    assert 7 not in days.dt.weekday()
    assert not {day for day in days if day in holidays(day.year)}
    closed = shop.truth.days.filter(~pl.col("open"))
    assert closed.filter(pl.col("day").dt.weekday() != 7).height >= 2 * 8
    assert not set(closed["day"]) & set(days)


def test_nothing_is_sold_before_its_launch_or_after_its_end(shop):
    lines = sold(shop).join(shop.catalogue, on="sku").join(shop.truth.styles, on="product_code")
    assert lines.filter(pl.col("launch") > shop.start).height > 500
    assert lines.filter(pl.col("day") < pl.col("launch")).is_empty()
    assert lines.filter(pl.col("day") >= pl.col("end")).is_empty()
    gone = shop.truth.styles.filter(pl.col("end") <= END)["product_code"]
    assert set(shop.catalogue.filter(pl.col("status") == "discontinued")["product_code"]) == set(gone)


def test_no_more_comes_back_than_was_sold_and_never_before_or_too_dear(shop):
    back = shop.returns.group_by("order_number", "sku").agg(
        pl.col("units").sum().alias("back"), pl.col("amount").sum(), pl.col("returned_at").min()
    )
    lines = back.join(sold(shop), on=["order_number", "sku"])
    paid = pl.col("units") * pl.col("unit_price") - pl.col("discount")
    assert lines.filter(pl.col("back") > pl.col("units")).is_empty()
    assert lines.filter(pl.col("amount") > paid).is_empty()
    assert lines.filter(pl.col("returned_at") <= pl.col("placed_at")).is_empty()
    assert set(lines["status"]) <= {"completed", "delivered"}


def test_orders_are_within_the_period_and_money_is_right(shop):
    lines = sold(shop)
    assert lines["day"].min() >= shop.start
    assert lines["day"].max() <= shop.end
    assert lines.filter(pl.col("discount") > pl.col("units") * pl.col("unit_price")).is_empty()
    assert lines.filter(pl.col("discount") < 0).is_empty()
    margin = shop.catalogue.select(pl.col("cost").cast(pl.Float64) / pl.col("price").cast(pl.Float64))
    assert margin["cost"].is_between(0.39, 0.56).all()


def test_some_suppliers_grant_price_breaks_and_some_styles_have_an_end_of_their_season(shop):
    prices = shop.prices.join(shop.catalogue, on=["sku", "supplier"])
    assert prices.height == shop.prices.height > 100
    assert prices.filter(pl.col("unit_cost") >= pl.col("cost")).is_empty()
    assert prices.filter(pl.col("minimum_quantity") <= pl.col("minimum_order")).is_empty()
    assert not shop.prices.select("sku", "supplier", "minimum_quantity").is_duplicated().any()
    planned = shop.catalogue.unique("product_code").join(shop.truth.styles, on="product_code")
    planned = planned.filter(pl.col("season_end").is_not_null())
    assert planned.filter(pl.col("season_end") > END).height > 10
    assert (planned["season_end"] + timedelta(days=1)).equals(planned["end"])


# --- believable -----------------------------------------------------------------------------------


def test_the_default_demo_is_the_boutique_that_was_wanted(shop):
    truth = shop.truth
    assert shop.orders.height == pytest.approx(7_500, rel=0.03)
    assert shop.catalogue["product_code"].n_unique() == pytest.approx(120, abs=15)
    assert shop.catalogue.height == pytest.approx(700, abs=100)
    assert shop.customers.height == pytest.approx(1_700, abs=250)
    assert shop.catalogue["category"].n_unique() >= 9
    assert 0.03 < truth.stock_out_share < 0.08
    assert truth.walked_out == 0
    assert 0.04 < shop.returns.height / shop.lines.height < 0.06
    assert 0.12 < shop.orders["customer_id"].null_count() / shop.orders.height < 0.18
    assert set(shop.orders["status"]) >= {"completed", "delivered", "cancelled", "pending"}
    assert set(shop.purchases["status"]) == {"confirmed", "received"}


def test_online_orders_come_back_more_often(shop):
    lines = sold(shop).join(shop.returns.select("order_number", "sku", back=1), on=["order_number", "sku"], how="left")
    share = dict(lines.group_by("channel").agg(pl.col("back").is_not_null().mean()).iter_rows())
    assert share["online"] > 1.5 * share["store"]


@pytest.mark.parametrize("orders", [10, 100])
def test_the_smallest_shops_are_shops(orders):
    shop = make_shop(orders=orders, end=END, seed=1)
    assert shop.orders.height == pytest.approx(orders, rel=0.3, abs=4)
    assert shop.lines.height >= shop.orders.height


def test_a_number_of_lines_can_be_asked_for():
    assert make_shop(lines=20_000, days=365, end=END).lines.height == pytest.approx(20_000, rel=0.05)


@pytest.mark.parametrize(
    "wrong",
    [{"orders": 9}, {"orders": 5, "lines": 5}, {"lines": 10**8}, {"days": 3}, {"extra_days": -1}, {"seed": -1}],
)
def test_what_cannot_be_made_is_refused(wrong):
    with pytest.raises(BadParameter, match="asked for|not both|seed"):
        make_shop(end=END, **wrong)


# --- the truth can be found -----------------------------------------------------------------------


def test_orders_are_the_purchases_of_the_buying_process(shop):
    """Nobody who came went away without an order: the data are the process, not a thinned one."""
    ids = shop.truth.customers.select("customer", customer_id="external_id")
    drawn = shop.truth.purchases.join(ids, on="customer").group_by("customer_id", "day").len()
    found = shop.orders.drop_nulls("customer_id").group_by("customer_id", day_of("placed_at").alias("day")).len()
    assert drawn.sort("customer_id", "day").equals(found.sort("customer_id", "day"))


def _rfm(shop) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repeats, time of the last, age: of customers won since the first day, on the operational clock."""
    now = shop.truth.days["clock"][-1]
    born = shop.truth.customers.filter(pl.col("born_day") >= shop.start)
    rows = (
        shop.truth.purchases.join(born, on="customer")
        .group_by("customer")
        .agg(x=pl.len() - 1, t_x=pl.col("at").max() - pl.col("born").first(), age=now - pl.col("born").first())
    )
    return tuple(rows[name].to_numpy().astype(float) for name in ("x", "t_x", "age"))


def _mbg_log_likelihood(parameters: np.ndarray, x: np.ndarray, t_x: np.ndarray, age: np.ndarray) -> float:
    """Log-likelihood of the MBG/NBD (Batislam, Denizel, Filiztekin 2007); parameters r, alpha, a, b as logarithms."""
    r, alpha, a, b = np.exp(parameters)
    alive = -(r + x) * np.log(alpha + age)
    left = np.log(a / (b + x)) - (r + x) * np.log(alpha + t_x)
    each = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x + 1) - betaln(a, b)
    return float((each + np.logaddexp(alive, left)).sum())


@pytest.mark.parametrize("seed", [7, 8])
def test_the_buying_process_can_be_recovered(shop, seed):
    """Likelihood ratio of the true parameters against the best ones: chi² with 4 degrees, as far out as 4 s.e."""
    data = _rfm(shop if seed == 7 else make_shop(end=END, seed=seed))
    truth = shop.truth
    true = np.log([truth.rate_shape, truth.rate_scale, truth.dropout_a, truth.dropout_b])
    best = minimize(lambda p: -_mbg_log_likelihood(p, *data), true, method="L-BFGS-B")
    assert len(data[0]) > 700
    limit = chi2.isf(6.3e-5, df=4)  # two-sided tail of a normal beyond 4 standard errors
    assert 2 * (-best.fun - _mbg_log_likelihood(true, *data)) < limit
    wrong = true + np.log([1.0, 1.35, 1.0, 1.0])  # a third slower: the test must see that
    assert 2 * (-best.fun - _mbg_log_likelihood(wrong, *data)) > limit


def test_rates_and_dropouts_have_their_means(shop):
    truth, customers = shop.truth, shop.truth.customers
    for column, mean in (
        ("rate", truth.rate_shape / truth.rate_scale),
        ("dropout", truth.dropout_a / (truth.dropout_a + truth.dropout_b)),
    ):
        error = customers[column].std() / np.sqrt(customers.height)
        assert abs(customers[column].mean() - mean) < STANDARD_ERRORS * error


def test_weekday_factors_can_be_recovered(shop):
    """Shares of the weekdays in whole weeks away from Christmas and sales; standard errors from week to week.

    Only the orders are used, nothing of `truth.days`: within such a week the season is as good as level.
    """
    factors = np.array(shop.truth.weekday_factors[:6])
    counts = shop.orders.group_by(day_of("placed_at").alias("day")).len().with_columns(
        week=pl.col("day").dt.truncate("1w"), weekday=pl.col("day").dt.weekday()
    )  # fmt: skip
    calm = counts.filter(pl.col("week").dt.month().is_in([2, 3, 4, 5, 6, 8, 9, 10]))
    weeks = calm.pivot("weekday", index="week", values="len").drop_nulls()
    orders = weeks.select("1", "2", "3", "4", "5", "6").to_numpy().astype(float)
    n, found = len(orders), orders.sum(0) / orders.sum()
    residuals = orders - orders.sum(1, keepdims=True) * found
    errors = np.sqrt(n / (n - 1) * (residuals**2).sum(0)) / orders.sum()  # of a ratio of sums
    assert n > 50
    assert (np.abs(found - factors / factors.sum()) < STANDARD_ERRORS * errors).all()
    assert (errors < 0.01).all()  # small enough to tell a Friday from a Saturday


def test_the_yearly_season_and_sales_weeks_show(shop):
    units = sold(shop).join(shop.catalogue, on="sku").group_by("category", pl.col("day").dt.month().alias("month"))
    monthly = {(category, month): n for category, month, n in units.agg(pl.col("units").sum()).iter_rows()}

    def share(category: str, months: tuple[int, ...]) -> float:
        """Of what is sold in these months: independent of how busy they are."""
        return sum(monthly.get((category, m), 0) for m in months) / sum(
            n for (_, month), n in monthly.items() if month in months
        )

    assert share("Sandalias", (5, 6, 7)) > 2 * share("Sandalias", (11, 12, 1))
    assert share("Abrigos y chaquetas", (11, 12, 1)) > 2 * share("Abrigos y chaquetas", (5, 6, 7))
    by_month = dict(shop.orders.group_by(day_of("placed_at").dt.month()).len().iter_rows())
    assert by_month[12] > 1.3 * by_month[9]


def test_a_lower_price_sells_more(shop):
    """Promotion weeks of one category (15 %): its share of units against the weeks beside them."""
    lines = sold(shop).join(shop.catalogue, on="sku").filter(~pl.col("day").dt.month().is_in([1, 7, 11]))
    cut = (pl.col("discount") / (pl.col("units") * pl.col("unit_price"))).round(2)
    lines = lines.with_columns(cut=cut.cast(pl.Float64))
    weeks = (
        lines.filter(pl.col("cut").is_between(0.145, 0.155))
        .group_by("category", pl.col("day").dt.truncate("1mo").alias("month"))
        .agg(first=pl.col("day").min(), last=pl.col("day").max())
    )
    inside = outside = total_inside = total_outside = 0.0
    for category, _, first, last in weeks.iter_rows():
        for here in (True, False):
            near = lines.filter(
                pl.col("day").is_between(first, last)
                if here
                else (
                    pl.col("day").is_between(first - timedelta(7), last + timedelta(7))
                    & ~pl.col("day").is_between(first, last)
                )
            )
            mine = near.filter(pl.col("category") == category)["units"].sum()
            if here:
                inside, total_inside = inside + mine, total_inside + near["units"].sum()
            else:
                outside, total_outside = outside + mine, total_outside + near["units"].sum()
    lift = (inside / total_inside) / (outside / total_outside)
    true = 0.85**-shop.truth.elasticity
    error = lift * np.sqrt(1 / inside + 1 / outside)
    assert weeks.height >= 12
    assert lift - 1 > 2 * error
    # The lift is in the odds of one style against all others, so a share gains a little less than `true`.
    assert abs(lift - true) < STANDARD_ERRORS * error + 0.05


def test_styles_of_a_look_are_bought_together(shop):
    lines = shop.lines.join(shop.catalogue, on="sku").join(shop.truth.styles, on="product_code")
    baskets = lines.select("order_number", "product_code", "look").unique()
    pairs = baskets.join(baskets, on="order_number").filter(pl.col("product_code") < pl.col("product_code_right"))
    share = (pairs["look"] == pairs["look_right"]).mean()
    picked = pairs["product_code_right"].sample(fraction=1, shuffle=True, seed=1)
    look_of = dict(shop.truth.styles.select("product_code", "look").iter_rows())
    by_chance = np.mean([look_of[a] == look_of[b] for a, b in zip(pairs["product_code"], picked, strict=True)])
    assert share > 5 * by_chance
    assert 0.10 < share < shop.truth.look_share + 0.1


def test_lead_times_can_be_recovered(shop):
    """From order to shelf, per supplier; a delivery that falls on a closed day comes on one beside it."""
    done = shop.purchases.unique("number").filter(day_of("ordered_at") <= END - timedelta(days=90))
    assert done["received_at"].null_count() == 0
    took = done.with_columns(days=(day_of("received_at") - day_of("ordered_at")).dt.total_days())
    for supplier, (mean, sd) in shop.truth.lead_times.items():
        days = took.filter(pl.col("supplier") == supplier)["days"].to_numpy()
        assert len(days) > 30
        assert abs(days.mean() - mean) < STANDARD_ERRORS * sd / np.sqrt(len(days)) + 0.3
        assert abs(days.std(ddof=1) - sd) < STANDARD_ERRORS * sd / np.sqrt(2 * len(days)) + 0.4


@pytest.mark.parametrize(("year", "day"), [(2000, (4, 23)), (2024, (3, 31)), (2025, (4, 20)), (2038, (4, 25))])
def test_easter(year, day):
    """Dates of the United States Naval Observatory's table."""
    assert easter(year) == date(year, *day)
