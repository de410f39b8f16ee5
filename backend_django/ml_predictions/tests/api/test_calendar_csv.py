"""Calendar events as CSV: what spreadsheets write is read, and every faulty cell is named."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.utils import translation

from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.serializers import calendar_csv
from ml_predictions.serializers.calendar_csv import FaultyFile, read, write
from ml_predictions.services import calendar_events

ENGLISH = "kind,name,first_day,last_day,level,object_id,uplift,repeats_yearly,note\n"
SPANISH = "Tipo;Nombre;Desde;Hasta;Ámbito;Categoría o producto;Efecto;Cada año;Nota\n"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop has the category Vestidos and the product 7."""
    has = {("total", ""), ("category", "Vestidos"), ("product", "7")}
    monkeypatch.setattr(calendar_events, "unknown", lambda scopes: {scope: [] for scope in set(scopes) - has})


def cells(event: CalendarEvent) -> tuple[Any, ...]:
    return (*event.key, event.uplift, event.repeats_yearly, event.note)


def told(text: str | bytes) -> list[tuple[int, str, str, str]]:
    """Line, column, what was found, and the sentence of every fault."""
    with pytest.raises(FaultyFile) as refused:
        read(text.encode() if isinstance(text, str) else text)
    assert refused.value.details["count"] == len(refused.value.faults)
    return [(f.line, f.column, f.found, f.message) for f in refused.value.faults]


# --- what is read ---------------------------------------------------------------------------------

