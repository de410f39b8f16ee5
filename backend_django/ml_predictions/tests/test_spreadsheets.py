"""No cell of any file that the app hands out is taken for a formula."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest

from api_base.spreadsheets import UTF8_MARK, harmless, original
from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.serializers import calendar_csv
from ml_predictions.views import recommending

FORMULAS = ["=1+1", "+34", "-2", "@sum", "\t=1", "\r=1", " =1", "＝1", "|cmd", "%1", "\u00a0=1"]


def table(text: str) -> list[dict[str, str]]:
    assert text.startswith(UTF8_MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(UTF8_MARK), newline="")))


@pytest.mark.parametrize("text", FORMULAS)
def test_what_looks_like_a_formula_gets_an_apostrophe_and_loses_it_again(text: str):
    assert harmless(text) == "'" + text
    assert original(harmless(text)) == text
    assert harmless("Ana" + text) == "Ana" + text
    assert original("'Ana" + text) == "'Ana" + text


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_the_recommendations_is_a_formula(text: str):
    item = {"product_id": text, "product_name": text, "rank": 1, "similarity_score": -0.5, "price": 9.95,
            "pinned": True, "reason": {"code": "of another version", "params": {}, "text": text}}  # fmt: skip
    (row,) = table("".join(recommending._lines(iter([(text, [item])]), "en")))
    assert [row[name] for name in ("product_id", "recommended_id", "recommended_name", "reason")] == ["'" + text] * 4
    assert row["similarity_score"] == "-0.5"  # a number stays one


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_the_calendar_is_a_formula(text: str):
    event = CalendarEvent(kind="holiday", name=text, note=text, first_day=date(2026, 1, 1), last_day=date(2026, 1, 1))
    (row,) = table(calendar_csv.write([event]))
    assert (row["name"], row["note"]) == ("'" + text, "'" + text)
    (again,) = calendar_csv.read(calendar_csv.write([event]).encode())
    assert (again.name, again.note) == (text.strip(), text.strip())
