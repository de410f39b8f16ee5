"""Customers: who they are (six named segments) and what they are likely to spend.

`segment_customers` is the whole of it. The rooms: `features` (recency, orders, spend, rhythm as of a day), `space`
(the scale on which customers are compared), `clusters` (K-Means), `naming` (six archetypes), `guards` (rules a name
must satisfy), `groups` (which of these, by the number of customers), `review` (when the map of them is drawn anew),
`memory` (what one training leaves to the next), `changes` (who moved, and why), `profile` (metrics). What a customer
is worth: `likelihood`, `buying` (MBG/NBD, BG/NBD), `spending` (Gamma-Gamma), `value` (their blend with the own last
window, and the naive methods), `past` (earlier days as teachers), `holdout` (the evidence), `probability` (an order
within 90 days), `worth` (all of it for all customers).
"""

from retail_ml.segment.changes import CHANGES, DRIVERS
from retail_ml.segment.guards import RULES
from retail_ml.segment.memory import Memory
from retail_ml.segment.model import RESULT, Segmentation, check_clusters, segment_customers
from retail_ml.segment.naming import NAMES
from retail_ml.segment.probability import BANDS
from retail_ml.segment.review import Frozen
from retail_ml.segment.space import AXES, Space
from retail_ml.segment.value import BLEND, margin_share
from retail_ml.segment.worth import Money

__all__ = [
    "AXES", "BANDS", "BLEND", "CHANGES", "DRIVERS", "NAMES", "RESULT", "RULES", "Frozen", "Memory", "Money",
    "Segmentation", "Space", "check_clusters", "margin_share", "segment_customers",
]  # fmt: skip
