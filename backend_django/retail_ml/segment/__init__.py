"""Customers: who they are (six named segments) and what they are likely to spend.

`segment_customers` is the whole of it. The rooms: `features` (recency, orders, spend, rhythm as of a day), `space`
(the scale on which customers are compared), `clusters` (K-Means), `naming` (six archetypes), `guards` (rules a name
must satisfy), `groups` (which of these, by the number of customers), `value`, `holdout` and `probability` (lifetime
value and its evidence), `profile` (metrics).
"""

from retail_ml.segment.guards import RULES
from retail_ml.segment.model import RESULT, Segmentation, check_clusters, segment_customers
from retail_ml.segment.naming import NAMES
from retail_ml.segment.value import SIMPLE

__all__ = ["NAMES", "RESULT", "RULES", "SIMPLE", "Segmentation", "check_clusters", "segment_customers"]
