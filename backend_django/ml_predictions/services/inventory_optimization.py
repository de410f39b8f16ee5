"""Inventory optimization: when to reorder what, how much, what is wrong on the shelf, how healthy the stock is.

The mathematics is `retail_ml.inventory`; here the shop is read, the levels are published as a version, and the version
in service is held against the stock of the minute. There are no rows per version: its file holds arrays by variant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from django.utils import timezone

from ml_predictions import conf
from ml_predictions.artifacts import Content
from ml_predictions.messages import message
from ml_predictions.models import MLModel
from ml_predictions.services import (
    get_service,
    inventory_alerts,
    inventory_health,
    inventory_orders,
    inventory_outlook,
    inventory_value,
)
from ml_predictions.services.base import Service, TrainingRun, Version
from ml_predictions.services.inventory_answers import Analysis, short
from ml_predictions.sources import currency_of
from ml_predictions.sources.base import daily_lines, open_orders_of, positions, read_optional, shelf
from retail_ml import frames
from retail_ml.errors import NotEnoughHistory, UnknownId
from retail_ml.inventory import lead_times, live, policy
from retail_ml.inventory.beside import Beside
from retail_ml.inventory.due import may_be_due
from retail_ml.inventory.plan import PROBABILITIES, VARIANT_DEMAND, Plan, Records, aimed, make, replayed
from retail_ml.inventory.policy import Rules
from retail_ml.inventory.replay import FEWEST_UNITS
from retail_ml.inventory.world import FEWEST_WEEKS, TRAIN_WEEKS

MODEL_TYPE = "reorder_point"
WARM_WEEKS = 2
LONGEST_FORECAST = 300
"""Days of a protection period that the forecast is asked for at most."""
READ_ALONE = 0.2
"""Share of all variants up to which it is cheaper to ask for some than to read all and leave the others out."""
OWNERS = ("holding_rate", "review_days", "order_cost", "service_level", "default_lead_days")
"""Rules that are the owner's settings."""


def rules_in_force() -> Rules:
    """The owner's settings as the rules of the policy."""
    return Rules(
        holding_rate=float(conf.get("HOLDING_RATE")),
        review_days=int(conf.get("REVIEW_DAYS")),
        order_cost=float(conf.get("ORDER_LINE_COST")),
        service_level=float(conf.get("SERVICE_LEVEL")),
        default_lead_days=float(conf.get("DEFAULT_LEAD_TIME_DAYS")),
    )


