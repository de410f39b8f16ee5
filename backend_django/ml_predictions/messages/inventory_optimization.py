"""Sentences of the service `inventory_optimization`; their codes begin with `inventory.`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "inventory.not_counted": _(
        "The shop has never counted its stock, so nobody knows what is on the shelves: every shelf is taken as empty, "
        "and quantities are those of a full one; subtract what you have. Count it once, with import_stock."
    ),
    "inventory.first_fill": _(
        "{lines} lines are many: replayed over your last weeks, the policy orders about {usual} a week. The shelves "
        "hold less than its levels ask for. With a budget they are filled step by step, what earns most first."
    ),
    # what it is doing
    "inventory.step_reading": _("Reading sales, stock and products"),
    "inventory.step_levels": _("Computing demand and reorder points"),
    "inventory.step_replay": _("Replaying the policy over the shop's last weeks"),
    "inventory.step_aims": _("Learning what fill rates must be aimed at"),
    "inventory.step_saving": _("Saving the levels"),
    "inventory.step_alerts": _("Refreshing the alerts"),
    # errors, and what is not known and why
    "inventory.no_variants": _("The shop has no variant to keep in stock. Add products with their variants first."),
    "inventory.unknown_supplier": _("No variant is bought from the supplier {supplier}. Known: {known}."),
    "inventory.unknown_variant": _("The shop has no variant with the id {variant_id}."),
    "inventory.replay_too_short": _(
        "A replay needs {needed} weeks of sales; the shop has {found}. The levels stand on that history alone."
    ),
    "inventory.replay_few_sold": _(
        "A replay needs {needed} units sold in its weeks, of variants that had sold before; there were fewer."
    ),
    "inventory.beats_thumb": _(
        "Replayed over {weeks} weeks, the policy costs {cost} and serves {fill} % of the demand from the shelf; a rule "
        "of thumb of {days} days, the cheapest of nine in hindsight, would have cost {thumb} and served {thumb_fill} %."
    ),
    "inventory.loses_to_thumb": _(
        "Replayed over {weeks} weeks, the policy costs more: {cost}, serving {fill} % of the demand from the shelf. A "
        "rule of thumb of {days} days, the cheapest of nine in hindsight, would have cost {thumb} and served "
        "{thumb_fill} %."
    ),
    "inventory.own_less_stock": _(
        "With this policy, goods would have been on the shelf {available} % of the time in the last {weeks} weeks "
        "instead of {own_available} %, with {percent} % less stock at cost."
    ),
    "inventory.own_more_stock": _(
        "With this policy, goods would have been on the shelf {available} % of the time in the last {weeks} weeks "
        "instead of {own_available} %, with {percent} % more stock at cost."
    ),
    "inventory.demand_forecast": _("Demand is taken half from the sales forecast, half from each variant's own rates."),
    "inventory.demand_own": _(
        "Demand is taken from each variant's own rates: no recent sales forecast that can be read is in service."
    ),
    # alerts
    "inventory.out_of_stock": _(
        "Sold out, while about {daily} units a day are asked for: {money} {currency} of margin in {risk_days} days."
    ),
    "inventory.negative_stock": _(
        "The count says {stock} units: count the shelf. About {daily} units a day are asked for, {money} {currency} of "
        "margin in {risk_days} days."
    ),
    "inventory.stockout_before_delivery": _(
        "{on_order} units are on their way, the first in about {next_days} days; with a chance of {percent} % what is "
        "in stock ({stock}) is gone before: {money} {currency} of margin."
    ),
    "inventory.late_po": _(
        "The order {number} is {late_days} days late: {late_units} units. With a chance of {percent} % the shelf is "
        "empty before they come, {money} {currency} of margin. Ask the supplier."
    ),
    "inventory.margin_negative": _(
        "It is to be ordered, but sells at {price} and costs {cost} {currency}: at about {month} units in 30 days that "
        "loses {money} {currency}. Check price and cost before ordering."
    ),
    "inventory.price_or_cost_missing": _(
        "Stock and orders come to {position}, at or below the reorder point of {reorder_point}, but price or cost "
        "is not known: what an order earns, and whether a budget should pay for it, cannot be said. Enter them."
    ),
    "inventory.season_end_risk": _(
        "The season ends on {season_end}: of {coming} units in stock and on order about {leftover} will be left (a "
        "loss of {money} {currency} if half of their cost is lost). Reduce the price, or stop what is on order."
    ),
    "inventory.demand_drop": _(
        "{units} units in the last 7 days, where {week_expected} were expected, with {stock} on the shelf. Is it "
        "shown, priced and found as usual?"
    ),
    "inventory.lead_time_drift": _(
        "Deliveries take about {drift_days} days longer than the {stated} that are stated: the reorder point counts "
        "with it, which takes stock of {money} {currency} more at cost. Correct what is stated, or ask the supplier."
    ),
    "inventory.reorder_now": _(
        "Stock and orders come to {position}, at or below the reorder point of {reorder_point}: {daily} units a day "
        "sell, and delivery takes {lead_days} days."
    ),
    "inventory.above_reorder_point": _(
        "Stock and orders come to {position}, above the reorder point of {reorder_point}: nothing is missing yet. "
        "{daily} units a day sell, and delivery takes {lead_days} days."
    ),
    "inventory.reorder_low_confidence": _(
        "Stock and orders come to {position}, at or below the reorder point of {reorder_point}: about {daily} units "
        "a day, delivery in {lead_days} days. There is little history behind it: take it as a hint."
    ),
    "inventory.reorder_without_cost": _(
        "Stock and orders come to {position}, at or below the reorder point of {reorder_point}: {daily} units a day "
        "sell, and delivery takes {lead_days} days. Without a cost, a service level of {percent} % was used."
    ),
    "inventory.reorder_negative_stock": _(
        "The count of {stock} units was taken as none, which makes {position} with what is on order; the reorder point "
        "is {reorder_point} ({daily} units a day, delivery in {lead_days} days). Count the shelf before ordering."
    ),
    "inventory.reorder_soon": _(
        "Stock and orders come to {position} and will reach the reorder point of {reorder_point} within "
        "{review_days} days."
    ),
    "inventory.demand_spike": _(
        "{units} units in the last 7 days, far more than expected; {daily} a day are now expected. Is it a one-off?"
    ),
    "inventory.dead_stock": _(
        "No sale for {idle_days} days. Units that lie there: {stock}, {money} {currency} at cost."
    ),
    "inventory.never_sold": _("Never sold so far. Units that lie there: {stock}, {money} {currency} at cost."),
    "inventory.overstock": _(
        "{excess} units more than will very probably sell in {over_days} days: {money} {currency} at cost."
    ),
    "inventory.slow_moving": _(
        "At {daily} units a day the stock of {stock} lasts {cover_days} days: {money} {currency} at cost beyond half "
        "a year."
    ),
    "inventory.no_demand": _("No demand is expected for the stock of {stock}: {money} {currency} at cost."),
    "inventory.digest_rest": _(
        "The {shown} alerts with the most at stake, and {count} smaller ones, worth {money} {currency}."
    ),
    "inventory.digest_all": _("All {shown} alerts that nobody has seen yet."),
    "inventory.digest_none": _("No alert wants your time today."),
    # dead and slow stock
    "inventory.markdown": _(
        "{percent} % less ({price} {currency}) would sell about {sold} units in {days} days instead of {plain}, and "
        "bring {gain} {currency} more, what is left included."
    ),
    "inventory.markdown_none": _(
        "About {plain} units sell in {days} days; a lower price would give away more than it brings."
    ),
    "inventory.markdown_unknown": _(
        "Price or demand is not known: nobody can say what a lower price would bring for the stock of {stock}. Bundle "
        "it, return it, or write it off."
    ),
    "inventory.markdown_assumption": _(
        "Assumed, not measured: an elasticity of {elasticity} (a price 10 % lower sells about {lift} % more), and that "
        "what is left after {days} days, or at the end of its season, is worth {percent} % of its cost."
    ),
    # the replay
    "inventory.settings_changed": _(
        "Settings have changed since the replay: {names}. Train again to replay with them."
    ),
    # was it right?
    "inventory.value_counts": _(
        "Each alert and suggestion was written down when it was made and held against the sales and the stock of the "
        "days after. What was done about it stands beside: an order placed in time may have kept it from coming true."
    ),
    "inventory.value_few": _(
        "Some lines rest on {fewest} claims only: below {needed}, one more or less moves the share by over 3 points."
    ),
    "inventory.value_none": _(
        "Nothing has been claimed yet. Claims are written by the training of the inventory and by each nightly refresh."
    ),
    "inventory.value_waiting": _("Nothing is over yet: the first claims are decided on {day}."),
    "inventory.value_unknown": _("Nothing that is over could be scored; why, stands beside each code."),
    "inventory.value_no_history": _(
        "{count} claims say that a shelf will be empty, and without a stock history nobody can know: keep movements of "
        "stock (import_stock, receipts, counts)."
    ),
    # why nothing is ordered
    "inventory.enough": _("Stock and orders come to {position}, above the reorder point of {reorder_point}."),
    "inventory.not_active": _("It is not on offer: nothing is ordered."),
    "inventory.not_in_model": _("It is new since the last training: train the inventory optimization again."),
    "inventory.nothing_expected": _("No sale in the last year: nothing is expected, and nothing ordered."),
    "inventory.season_over": _(
        "Its season ends on {season_end}, before an order of today could be sold: nothing is ordered."
    ),
    "inventory.other_supplier": _("It is bought from another supplier: {supplier}."),
    "inventory.drafted_already": _("{units} units of it stand in drafts already."),
    # beside an order
    "inventory.draft_counted": _("Of {asked} units, {drafted} stand in drafts already: only the rest is added."),
    "inventory.rounded_up": _("{asked} units became {units}: packs of {pack}, at least {minimum} an order."),
    "inventory.filled_up": _("{units} units of it fill the order up to the minimum of {supplier}."),
    "inventory.break_taken": _(
        "Raised to {units} units, where one costs {unit_cost} {currency}: over a year that costs less than ordering "
        "only what is needed."
    ),
    "inventory.break_above": _(
        "With {more} units more, one would cost {next_unit_cost} {currency} instead of {unit_cost}."
    ),
    "inventory.cost_unknown": _("Its cost is not known: enter it before you confirm."),
    "inventory.nothing_to_draft": _("There is nothing to draft: what is needed is in stock, on order or in drafts."),
    "inventory.below_minimum_order": _(
        "{supplier} takes orders from {minimum_cost} {currency} on: {missing_cost} {currency} are missing."
    ),
    # health
    "inventory.advice_reorder": _("Variants to order now: {count}, with {money} {currency} of margin at stake."),
    "inventory.advice_overstock": _("Variants overstocked: {count}, by {money} {currency} more than will sell soon."),
    "inventory.advice_dead": _(
        "Variants that no longer sell: {count} ({money} {currency} at cost). Sell off or return."
    ),
    "inventory.advice_negative": _("Variants with a stock below zero: {count}. Count them."),
    "inventory.advice_cost": _(
        "Variants without a cost: {count}. Enter it, and orders follow the margin, not a fixed service level."
    ),
    "inventory.advice_fine": _("Nothing wants a decision."),
    "inventory.advice_nothing": _("There is nothing on offer and nothing in stock."),
}
