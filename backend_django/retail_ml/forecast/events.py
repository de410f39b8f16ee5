"""What the owner knows about days ahead and behind: promotions, closures, feasts, extra openings.

Events are plans, known before the day they speak of. They are therefore seen in back-tests too, even by a model
that ends before them: whoever enters an event after the fact (a closure nobody expected) should keep that in mind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite

import numpy as np
import numpy.typing as npt

from retail_ml.errors import BadParameter

KINDS = ("promotion", "closure", "holiday", "opening")
LEVELS = ("total", "category", "product", "variant")
LONGEST = 366  # days of one event
UPLIFT = (0.05, 20.0)


@dataclass(frozen=True)
class Event:
    """One entry of the owner's calendar, from `first` to `last`, both included.

    kind: `promotion` (`uplift`: the factor of demand that is expected, 1.3 for 30 % more; None: unknown);
    `closure` (the shop is shut); `holiday` (a feast or an event of its own that comes back under the same `name`:
    whether the shop is open then, and what it sells, is learned by the name); `opening` (open although the calendar
    would say closed). All but promotions concern the whole shop: level "total", `object_id` "".

    Raises BadParameter when a value is outside its range.

    >>> Event("promotion", "Black Friday", date(2026, 11, 27), date(2026, 11, 27), uplift=2.0).days
    1
    """

    kind: str
    name: str
    first: date
    last: date
    level: str = "total"
    object_id: str = ""
    uplift: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        _one_of("kind", self.kind, KINDS)
        _one_of("level", self.level, LEVELS)
        if not self.name.strip():
            raise BadParameter("an event needs a name; received an empty one.", code="event_name")
        if not 1 <= self.days <= LONGEST:
            raise BadParameter(
                f"event {self.name!r} must last 1 to {LONGEST} days; received {self.first} to {self.last}.",
                code="event_days", name=self.name, first=str(self.first), last=str(self.last), longest=LONGEST,
            )  # fmt: skip
        if self.kind != "promotion" and (self.level != "total" or self.uplift is not None):
            raise BadParameter(
                f"event {self.name!r}: a {self.kind} concerns the whole shop and has no uplift; received level "
                f"{self.level!r}, uplift {self.uplift}. Enter a promotion instead.",
                code="event_level", name=self.name, kind=self.kind,
            )  # fmt: skip
        if (self.level == "total") != (self.object_id == ""):
            raise BadParameter(
                f"event {self.name!r}: level {self.level!r} {'takes no' if self.object_id else 'needs an'} object_id; "
                f"received {self.object_id!r}.",
                code="event_object", name=self.name, level=self.level,
            )  # fmt: skip
        if self.uplift is not None and not (isfinite(self.uplift) and UPLIFT[0] <= self.uplift <= UPLIFT[1]):
            raise BadParameter(
                f"event {self.name!r}: uplift is a factor of demand from {UPLIFT[0]} to {UPLIFT[1]}; "
                f"received {self.uplift}.",
                code="event_uplift", name=self.name, lowest=UPLIFT[0], highest=UPLIFT[1],
            )  # fmt: skip

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1


def stated(
    events: Sequence[Event], level: str, ids: Sequence[str] | npt.NDArray[np.str_], *, start: date, days: int
) -> npt.NDArray[np.float64]:
    """The stated uplifts of promotions of single parts of the shop, multiplied: (ids, days) from `start` on.

    1 where none is stated. What such a promotion did in the past is not learned: the owner's figure is taken as it is.

    >>> coats = Event("promotion", "Coats", date(2026, 11, 2), date(2026, 11, 9), "category", "coats", 1.5)
    >>> stated([coats], "category", ["coats", "hats"], start=date(2026, 11, 1), days=3).tolist()
    [[1.0, 1.5, 1.5], [1.0, 1.0, 1.0]]
    """
    out = np.ones((len(ids), days))
    row = {str(object_id): i for i, object_id in enumerate(ids)}
    for event in events:
        if event.kind == "promotion" and event.level == level and event.uplift and event.object_id in row:
            first, last = (event.first - start).days, (event.last - start).days + 1
            out[row[event.object_id], max(first, 0) : max(last, 0)] *= event.uplift
    return out


def _one_of(field: str, value: str, allowed: Sequence[str]) -> None:
    """Raise BadParameter unless `value` is one of `allowed`."""
    if value not in allowed:
        raise BadParameter(
            f"{field} of an event must be one of {', '.join(allowed)}; received {value!r}.",
            code="bad_parameter.choice", field=field, received=value, allowed=list(allowed),
        )  # fmt: skip