class InventoryOptimizationService(Service):
    """`train` publishes levels; `analysis`, `reorder`, `health` and `explain` hold them against the live stock."""

    name = "inventory_optimization"

    # --- training -----------------------------------------------------------------------------

    def train(self, run: TrainingRun, **_: Any) -> MLModel:
        """Levels of every variant and the replay behind them; then the alerts are refreshed.

        Any number of sales will do, none included. Raises NotEnoughHistory when the shop has no variant.
        """
        run.progress(5, message("inventory.step_reading"))
        rules, as_of = rules_in_force(), self._as_of()
        stock = self.reads.stock()
        if not len(stock):
            raise NotEnoughHistory(
                "The shop has no variant to keep in stock. Add products with their variants first.",
                code="inventory.no_variants",
            )
        lines, products = daily_lines(self.reads), self.reads.products()
        lead = lead_times.learn(
            stock,
            *(read_optional(self.reads, name) for name in ("deliveries", "open_orders")),
            as_of=as_of,
            rules=rules,
        )
        demand = self._variant_demand(stock, lead, rules=rules, as_of=as_of)
        run.progress(35, message("inventory.step_levels"))
        history = self.reads.stock_history()
        records = Records(demand, lead, history if history is not None else frames.empty(frames.STOCK_HISTORY))
        plan = make(lines, stock, products, as_of=as_of, rules=rules, records=records)
        del lines, history, records
        run.progress(50, message("inventory.step_replay"))
        replay = replayed(plan, rules, seed=conf.get("SEED"))
        run.progress(75, message("inventory.step_aims"))
        plan, fill = aimed(plan, rules, seed=conf.get("SEED"))
        run.progress(90, message("inventory.step_saving"))
        model = self.publish(run, [self._version(plan, replay, fill=fill, rules=rules, as_of=as_of)])
        run.progress(95, message("inventory.step_alerts"))
        self.refresh_alerts()
        return model

    def _as_of(self) -> date:
        """The shop's last whole business day; yesterday for a shop that has never sold anything."""
        until = self.reads.data_until()
        return until.as_of if until else timezone.localdate() - timedelta(days=1)

    def _variant_demand(
        self, stock: pl.DataFrame, lead: lead_times.LeadTimes, *, rules: Rules, as_of: date
    ) -> pl.DataFrame | None:
        """Units per variant over the 7 and 30 days after `as_of`; of its own protection period per day, and quantiles.

        None while no forecast is in service, or only one that is too old.
        """
        whole = policy.protection_days(lead.days, rules)
        days = np.clip(whole, 7, LONGEST_FORECAST)
        ids = stock["variant_id"]
        other = ids.filter(
            pl.Series(days != whole)
        )  # the forecast's days are not theirs: a mean will do, quantiles not
        usual = dict(zip(ids.to_list(), days.tolist(), strict=True))
        service: Any = get_service("sales_forecast")
        found = [
            service.variant_demand(days=n, after=as_of, probabilities=asked)
            for n, asked in ((7, ()), (30, ()), (usual, PROBABILITIES))
        ]
        if any(table is None for table in found):
            return None
        week, month = (table.select("variant_id", "mean_units") for table in found[:2])
        own = found[2].drop("sd_units")
        joined = week.rename({"mean_units": "units_7"}).join(
            month.rename({"mean_units": "units_30"}), on="variant_id", how="inner"
        )
        number = pl.col("variant_id").replace_strict(usual, default=None, return_dtype=pl.Float64)
        quantiles = [pl.when(~pl.col("variant_id").is_in(other.implode())).then(f"q{p:g}") for p in PROBABILITIES]
        own = own.with_columns(*quantiles, daily=pl.col("mean_units") / number)
        joined = joined.join(own, on="variant_id", how="inner")
        return joined.select(list(VARIANT_DEMAND)).cast(VARIANT_DEMAND)

    def _version(
        self, plan: Plan, replay: dict[str, Any] | None, *, fill: dict[str, Any] | None, rules: Rules, as_of: date
    ) -> Version:
        forecast = bool(plan.arrays["from_forecast"].any())
        confidence = np.bincount(plan.arrays["confidence"], minlength=3)
        content = Content(meta={"as_of": as_of.isoformat(), "forecast": forecast, **plan.facts}, arrays=plan.arrays)
        reason = None if replay else self._no_replay(plan)
        metrics = {
            "n_variants": len(plan.arrays["variant_id"]),
            "replay": replay,
            "replay_reason": reason,
            "fill_aims": fill,
            "confidence": dict(zip(live.CONFIDENCE, confidence.tolist(), strict=True)),
            "demand": message("inventory.demand_forecast" if forecast else "inventory.demand_own"),
            "history_days": plan.facts["history_days"],
        }
        beats = replay["total_cost"] <= replay["baseline"]["total_cost"] if replay else None
        return Version(
            model_type=MODEL_TYPE,
            content=content,
            metrics=metrics,
            receipt=_receipt(replay, reason),
            as_of=as_of,
            parameters={name: value for name, value in vars(rules).items() if name != "fill_floors"}
            | {"fill_floors": list(rules.fill_floors)},
            beats_baseline=beats,
            why=_receipt(replay, reason).get("sentence") or reason,
        )

    @staticmethod
    def _no_replay(plan: Plan) -> dict[str, Any]:
        needed, found = FEWEST_WEEKS + TRAIN_WEEKS + WARM_WEEKS, plan.history.days // 7
        if found < needed:
            return message("inventory.replay_too_short", needed=needed, found=found)
        return message("inventory.replay_few_sold", needed=FEWEST_UNITS)

    # --- answering ----------------------------------------------------------------------------

    def analysis(self, variant_ids: Sequence[str] | None = None) -> Analysis:
        """Every variant's stored levels against its stock of this minute; with `variant_ids` only these are read.

        The rows of these are those of the whole. Raises NotTrained.
        """
        return self._analysed(self.active(), variant_ids)

    def _analysed(self, model: MLModel, variant_ids: Sequence[str] | None, *, scan: bool = False) -> Analysis:
        content = self.content(model)
        rules = rules_in_force()
        until = self.source.data_until()
        as_of = max(until.as_of if until else model.as_of, model.as_of)
        found = live.assess(
            content.arrays,
            *self._of_this_minute(variant_ids, scan=scan),
            days=(model.as_of, as_of + timedelta(days=1)),
            rules=rules,
            beside=None if variant_ids is None else Beside(content.arrays, partial(shelf, self.source)),
        )
        return Analysis(
            model,
            as_of,
            rules,
            found,
            currency=currency_of(self.source),
            forecast=bool(content.meta["forecast"]),
            counted=self.source.counts_stock(),
        )

    def _of_this_minute(
        self, variant_ids: Sequence[str] | None, *, scan: bool
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Stock, products and open orders: all, or what belongs to some variants; with `scan` read with all others."""
        if variant_ids is None or scan:
            stock = self.source.stock()
            some = stock if variant_ids is None else stock.filter(pl.col("variant_id").is_in(variant_ids))
            return some, self.source.products(), read_optional(self.source, "open_orders")
        stock = self.source.stock(variant_ids=variant_ids)
        products = self.source.products(ids=stock["product_id"].unique().to_list())
        return stock, products, open_orders_of(self.source, variant_ids)

    def orderable(self, variant_ids: Sequence[str] | None = None) -> Analysis:
        """`analysis` of all that an order of now could be for, or of `variant_ids`, to order from.

        Of the others only positions are looked at; all that a supplier brings is judged when an order misses the least
        that it takes. Raises NotTrained.
        """
        model = self.active()
        places = positions(self.source)
        if variant_ids is None:
            due = may_be_due(self.content(model).arrays, places)
            variant_ids = places.filter(pl.Series(due, dtype=pl.Boolean))["variant_id"].to_list()

        def judged(ids: Sequence[str]) -> Analysis:
            return self._analysed(model, ids, scan=len(ids) > READ_ALONE * len(places))

        def brought(suppliers: Sequence[str]) -> pl.DataFrame:
            ids = places.filter(pl.col("supplier_id").is_in(list(suppliers)))["variant_id"]
            return judged(ids.to_list()).goods

        return replace(judged(variant_ids), suppliers=brought)

    def reorder(
        self,
        *,
        budget: float | None = None,
        supplier: str | None = None,
        fill_minimum: bool = False,
        most: int | None = None,
    ) -> dict[str, Any]:
        """What to order now, the most urgent first, within `budget` and from `supplier` (id or name) when given.

        Drafts count as ordered, so asking again after drafting adds nothing. With a budget, packs are bought by
        expected value per cost, and variants without a cost are left out; without one, quantities are raised to a
        price break where that costs less a year. With `fill_minimum` an order below the least that its supplier takes
        is filled up to it. `most` lines are told, sums are over all. Raises NotTrained, UnknownId.
        """
        limits: dict[str, Any] = {"budget": budget, "supplier": supplier, "fill_minimum": fill_minimum}
        plan = inventory_orders.reorder(self.orderable(), self.source, **limits)
        return inventory_orders.reorder_answer(plan, most=most)

    def order_table(
        self, *, budget: float | None = None, supplier: str | None = None, fill_minimum: bool = False
    ) -> tuple[Sequence[str], list[list[Any]]]:
        """What `reorder` recommends, as header and cells of a file. Raises NotTrained, UnknownId."""
        limits: dict[str, Any] = {"budget": budget, "supplier": supplier, "fill_minimum": fill_minimum}
        return inventory_orders.table(inventory_orders.reorder(self.orderable(), self.source, **limits))

    def health(self) -> dict[str, Any]:
        """Score with its five parts, money at risk, counts of variants, and what to do. Raises NotTrained."""
        return inventory_health.health_answer(self.analysis())

    def simulation(self) -> dict[str, Any]:
        """The replay behind the version in service, beside the rule of thumb, and what has changed since.

        Raises NotTrained.
        """
        model = self.active()
        rules, replay = rules_in_force(), model.metrics.get("replay")
        now = {name: list(x) if isinstance(x, tuple) else x for name, x in vars(rules).items() if name in OWNERS}
        changed = [name for name, x in now.items() if name in model.parameters and model.parameters[name] != x]
        notes = [message("inventory.settings_changed", names=", ".join(changed))] if changed else []
        return {
            "model": model,
            "available": replay is not None,
            "replay": replay,
            "difference": _difference(replay) if replay else None,
            "parameters": model.parameters,
            "settings": now,
            "sentence": model.receipt.get("sentence"),
            "reason": model.metrics.get("replay_reason"),
            "notes": [*model.receipt.get("notes", []), *notes],
        }

    def explain(self, variant_id: str) -> dict[str, Any]:
        """One variant: its row, why it is or is not ordered, demand by quantiles, stock expected day by day.

        Raises NotTrained, UnknownId.
        """
        analysis = self.analysis([str(variant_id)])
        found = analysis.frame.filter(pl.col("variant_id") == str(variant_id)).to_dicts()
        if not found:
            raise UnknownId(
                f"The shop has no variant with the id {variant_id}.",
                code="inventory.unknown_variant",
                variant_id=str(variant_id),
            )
        row = found[0]
        return inventory_outlook.explained(row, analysis)

    def refresh_alerts(self) -> dict[str, int]:
        """Bring the stored alerts and the health of the day in line with the facts, and score what was said of it.

        Raises NotTrained.
        """
        analysis = self.analysis()
        done = inventory_alerts.refresh(analysis.alert_rows())
        done |= inventory_value.refresh(analysis, self.source)
        inventory_health.store(analysis)
        return done


def _difference(replay: dict[str, Any]) -> dict[str, Any]:
    """The policy less the cheapest rule of thumb, and less the cheapest one that served as much (null: none did)."""

    def less(rule: dict[str, Any] | None) -> dict[str, Any] | None:
        names = ("total_cost", "average_inventory", "fill_rate", "order_lines")
        return None if rule is None else {name: round((replay[name] or 0) - (rule[name] or 0), 4) for name in names}

    return {"baseline": less(replay["baseline"]), "same_service": less(replay.get("same_service"))}


def _receipt(replay: dict[str, Any] | None, reason: dict[str, Any] | None) -> dict[str, Any]:
    """The evidence behind the levels: the replay in short, with a sentence."""
    if replay is None:
        return {"method": "replay", "available": False, "reason": reason}
    ours, thumb = replay["total_cost"], replay["baseline"]["total_cost"]
    figures = {
        "weeks": replay["weeks"],
        "days": replay["baseline"]["cover_days"],
        "cost": short(ours),
        "thumb": short(thumb),
        "fill": round(100 * replay["fill_rate"], 1),
        "thumb_fill": round(100 * replay["baseline"]["fill_rate"], 1),
    }
    sentence = message("inventory.beats_thumb" if ours <= thumb else "inventory.loses_to_thumb", **figures)
    notes = _own_history(replay["own_history"], weeks=replay["weeks"])
    return {"method": "replay", "available": True, **replay, "sentence": sentence, "notes": notes}


def _own_history(own: dict[str, Any] | None, *, weeks: int) -> list[dict[str, Any]]:
    """The policy beside what the shop's own shelves really held."""
    if own is None or not own["shop"]["average_inventory"]:
        return []
    change = own["policy"]["average_inventory"] / own["shop"]["average_inventory"] - 1
    figures = {
        "weeks": weeks,
        "available": round(100 * own["policy"]["available"], 1),
        "own_available": round(100 * own["shop"]["available"], 1),
        "percent": round(abs(100 * change)),
    }
    return [message("inventory.own_less_stock" if change <= 0 else "inventory.own_more_stock", **figures)]
