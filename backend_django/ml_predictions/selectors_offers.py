"""What the dashboard reads of recommendations: for a customer, beside a product, and what is trending."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from ml_predictions import conf
from ml_predictions.errors import NotTrained
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.services import get_service
from retail_ml.errors import RetailMLError

TOP = 8
MOST_SETS = 6


def to_customer(customer_id: str) -> dict[str, Any] | None:
    """What to offer to a customer; None while no recommendation is trained, or where the customer is unknown to it."""
    service: Any = get_service("product_recommendation")
    try:
        found: dict[str, Any] = service.for_customer(customer_id, top_n=TOP)
    except (NotTrained, RetailMLError):
        return None
    return found


def beside(product_id: str) -> dict[str, dict[str, Any]]:
    """`page` (the hybrid), `similar` and `together` of a product. Raises NotTrained, UnknownId."""
    service: Any = get_service("product_recommendation")
    return {
        "page": service.for_product(product_id, top_n=TOP),
        "similar": service.similar(product_id, top_n=TOP),
        "together": service.bought_together(product_id, top_n=TOP),
    }


def trending() -> dict[str, Any]:
    """What sells well these weeks. Raises NotTrained."""
    service: Any = get_service("product_recommendation")
    found: dict[str, Any] = service.trending(top_n=TOP)
    return found


def sets() -> list[dict[str, Any]]:
    """Sets that sell together, each with its evidence. Raises NotTrained."""
    service: Any = get_service("product_recommendation")
    found: list[dict[str, Any]] = service.sets(top_n=MOST_SETS)
    return found


def rules() -> list[RecommendationRule]:
    """The owner's rules that are not over, newest first: one query."""
    return list(RecommendationRule.objects.filter(Q(last_day=None) | Q(last_day__gte=conf.shop_today())))
