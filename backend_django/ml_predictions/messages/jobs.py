"""Sentences of runs that the worker starts by itself; the codes of the nightly refresh begin with `nightly.`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "promotion.not_worse": _(
        "Tests in common with version {version}: {tests}. There its error is {error} against {before}: not worse by "
        "more than {percent} %."
    ),
    "promotion.worse": _(
        "Kept, but not put into service. Tests in common with version {version}, which serves: {tests}. There its "
        "error is {error} against {before}, worse by more than {percent} %. Activate it if you want it all the same."
    ),
    "promotion.stale": _(
        "Tests in common with version {version}: {tests}. There its error is {error} against {before}; it serves all "
        "the same, because the data of that version is too old."
    ),
    "promotion.no_common_test": _(
        "Not comparable with version {version}: the two have no test on the same days. It serves because it is newer."
    ),
    "promotion.not_compared": _(
        "Not compared with version {version}: the newest version says who the customers are today, and serves."
    ),
    "artifact_being_mended": _(
        "The model file {name} was refused: {reason}. Training {training_log_id} makes it anew; until then stored "
        "results go on serving. Ask {url} how far it is."
    ),
    "import.reading": _("The file is read."),
    "import.waiting": _("Another import, undo or pull is being written; this one waits for it."),
    "import.fetching": _("The shop is asked: {n} records so far."),
    "import.matching": _("Rows become orders, and returns are matched to their sales."),
    "import.writing": _("Everything is read; the writing begins."),
    "report.what": _("Version {version} of {service} ({method}), trained on {trained_on} from data up to {as_of}."),
    "report.data": _("It has seen {orders} orders with {lines} lines, {customers} customers and {products} products."),
    "report.forecast": _(
        "Replayed from {origins} days of the past, up to {days} days ahead, it missed sales by {wape} % of them; the "
        "naive method by {baseline} %."
    ),
    "report.coverage": _(
        "Of the days, {coverage_80} % fell inside its 80 % interval and {coverage_95} % inside the one of 95 %."
    ),
    "report.customers": _(
        "What {customers} customers would bring in {days} days was foretold from before: it missed by {error} a "
        "customer on average; taking what they had just spent, by {baseline}."
    ),
    "report.sample": _(
        "There were more rows about products than are learned from: {rows} of {of} were drawn by chance. Over the last "
        "{origins} replays that missed {whole} % of the units of a week, half of the rows {half} %, the naive rate "
        "{baseline} %: twice the rows are worth about that difference, as far as it is no chance."
    ),
    "report.sample_lists": _(
        "There were more candidates than the order of a customer's list is learned from: {rows} of {of} were drawn by "
        "chance. Asked what {cases} customers bought next, they reached an NDCG@10 of {whole} %, half of them "
        "{half} %, best sellers {baseline} %: twice the rows are worth about that difference, as far as it is no "
        "chance."
    ),
    "report.sample_untested": _(
        "There were more rows about products than are learned from: {rows} of {of} were drawn by chance. What that "
        "costs could not be tested yet."
    ),
    "report.people_customer": _(
        "The shop has more order lines than lists are learned from: {share} % of its customers were drawn by chance. "
        "Asked what {cases} customers bought next, lists learned from them reached an NDCG@10 of {whole} %, from half "
        "of them {half} %, best sellers {baseline} %: twice the customers are worth about that difference, as far as "
        "it is no chance."
    ),
    "report.people_page": _(
        "The shop has more order lines than lists are learned from: {share} % of its customers were drawn by chance. "
        "Asked {cases} times what was bought with a product, lists learned from them reached an NDCG@10 of {whole} %, "
        "from half of them {half} %, best sellers {baseline} %: twice the customers are worth about that difference, "
        "as far as it is no chance."
    ),
    "report.people_untested": _(
        "The shop has more order lines than lists are learned from: {share} % of its customers were drawn by chance. "
        "What that costs could not be tested yet."
    ),
    "report.untested": _("There was too little of the past to test it on."),
    "report.serves": _("In service since {since}."),
    "report.served": _("In service from {since} to {until}; it can be put back."),
    "report.never_served": _("It has never been in service."),
    "report.file_whole": _("Its file is whole and bears our signature."),
    "report.file_refused": _("Its file is refused: {reason}."),
    "report.changed": _("Changed since it was trained, so that training again may give other numbers: {names}."),
    "version_gone": _(
        "The version behind prediction {prediction_id} was deleted, so its numbers cannot be made again; what was "
        "answered is stored with the prediction."
    ),
    "prediction.gone": _("The shop no longer has {id}: nobody can say what came."),
    "drift.error": _(
        "Of the last {days} days {outside} fell outside the forecast's 95 % interval, more than chance explains: train "
        "again, and see whether something has happened that belongs into the calendar."
    ),
    "drift.order_value": _(
        "What an order brings is no longer spread as when the forecast learned it (stability index {index})."
    ),
    "drift.unit_price": _("Prices are no longer spread as when the forecast learned them (stability index {index})."),
    "drift.category": _(
        "The categories sell in other shares than when the forecast learned them (stability index {index})."
    ),
    "drift.weekday": _("Customers come on other days of the week than before (stability index {index})."),
    "nightly.look_back": _("Predictions whose days are over are held against what came."),
    "nightly.watch_drift": _("What is sold is held against what the forecast has learned from."),
    "nightly.check_files": _("The files of the versions in service are read."),
    "nightly.prune": _("Old versions are deleted with their files."),
    "nightly.score_forecasts": _("Past forecasts are held against what came."),
    "nightly.refresh_alerts": _("The alerts are brought in line with today's stock and sales."),
    "nightly.refresh_customers": _("The customers' figures are brought up to date."),
    "nightly.step": _("The step {name} of the nightly refresh."),
    "nightly.failed": _("These steps of the nightly refresh failed: {names}. The worker's log has the details."),
}  # fmt: skip
