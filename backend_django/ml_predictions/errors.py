"""Errors of this app that are met far from where they arise; importing them brings nothing heavy along."""

from __future__ import annotations


class NotTrained(Exception):
    """A service was asked before any version of it was in service."""

    code = "not_trained"

    def __init__(self, service: str) -> None:
        self.service = service
        self.call = f"/api/ml/train-{TRAIN_CALLS[service]}/"
        self.details = {"service": service, "call": self.call}
        super().__init__(f"Nothing has been trained yet for {service}. Call POST {self.call} first.")


TRAIN_CALLS = {
    "sales_forecast": "sales-forecast",
    "product_recommendation": "product-recommendation",
    "customer_segmentation": "customer-segmentation",
    "inventory_optimization": "inventory-optimization",
}
