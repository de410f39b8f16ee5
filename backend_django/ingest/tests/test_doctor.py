"""The import doctor: every fault planted is found with its rows, money and lines; totals are explained."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from ingest import checkup, doctor, expected, said_doctor
from ingest.presets import PRESETS
from ingest.rows import LEAVABLE, Options
from orders.models import Order
from products.models import ProductVariant
from retail_ml import quality, quality_file

pytestmark = pytest.mark.django_db
HEADER = "order_number,placed_at,sku,units,unit_price,product_name,customer_id,currency,shipping,status"
START = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


def sound(days: int = 20) -> list[str]:
    """One order a day of one of two products, each 10.00, without a fault."""
    return [
        f"{100 + n},{START + timedelta(days=n):%Y-%m-%d %H:%M},{'AB'[n % 2]},1,10.00,"
        f"{'Red mug' if n % 2 == 0 else 'Wool hat'},{n % 7},EUR,,"
        for n in range(days)
    ]


def examine(tmp_path: Path, lines: list[str], **asked: object) -> checkup.Checkup:
    path = tmp_path / "sales.csv"
    path.write_text("\n".join([HEADER, *lines]))
    options = Options(time_zone="UTC", currency="EUR", channel="store")
    word = checkup.Asked(**asked)
    return checkup.examine([path], PRESETS["generic"], options, source="generic", asked=word, step=lambda: None)


def found(tmp_path: Path, lines: list[str], **asked: object) -> dict[str, doctor.Finding]:
    """The findings by code, but for the costs, which a file of sales never has."""
    return {one.code: one for one in examine(tmp_path, lines, **asked).findings if one.code != "no_cost"}


def test_a_sound_file_has_no_fault_but_unknown_costs(tmp_path: Path):
    (one,) = examine(tmp_path, sound()).findings
    assert (one.code, one.count, one.of, one.unit, one.action) == ("no_cost", 2, 2, "skus", "kept")
    assert one.examples == ["sales.csv, line 2: A", "sales.csv, line 3: B"]
    call_command("import_sales", str(tmp_path / "sales.csv"), stdout=StringIO())
    ProductVariant.objects.update(cost=4)
    assert not examine(tmp_path, sound()).findings


PLANTED = [
    ("test_orders", ["T,2026-03-05 10:00,A,2,10.00,Red mug,ana@example.com,EUR,,"], 1, 2000, "T, A, 2 × 10.00"),
    ("gift_cards", ["T,2026-03-05 10:00,G,1,50.00,Tarjeta regalo,1,EUR,,"], 1, 5000, "T, G, 1 × 50.00"),
    ("giant_quantity", ["T,2026-03-05 10:00,A,80995,10.00,Red mug,1,EUR,,"], 1, 80_995_000, "T, A, 80995 × 10.00"),
    ("price_far_off", ["T,2026-03-05 10:00,A,1,1000.00,Red mug,1,EUR,,"], 1, 100_000, "T, A, 1 × 1000.00"),
    ("free_lines", ["T,2026-03-05 10:00,A,1,0,Red mug,1,EUR,,"], 1, 0, "T, A, 1 × 0.00"),
    ("future_dates", ["T,2199-03-05 10:00,A,1,10.00,Red mug,1,EUR,,"], 1, 1000, "T, 2199-03-05 10:00"),
    ("other_currency", ["T,2026-03-05 10:00,A,1,10.00,Red mug,1,USD,,"], 1, 1000, "T, A, 1 × 10.00"),
    ("entered_twice", ["T,2026-03-05 10:00,A,1,10.00,Red mug,1,EUR,,"] * 2, 1, 1000, "T, A, 1 × 10.00"),
    ("number_reused", ["T,2026-03-05 10:00,A,1,10.00,Red mug,1,EUR,,", "T,2026-03-09 10:00,B,1,10.00,Wool hat,1,EUR,,"],
     1, 0, "T, 2026-03-05 / 2026-03-09"),
    ("sku_two_names", [f"T{n},2026-03-05 10:0{n},A,1,10.00,Garden chair,1,EUR,," for n in range(3)], 3, 1000,
     "A, Garden chair / Red mug"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "lines", "count", "cents", "example"), PLANTED)
def test_a_planted_fault_is_found_with_its_line_and_money(
    tmp_path: Path, code: str, lines: list[str], count: int, cents: int, example: str
):
    faults = found(tmp_path, [*sound(), *lines])
    if code == "future_dates":  # the years until then are a gap as well
        assert faults.pop("silent_weeks").unit == "gaps"
    (one,) = faults.values()
    assert (one.code, one.count, one.cents) == (code, count, cents)
    assert one.examples[0] == f"sales.csv, line 22: {example}"
    assert said_doctor.finding({"code": code, "count": one.count, "of": one.of}).startswith(f"{count} of ")
    if code not in LEAVABLE:
        return
    whole = examine(tmp_path, [*sound(), *lines])
    left = examine(tmp_path, [*sound(), *lines], leave_out=(code,))
    assert code not in {one.code for one in left.findings}
    assert [(group.reason, group.rows, group.cents) for group in left.account.left_out] == [(code, 1, cents)]
    assert (left.account.orders, left.account.balanced) == (whole.account.orders - 1, True)


def test_gaps_times_and_guests(tmp_path: Path):
    later = [line.replace("2026-03", "2026-06") for line in sound()]
    gap = found(tmp_path, [*sound(), *[f"9{line}" for line in later]])["silent_weeks"]
    assert (gap.count, gap.unit, gap.examples) == (1, "gaps", ["2026-03-22 / 2026-06-01"])
    days = [line.replace(" 10:30", "") for line in sound()]
    assert [(one.code, one.count, one.unit) for one in found(tmp_path, days).values()] == [
        ("at_midnight", 20, "orders")
    ]
    nights = [line.replace(" 10:30", " 03:30") for line in sound()]
    night = found(tmp_path, nights)["at_night"]
    assert (night.count, night.action) == (20, "decide")
    assert night.examples[0] == "sales.csv, line 2: 100, 2026-03-02 03:30"
    guests = [line.replace(f",{n % 7},EUR", ",,EUR") for n, line in enumerate(sound())]
    assert found(tmp_path, guests)["mostly_guests"].count == 20


def test_the_shipping_of_an_order_that_is_left_out_goes_with_it(tmp_path: Path):
    card = "T,2026-03-05 10:00,G,1,50.00,Gift card,1,EUR,4.90,"
    left = examine(tmp_path, [*sound(), card], leave_out=("gift_cards",))
    assert (left.account.stored, left.account.balanced) == (20_000, True)
    with pytest.raises(Exception, match="no_cost cannot be left out; these can: test_orders"):
        examine(tmp_path, sound(), leave_out=("no_cost",))


def test_totals_that_differ_are_explained_by_the_fewest_sums_to_the_cent(tmp_path: Path):
    lines = [
        *sound(),
        "T1,2026-03-05 10:00,G,1,50.00,Gift card,1,EUR,,",
        "T2,2026-03-05 11:00,A,2,10.00,Red mug,ana@example.com,EUR,,",
        "T3,2026-03-06 11:00,A,1,10.00,Red mug,2,EUR,4.90,cancelled",
        "100,2026-03-07 11:00,A,-1,10.00,Red mug,0,EUR,,",
    ]
    stored = 20_000 + 5_000 + 2_000 + 1_490 - 1_000
    assert examine(tmp_path, lines).account.stored == stored
    assert examine(tmp_path, lines).explained is None

    def explained(total: str, orders: int | None = None) -> expected.Explained:
        told = examine(tmp_path, lines, total=Decimal(total), orders=orders).explained
        assert told is not None
        return told

    assert explained("274.90").terms == []
    whole = explained("284.90")
    assert ([term.code for term in whole.terms], whole.unexplained) == (["returned"], 0)
    net = explained("200.00", orders=20)
    assert {term.code for term in net.terms} == {"returned", "gift_cards", "test_orders", "status:cancelled"}
    assert (net.unexplained, net.orders_found, net.orders_explained) == (0, 23, -3)
    odd = explained("123.45")
    assert (odd.terms, odd.unexplained) == ([], 12_345 - stored)
    assert {term.code for term in odd.candidates} >= {"returned", "shipping", "gift_cards", "status:cancelled"}


def test_the_command_says_it_in_both_languages_and_writes_nothing_in_a_dry_run(tmp_path: Path):
    path = tmp_path / "sales.csv"
    card = "T,2026-03-05 10:00,G,1,50.00,Gift card,1,EUR,,"
    path.write_text("\n".join([HEADER, *sound(), card]))

    def run(language: str, **options: object) -> str:
        out = StringIO()
        with translation.override(language):
            call_command("import_sales", str(path), stdout=out, **options)
        return out.getvalue()

    text = run("en", dry_run=True, expect_total=Decimal("200.00"), expect_orders=20)
    assert "gift_cards: 1 of 21 lines are gift cards" in text
    assert "They come in unless you leave them out. --leave-out gift_cards" in text
    assert "· sales.csv, line 22: T, G, 1 × 50.00" in text
    assert "− gift cards" in text
    assert re.search(r"not explained +0\.00", text)
    assert "Orders that you know: 20; in these files: 21; explained: -1." in text
    assert "son tarjetas regalo" in run("es", dry_run=True)
    assert not Order.objects.exists()
    run("en", leave_out=["gift_cards"])
    assert Order.objects.count() == 20
    with pytest.raises(CommandError, match="no_cost"):
        call_command("import_sales", str(path), "--leave-out", "no_cost", stdout=StringIO())


def test_every_code_has_its_sentence():
    sources = [inspect.getsource(check) for check in doctor.CHECKS] + [inspect.getsource(quality_file)]
    codes = set(re.findall(r'finding\(\s*"(\w+)"', "".join(sources))) | {"no_cost"}
    assert codes - {"no_units"} == set(said_doctor.FINDINGS)  # a line of a file without units cannot be read
    assert set(LEAVABLE) <= set(said_doctor.TERMS)
    assert quality.TEST
