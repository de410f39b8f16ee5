"""`recommendation-rules/`: entered, changed, listed, deleted; in the API and in the admin."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ml_predictions.models_rules import RecommendationRule
from ml_predictions.tests.api.test_calendar_events import refused

pytestmark = pytest.mark.postgres

URL = "/api/ml/recommendation-rules/"


@pytest.fixture
def shoe(db: None) -> str:
    """The one product of a shop with one category, Shoes."""
    from products.models import Category, Product

    category = Category.objects.create(name="Shoes")
    return str(Product.objects.create(code="P1", name="Red shoe", category=category, price=20).pk)


def make(**values: Any) -> RecommendationRule:
    return RecommendationRule.objects.create(**{"kind": "pin", "level": "category", "object_id": "Shoes", **values})


def test_entered_read_changed_and_deleted_each_audited(api: Any, cast: Any, shoe: str):
    answer = api.post(URL, {"kind": "exclude", "object_id": shoe})
    assert answer.status_code == 201
    row = answer.json()
    own = {"level": "product", "surface": "", "source_product_id": "", "first_day": None, "last_day": None, "note": ""}
    assert row.items() >= {"kind": "exclude", "object_id": shoe, **own, "created_by": "ben@shop.test"}.items()
    one = f"{URL}{row['id']}/"
    assert api.get(one).json() == row
    changed = api.patch(one, {"kind": "pin", "surface": "basket", "last_day": "2026-12-24"}).json()
    assert (changed["kind"], changed["surface"], changed["last_day"]) == ("pin", "basket", "2026-12-24")
    whole = api.put(one, {"kind": "pin", "level": "category", "object_id": "Shoes"}).json()
    assert (whole["surface"], whole["last_day"]) == ("", None)
    assert api.delete(one).status_code == 204
    assert refused(api.get(one), 404) == {}
    told = ["Rule added.", "Rule changed.", "Rule changed.", "Rule deleted."]
    assert [entry.change_message for entry in LogEntry.objects.order_by("id")] == told
    assert set(LogEntry.objects.values_list("user", flat=True)) == {cast["ben"].pk}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"kind": "hide"}, "kind", "not a valid choice"),
        ({"level": "brand"}, "level", "not a valid choice"),
        ({"object_id": ""}, "object_id", "may not be blank"),
        ({"object_id": "987654321"}, "object_id", "no product with the id 987654321"),
        ({"level": "category", "object_id": "shoe"}, "object_id", "no category shoe. Perhaps: Shoes"),
        ({"source_product_id": "no-such"}, "source_product_id", "no product with the id no-such"),
        (
            {"level": "category", "object_id": "Shoes", "surface": "customer", "source_product_id": "{shoe}"},
            "source_product_id",
            "Only a rule of product pages",
        ),
        ({"source_product_id": "{shoe}"}, "source_product_id", "never recommended beside itself"),
        ({"surface": "window"}, "surface", "not a valid choice"),
        ({"first_day": "tomorrow"}, "first_day", "YYYY-MM-DD"),
        ({"first_day": "2026-07-02", "last_day": "2026-07-01"}, "last_day", "before the first"),
        ({"note": "x" * 501}, "note", "no more than 500"),
    ],
)
def test_each_fault_names_its_field(api: Any, shoe: str, change: dict[str, str], field: str, words: str):
    filled = {name: value.format(shoe=shoe) for name, value in change.items()}
    found = refused(api.post(URL, {"kind": "pin", "object_id": shoe, **filled}))
    assert words in found[field]["message"]
    assert not RecommendationRule.objects.exists()


def test_all_that_is_missing_is_named_at_once(api: Any):
    assert set(refused(api.post(URL, {}))) == {"kind", "object_id"}


def test_a_category_that_is_gone_does_not_bar_a_new_note(api: Any, shoe: str):
    row = make(object_id="Hats")
    assert api.patch(f"{URL}{row.pk}/", {"note": "sold out"}).status_code == 200
    assert set(refused(api.patch(f"{URL}{row.pk}/", {"object_id": "Caps"}))) == {"object_id"}


def test_the_same_rule_again_is_a_conflict_unless_its_days_differ(api: Any, shoe: str):
    body = {"kind": "pin", "level": "category", "object_id": "Shoes"}
    assert api.post(URL, body).status_code == 201
    answer = api.post(URL, body)
    assert refused(answer, 409) == body
    assert answer.json()["error"]["code"] == "rule_exists"
    assert "Shoes" in answer.json()["error"]["message"]
    december = {**body, "first_day": "2026-12-01", "last_day": "2026-12-31"}
    assert api.post(URL, december).status_code == 201
    assert refused(api.post(URL, december), 409)
    assert RecommendationRule.objects.count() == 2


@pytest.mark.parametrize(
    ("query", "notes"),
    [
        ("", ["c", "b", "a"]),
        ("kind=exclude", ["b"]),
        ("level=product", ["b"]),
        ("object_id=Shoes&ordering=id", ["a", "c"]),
        ("surface=page", ["c"]),
        ("on=2026-12-24", ["b", "a"]),
        ("on=2026-07-01", ["c", "b", "a"]),
        ("search=SHO", ["c", "a"]),
        ("page_size=1&page=3", ["a"]),
    ],
)
def test_filtered_searched_ordered_and_paged(api: Any, shoe: str, query: str, notes: list[str]):
    make(note="a")
    make(note="b", kind="exclude", level="product", object_id=shoe)
    make(note="c", surface="page", last_day=date(2026, 7, 31))
    assert [row["note"] for row in api.get(f"{URL}?{query}").json()["results"]] == notes


@pytest.mark.parametrize("query", ["kind=hide", "surface=window", "on=soon", "ordering=note", "page_size=999"])
def test_a_filter_outside_its_range_is_refused(api: Any, query: str):
    assert query.partition("=")[0] in refused(api.get(f"{URL}?{query}"))


def test_a_page_costs_the_same_for_one_row_and_for_forty(api: Any):
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert api.get(URL).status_code == 200
        return len(captured)

    make()
    one = cost()
    for i in range(40):
        make(object_id=f"Category {i}")
    assert cost() == one


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "hide"},
        {"object_id": ""},
        {"surface": "customer", "source_product_id": "1"},
        {"first_day": date(2026, 7, 2), "last_day": date(2026, 7, 1)},
    ],
)
def test_the_table_itself_refuses_what_makes_no_sense(db: None, values: dict[str, Any]):
    with pytest.raises(IntegrityError), transaction.atomic():
        make(**values)


# --- the admin ------------------------------------------------------------------------------------


def page(name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:ml_predictions_recommendationrule_{name}", args=args)


@pytest.fixture
def ben(cast: dict[str, Any]) -> Client:
    """The role admin, without any of Django's permissions."""
    client = Client()
    client.force_login(cast["ben"], backend="authentication.backends.EmailBackend")
    return client


