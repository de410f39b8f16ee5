"""Sentences of the service `product_recommendation`; their codes begin with `recommend.`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    # what a training does
    "recommend.step_read": _("Reading sales and products"),
    "recommend.step_validate": _("Choosing the method on earlier baskets"),
    "recommend.step_test": _("Testing it on later baskets"),
    "recommend.step_fit": _("Learning from all baskets"),
    "recommend.step_store": _("Storing the recommendations"),
    # errors
    "recommend.no_products": _(
        "Product recommendations need a product; the shop has none. Add products or import them, then train again."
    ),
    # why this method serves
    "recommend.hybrid_serves": _(
        "On {cases} later baskets it hits {ours} % of the time within ten recommendations, plain popularity "
        "{baseline} %."
    ),
    "recommend.hybrid_loses": _(
        "On {cases} later baskets the hybrid hits {ours} % of the time within ten recommendations and plain popularity "
        "{baseline} %: what sells serves instead of the hybrid until there is more to learn from."
    ),
    "recommend.chosen_earlier": _(
        "On earlier baskets the simpler method was the better one, so it serves: on {cases} later baskets it hits "
        "{ours} % of the time within ten recommendations, plain popularity {baseline} %."
    ),
    "recommend.small_shop": _(
        "With {orders} orders of {products} products (30 and 10 are needed) co-purchases say too little: "
        "what sells and what is alike serves."
    ),
    "recommend.not_tested": _(
        "There are no later baskets of at least two products to test on: what sells and what is alike serves, "
        "and how good it is is not known. It lost to nothing, because nothing could be compared."
    ),
    "recommend.nothing_sold": _(
        "Nothing has been sold yet, so nothing could be tested: what is alike and what is new serves, because there "
        "are no best sellers that it could lose to. Train again after the first sales."
    ),
    # why this product
    "recommend.pinned": _("Chosen by the shop."),
    "recommend.together": _(
        "Bought together in {share} % of its orders ({together} of {orders}), {lift} times more often than by chance; "
        "with 95 % confidence in {share_lower} % at least."
    ),
    "recommend.together_few": _("Orders with both so far: {together} of {orders}."),
    "recommend.similar": _("Similar in name, description and price ({similarity} % alike)."),
    "recommend.popular": _("Popular these weeks: number {place} of the best sellers, {orders} × in all."),
    "recommend.rest": _("Sold {orders} × so far; nothing closer is known that is in stock."),
    "recommend.unsold": _("It has not been sold yet."),
    "recommend.unsold_since": _("Not sold yet; in the range since {day}."),
    "recommend.again": _("You bought this {orders} times, last on {day}."),
    "recommend.again_once": _("You bought this on {day}."),
    "recommend.because_bought": _("Because you bought “{product}” (orders with both: {together})."),
    "recommend.because_bought_alone": _("Because you bought “{product}”."),
    "recommend.because_basket": _("It goes with “{product}” in the basket (orders with both: {together})."),
    "recommend.because_basket_alone": _("It goes with “{product}” in the basket."),
    "recommend.rising": _("On the rise: it sells {times} times its usual share these weeks."),
    "recommend.bought_alike": _(
        "Bought {products} products like it, the nearest “{product}” ({similarity} % alike); last on {day}."
    ),
    "recommend.bought_alike_one": _("Bought “{product}”, which is like it ({similarity} % alike); last on {day}."),
    # how good a list is
    "recommend.receipt": _(
        "Tested on {cases} later cases ({first} to {last}): at least one of ten recommendations was right in {ours} % "
        "of them, with best sellers alone in {baseline} %."
    ),
    "recommend.receipt_baseline": _(
        "Best sellers serve. Tested on {cases} later cases ({first} to {last}): at least one of ten was right in "
        "{ours} % of them."
    ),
    "recommend.receipt_none": _("There were no later baskets to test on: how good this list is is not known."),
    "recommend.receipt_similar": _(
        "Likeness of words and price. Which products are truly alike is recorded nowhere, so it cannot be tested."
    ),
    "recommend.receipt_together": _(
        "Only pairs that are hardly chance are shown: of all of them 5 % at the most are expected to be."
    ),
    "recommend.receipt_trending": _("A count of what was sold of late, not a forecast: there is nothing to test."),
    "recommend.receipt_audience": _(
        "Not tested on this shop. In the benchmark (Online Retail II, 28 days from 2011-11-11) the first 50 customers "
        "of the list held 18 % of those who then bought a new product."
    ),
    # where a list comes from when it is not the usual one
    "recommend.no_sales": _(
        "Nothing had been sold when this was trained ({as_of}): the list comes from the newest products."
    ),
    "recommend.no_sales_page": _(
        "Nothing had been sold when this was trained ({as_of}): the list comes from what is alike."
    ),
    "recommend.no_history": _("This product has not been sold yet: the list comes from what is alike and what sells."),
    "recommend.newer_than_model": _(
        "This product is newer than the model of {as_of}: the list comes from what is alike and what sells. The next "
        "training learns it."
    ),
    "recommend.no_pairs": _(
        "No product was bought together with this one in at least three orders and more often than by chance."
    ),
    "recommend.no_similar": _("No product on sale is described like this one."),
    "recommend.nobody_alike": _(
        "No known customer has lately bought anything like this product and not the product itself."
    ),
    "recommend.nothing_alike": _(
        "No product of the model is described like this one: give it a name and a description, or train again."
    ),
    "recommend.nothing_else": _("There is no other product on sale and in stock to recommend."),
    "recommend.no_purchases": _("The customer has bought nothing yet: the list comes from what sells."),
    "recommend.nothing_to_repeat": _("Nothing that the customer bought before is on sale and in stock."),
    "recommend.nothing_new": _("There is nothing on sale and in stock that the customer has not bought before."),
    "recommend.empty_basket": _("The basket is empty: the list comes from what sells."),
    "recommend.unknown_basket": _(
        "The products of the basket are newer than the model of {as_of}: the list comes from what sells."
    ),
    "recommend.stored_rows": _(
        "The model file cannot be used: the list comes from the stored recommendations. Train the service again."
    ),
}  # fmt: skip
