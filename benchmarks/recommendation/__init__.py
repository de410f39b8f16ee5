"""The recommender as others may call it: `Trastienda` (see `adapter.py`)."""

from benchmarks.recommendation.adapter import Trastienda

__all__ = ["Trastienda"]
