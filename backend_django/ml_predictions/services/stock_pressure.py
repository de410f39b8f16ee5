"""What the levels of the inventory say of showing a product: sold out before a delivery could come, or too much of it.

The forecast of demand, the stock and the recommendations meet here, not in the mathematics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ml_predictions import artifacts
from ml_predictions.artifacts import ArtifactRefused
from ml_predictions.models import Kind, MLModel
from retail_ml.recommend.steering import pressure


@dataclass(frozen=True)
class StockPressure:
    """Expected units a day, days until a delivery, and the stock that is too much, per product in the order of ids."""

    products: np.ndarray
    daily: np.ndarray
    lead_days: np.ndarray
    excess: np.ndarray

    @classmethod
    def in_service(cls) -> StockPressure | None:
        """By the inventory's version in service; None without one, or where its file does not tell (an older one)."""
        model = MLModel.objects.filter(service=Kind.INVENTORY_OPTIMIZATION.value, is_active=True).first()
        if model is None:
            return None
        try:
            return _load(model.artifact, model.artifact_sha256)
        except ArtifactRefused:  # recommendations do without; the inventory's own calls and start-up checks report it
            return None

    def of(self, units: Mapping[str, float]) -> dict[str, float]:
        """Pressure -1…1 (`retail_ml.recommend.steering`) of products by their free units, as far as they are known."""
        wanted = np.array(list(units) or [""], dtype=str)
        at = np.minimum(np.searchsorted(self.products, wanted), len(self.products) - 1)
        known = np.flatnonzero(self.products[at] == wanted)
        at, free = at[known], np.array([*units.values(), 0.0])[known]
        push = pressure(free, daily=self.daily[at], lead_days=self.lead_days[at], excess=self.excess[at])
        return dict(zip(wanted[known].tolist(), push.tolist(), strict=True))


@lru_cache(maxsize=2)
def _load(artifact: str, sha256: str) -> StockPressure | None:
    """The levels of the variants summed up by product, once per version and process."""
    arrays = artifacts.load(artifact, sha256).arrays
    if "product_id" not in arrays or not len(arrays["product_id"]):
        return None
    products, row = np.unique(np.asarray(arrays["product_id"]), return_inverse=True)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, weights=values, minlength=len(products))

    daily = summed(arrays["daily"])
    lead = np.zeros(len(products))
    np.maximum.at(lead, row, np.asarray(arrays["lead_days"], dtype=np.float64))
    return StockPressure(products, daily, lead, summed(arrays["excess_bound"]))
