"""An event says what it is, or is refused by name."""

from datetime import date

import pytest

from retail_ml.errors import BadParameter
from retail_ml.forecast.events import Event

MONDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 8)


def test_a_promotion_may_be_of_a_category_and_of_unknown_size():
    event = Event("promotion", "Spring sale", MONDAY, SUNDAY, level="category", object_id="shoes")
    assert (event.days, event.uplift) == (7, None)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"kind": "party"}, "bad_parameter.choice"),
        ({"level": "shelf", "object_id": "3"}, "bad_parameter.choice"),
        ({"name": " "}, "event_name"),
        ({"first": SUNDAY, "last": MONDAY}, "event_days"),
        ({"last": date(2028, 1, 1)}, "event_days"),
        ({"kind": "closure", "level": "category", "object_id": "shoes"}, "event_level"),
        ({"kind": "holiday", "uplift": 1.2}, "event_level"),
        ({"level": "product"}, "event_object"),
        ({"object_id": "7"}, "event_object"),
        ({"uplift": 0.0}, "event_uplift"),
        ({"uplift": float("nan")}, "event_uplift"),
        ({"uplift": 1000.0}, "event_uplift"),
    ],
)
def test_what_cannot_be_is_refused(values, code):
    with pytest.raises(BadParameter) as refused:
        Event(**{"kind": "promotion", "name": "Sale", "first": MONDAY, "last": SUNDAY} | values)
    assert refused.value.code == code