def test_by_hand_in_the_admin(ben: Client, shoe: str):
    form = {"kind": "pin", "level": "product", "object_id": shoe}
    assert ben.post(page("add"), form).status_code == 302
    row = RecommendationRule.objects.get()
    assert (row.created_by, row.first_day, row.source_product_id) == ("ben@shop.test", None, "")
    assert "Product: Red shoe" in ben.get(page()).content.decode()
    ben.post(page("change", row.pk), {**form, "kind": "exclude"})
    row.refresh_from_db()
    assert row.kind == "exclude"
    twice = ben.post(page("add"), {**form, "kind": "exclude"}).content.decode()
    assert "This rule is there already." in twice
    wrong = ben.post(page("add"), {"kind": "pin", "level": "category", "object_id": "shoe"}).content.decode()
    assert "Perhaps: Shoes." in wrong
    ben.post(page("delete", row.pk), {"post": "yes"})
    assert not RecommendationRule.objects.exists()


@pytest.mark.parametrize("name", ["eve", "cleo", "max"])
def test_nobody_else_comes_in(cast: dict[str, Any], name: str):
    cast[name].is_staff = True
    cast[name].save()
    client = Client()
    client.force_login(cast[name], backend="authentication.backends.EmailBackend")
    row = make()
    for address in (page(), page("add"), page("change", row.pk), page("delete", row.pk)):
        assert client.get(address).status_code in (302, 403)