ROWS = (
    "Promoción;Rebajas de enero;07/01/2026;31/1/2026;;;1,4;sí;\n"
    'CIERRE;"Obras; y limpieza";1-8-2026;15.08.2026;tienda;;;no;"dos\nlíneas"\n'
    "\n;;;;;;;;\n"
    "festivo;San Isidro;2026-05-15;;total;;;X;\n"
    "apertura extra;Adviento;2026-12-06;;;;;;\n"
    "oferta;Vestidos;2026-03-01;2026-03-07;categoría;Vestidos;2;;\n"
    " promotion ; Uno ;2026-03-01;;producto;7;0.05;FALSE;\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_spanish_spreadsheet(encoding: str, newline: str):
    text = (SPANISH + ROWS).replace("\n", newline)
    day = date.fromisoformat
    assert [cells(event) for event in read(text.encode(encoding))] == [
        ("promotion", day("2026-01-07"), day("2026-01-31"), "total", "", "Rebajas de enero", 1.4, True, ""),
        ("closure", day("2026-08-01"), day("2026-08-15"), "total", "", "Obras; y limpieza", None, False,
         f"dos{newline}líneas"),
        ("holiday", day("2026-05-15"), day("2026-05-15"), "total", "", "San Isidro", None, True, ""),
        ("opening", day("2026-12-06"), day("2026-12-06"), "total", "", "Adviento", None, False, ""),
        ("promotion", day("2026-03-01"), day("2026-03-07"), "category", "Vestidos", "Vestidos", 2.0, False, ""),
        ("promotion", day("2026-03-01"), day("2026-03-01"), "product", "7", "Uno", 0.05, False, ""),
    ]  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_a_file_of_the_three_needed_columns_in_another_order(separator: str):
    text = separator.join(("First day", "KIND", "name")) + "\n" + separator.join(("2026-01-05", "sale", "Kings"))
    (event,) = read(text.encode())
    assert cells(event) == ("promotion", date(2026, 1, 5), date(2026, 1, 5), "total", "", "Kings", None, False, "")


def test_what_is_written_is_read_as_it_was():
    rows = read((SPANISH + ROWS).encode())
    odd = CalendarEvent(
        kind="promotion", name='=1+1, "quoted"; ñ', first_day=date(1990, 1, 1), last_day=date(1990, 12, 31),
        uplift=1.2345678901234567, note="a\nb",
    )  # fmt: skip
    again = read(write([*rows, odd]).encode())
    assert [cells(event) for event in again] == [cells(event) for event in [*rows, odd]]


def test_every_spelling_stands_for_one_thing():
    for words in (calendar_csv.HEADERS, calendar_csv.KINDS, calendar_csv.LEVELS, calendar_csv.ANSWERS):
        spellings = [spelling for options in words.values() for spelling in options]
        assert len(spellings) == len(set(spellings))
        assert all(calendar_csv.plain(spelling) == spelling for spelling in spellings)
    assert set(calendar_csv.KINDS) == set(CalendarEvent.Kind.values)
    assert set(calendar_csv.LEVELS) == set(CalendarEvent.Level.values)
    assert set(calendar_csv.HEADERS) == set(calendar_csv.ALLOWED)


# --- what is refused ------------------------------------------------------------------------------


def test_every_fault_of_every_line_is_named_with_its_place():
    text = ENGLISH + (
        "sale,Fine,2026-01-05,2026-01-06,,,1.2,,\n"
        "salle,,2026-13-05,31/02/26,shops,7,1.2.3,perhaps,\n"
        'promotion,Two lines,2026-01-05,,,,"1,3",,"a\nb"\n'
        "closure,August,2026-08-10,2026-08-01,category,Vestidos,1.5,,\n"
        "\n"
        "promotion,Few cells,2026-01-01\n"
        "promotion,No such,2026-01-01,,category,Vestdos,,,\n"
        "promotion,Both,1989-12-31,,,Vestidos,30,,\n"
    )
    assert told(text) == [
        (3, "kind", "salle", "“salle” is no kind of event."),
        (3, "name", "", "This cell is empty."),
        (3, "first_day", "2026-13-05", "There is no day 2026-13-05, read as yyyy-mm-dd or dd/mm/yyyy."),
        (3, "last_day", "31/02/26", "“31/02/26” is no date that can be read."),
        (3, "level", "shops", "“shops” is no level."),
        (3, "uplift", "1.2.3", "“1.2.3” is no number."),
        (3, "repeats_yearly", "perhaps", "“perhaps” is neither yes nor no."),
        (6, "last_day", "2026-08-01", "The last day lies before the first."),
        (6, "level", "category", "Only a promotion can be of a category or product; the other kinds are of the whole "
                                 "shop."),
        (6, "uplift", "1.5", "Only a promotion takes an uplift; what the other kinds do is learned from the past."),
        (8, "", "promotion,Few cells,2026-01-01", "3 cells instead of 9. A text with a separator in it stands in "
                                                  "quotation marks."),
        (9, "object_id", "Vestdos", "The shop has no category Vestdos."),
        (10, "uplift", "30", "Ensure this value is less than or equal to 20.0."),
    ]  # fmt: skip


@pytest.mark.parametrize("uplift", ["1e3", "nan", "inf", "-1", "1.3x", "١", "0", "30 %"])
def test_numbers_that_are_no_factor(uplift: str):
    assert [fault[1] for fault in told(f"kind,name,first_day,uplift\nsale,A,2026-01-05,{uplift}\n")] == ["uplift"]


def test_the_column_is_named_as_it_stands_in_the_file():
    assert told(SPANISH + "cierre;A;mañana;;;;;;\n")[0][:3] == (2, "Desde", "mañana")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "is empty"),
        ("\n \n", 1, "is empty"),
        ("kind,name,first_day\n", 1, "no row under its headers"),
        (b"PK\x03\x04workbook", 1, "a workbook"),
        (b"a\0b", 1, "no text"),
        (b"\xff\xfea", 1, "no text"),
        ('kind,name,first_day\nsale,A,2026-01-01\nsale,"B,2026-01-01\n', 3, "quotation mark"),
        ("x" * 1_000_001, 1, "larger than 1 MB"),
        ("kind,name,first_day\n" + "sale,A,2026-01-01\n" * 5_001, 1, "more than 5,000 rows"),
    ],
)
def test_files_that_are_none(text: str | bytes, line: int, words: str):
    (fault,) = told(text)
    assert fault[0] == line
    assert words in fault[3]


def test_headers_that_are_unknown_double_or_missing():
    assert told("kind,tipo,name,frist_day\nsale,sale,A,2026-01-01\n") == [
        (1, "tipo", "tipo", "This column stands there twice: kind, tipo."),
        (1, "frist_day", "frist_day", "This column is not known."),
        (1, "first_day", "", "This column is missing."),
    ]


def test_as_many_rows_as_may_be_are_read_without_the_database():
    text = "kind,name,first_day\n" + "".join(f"sale,A{i},2026-01-01\n" for i in range(calendar_csv.MOST_ROWS))
    assert len(read(text.encode())) == calendar_csv.MOST_ROWS


def test_the_sentence_on_the_file_tells_the_first_three_faults():
    with translation.override("en"), pytest.raises(FaultyFile) as refused:
        read(b"kind,name,first_day\n" + b"sale,A,\n" * 5)
    text = str(refused.value.detail)
    assert text.startswith("The file has 5 faults, and nothing was stored. Line 2, first_day: This cell is empty.")
    assert (text.count("Line"), text[-1]) == (3, "…")
