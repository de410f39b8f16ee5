"""Every recommender by name; a test walks the package and finds any that is missing here."""

from __future__ import annotations

from retail_ml.recommend.base import Recommender
from retail_ml.recommend.learned import Learned
from retail_ml.recommend.models import (
    BasketCompletion,
    BoughtTogether,
    HybridPage,
    PersonalBlend,
    PersonalFrequency,
    PopularContent,
    Popularity,
    SimilarContent,
    Trending,
)

MODELS: dict[str, type[Recommender]] = {
    "popularity": Popularity,
    "trending": Trending,
    "similar": SimilarContent,
    "together": BoughtTogether,
    "popularity_content": PopularContent,
    "hybrid": HybridPage,
    "co_purchase": BasketCompletion,
    "frequency": PersonalFrequency,
    "personal": PersonalBlend,
    "learned": Learned,
}
