"""A folder of Parquet files as a shop: what is refused and by what words, partitions, the way there and back."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from django.core.management import CommandError, call_command
from polars.testing import assert_frame_equal

from ml_predictions import checks
from ml_predictions.messages import spoken
from ml_predictions.sources import files as module
from ml_predictions.sources.base import OPTIONAL_READS, lines_of_some, read_optional
from ml_predictions.sources.django_shop import DjangoShop
from ml_predictions.sources.export import export
from ml_predictions.sources.files import BESIDE, DERIVED, TABLES, FileShop, Folder
from ml_predictions.sources.joined import ABSENT, WHOLE, JoinedShop
from ml_predictions.testing.folder import FolderFiller
from ml_predictions.testing.shops import SMALL, Shop, boutique
from products.models import ProductVariant
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem, SupplierPrice
from retail_ml import daily, engine
from retail_ml.engine import EngineFault
from retail_ml.errors import BadFrame, BadParameter, RetailMLError


@pytest.fixture
def folder(tmp_path: Path, db: None) -> Path:
    FolderFiller(tmp_path / "shop").fill(SMALL)
    return tmp_path / "shop"


def rewrite(file: Path, *columns: pl.Expr, drop: tuple[str, ...] = ()) -> None:
    """The file again with other columns."""
    pl.read_parquet(file, hive_partitioning=False).drop(drop).with_columns(columns).write_parquet(file)


def lines_of(folder: Path, year: int = 2026) -> Path:
    return folder / "order_lines" / f"year={year}" / "lines.parquet"


def refusal(folder: Path) -> BadFrame:
    with pytest.raises(BadFrame) as found:
        FileShop(folder)
    text = spoken(found.value)
    assert "{" not in text
    assert text != found.value.code
    return found.value


# --- what is refused at the start -----------------------------------------------------------------


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(BadParameter, match=r"folder is .*nowhere, which is no folder; name the one that holds order_l"):
        FileShop(tmp_path / "nowhere")


def test_a_table_that_is_missing(folder: Path):
    (folder / "stock.parquet").unlink()
    error = refusal(folder)
    assert "neither stock.parquet nor a folder stock" in str(error)
    assert error.details["found"] == ["customers", "order_lines", "products"]


def test_a_column_that_is_missing_names_its_file(folder: Path):
    rewrite(folder / "products.parquet", drop=("name",))
    error = refusal(folder)
    assert (error.details["table"], error.details["missing"]) == (str(folder / "products.parquet"), ["name"])


@pytest.mark.parametrize(
    ("table", "column", "value", "found", "needed"),
    [
        ("stock", "on_hand", pl.lit("5"), "String", "Float64"),
        ("stock", "active", pl.lit(1), "Int32", "Boolean"),
        ("products", "created", pl.lit("2026-01-01"), "String", "Date"),
        (
            "lines",
            "at",
            pl.lit(date(2026, 1, 1)).cast(pl.Datetime("us")),
            "Datetime(time_unit='us', time_zone=None)",
            "Datetime",
        ),
        ("lines", "order_id", pl.lit(1.5), "Float64", "String"),
        ("lines", "is_test", pl.lit("no"), "String", "Boolean"),
        ("customers", "joined", pl.lit(20), "Int32", "Date"),
    ],
)
def test_a_column_of_another_type_is_named(folder, table, column, value, found, needed):
    file = lines_of(folder) if table == "lines" else folder / f"{table}.parquet"
    for one in (folder / "order_lines").rglob("*.parquet") if table == "lines" else [file]:
        rewrite(one, value.alias(column))
    error = refusal(folder)
    assert (error.details["table"], error.details["column"]) == (str(file), column)
    assert error.details["found"] == found
    assert error.details["needed"].startswith(needed)


def test_files_of_one_table_that_differ(folder: Path):
    rewrite(lines_of(folder, 2099), drop=("currency",))
    error = refusal(folder)
    assert f"{lines_of(folder, 2099)}: currency is absent, in {lines_of(folder)} it is String" in str(error)


def test_a_file_that_is_no_parquet(folder: Path):
    (folder / "customers.parquet").write_text("customer_id\nana\n")
    assert refusal(folder).details["table"] == str(folder / "customers.parquet")


@pytest.mark.parametrize(
    ("told", "why"),
    [("{", "JSON|property|Expecting"), ('{"data_until": "2026-04-01"}', "without a time zone"), ("[1]", "list")],
)
def test_what_cannot_be_said_about_a_shop(folder: Path, told: str, why: str):
    (folder / "shop.json").write_text(told)
    with pytest.raises(BadFrame, match=why):
        FileShop(folder)


def test_the_check_at_the_start_says_it(folder: Path, settings):
    source = {"SOURCE": "ml_predictions.sources.files.FileShop", "SOURCE_OPTIONS": {"folder": str(folder)}}
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, **source}
    assert checks.imports(None) == []
    rewrite(folder / "products.parquet", drop=("name",))
    (error,) = checks.imports(None)
    assert (error.id, "products.parquet lacks the column(s) name" in error.msg) == ("ml_predictions.E012", True)


# --- what is refused when it is read --------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (pl.col("units").abs(), "bad_frame.signs"),
        (pl.lit(None, dtype=pl.Int64).alias("units"), "bad_frame.empty"),
        (pl.lit(float("nan")).alias("amount"), "bad_frame.not_finite"),
    ],
)
def test_values_that_cannot_be_are_refused_when_they_are_read(folder: Path, change: pl.Expr, code: str):
    for file in (folder / "order_lines").rglob("*.parquet"):
        rewrite(file, (pl.col("units") < 0).alias("is_return"), change)
    with pytest.raises(RetailMLError) as found:
        FileShop(folder).order_lines()
    assert found.value.code == code


def test_an_id_that_stands_there_twice(folder: Path):
    file = folder / "products.parquet"
    pl.concat([pl.read_parquet(file)] * 2).write_parquet(file)
    with pytest.raises(BadFrame, match=r"product_id A stands there more than once \(3 such ids\)"):
        FileShop(folder).products()


# --- what may be different ------------------------------------------------------------------------


def test_parts_of_a_path_are_columns(folder: Path):
    before = FileShop(folder).order_lines()
    for file in list((folder / "order_lines").rglob("*.parquet")):
        table = pl.read_parquet(file, hive_partitioning=False)
        file.unlink()
        for (status,), part in table.group_by("status"):
            where = file.parent / f"status={status}"
            where.mkdir()
            part.drop("status").write_parquet(where / "lines.parquet")
    assert FileShop(folder).order_lines().equals(before)
    assert before.height == 7


def test_numbers_as_ids_and_another_time_zone(tmp_path: Path, db: None):
    at = (
        pl.Series([datetime(2026, 6, 30, 22, 30, tzinfo=UTC)])
        .dt.convert_time_zone("Asia/Tokyo")
        .dt.cast_time_unit("ns")
    )
    (tmp_path / "order_lines").mkdir()
    lines = {"order_id": [7], "customer_id": [None], "product_id": [3], "variant_id": [4], "units": [2], "at": at}
    pl.DataFrame({**lines, "amount": [Decimal("10.50")]}).write_parquet(tmp_path / "order_lines" / "a.parquet")
    pl.DataFrame({"product_id": [3], "name": ["Coat"]}).write_parquet(tmp_path / "products.parquet")
    stock = pl.DataFrame({"variant_id": [4], "product_id": [3], "sku": ["C"], "on_hand": [1]})
    stock.write_parquet(tmp_path / "stock.parquet")
    pl.DataFrame({"customer_id": [9]}).write_parquet(tmp_path / "customers.parquet")
    shop = FileShop(tmp_path)
    assert shop.order_lines().drop("at").rows() == [("7", None, "3", "4", date(2026, 7, 1), 2.0, 10.5, False)]
    assert shop.products().row(0, named=True)["category"] == ""
    assert shop.stock().row(0, named=True)["pack_size"] == 1.0
    assert shop.customer_exists("9")


def test_cents_survive_a_thousand_whole_prices(tmp_path: Path, db: None):
    products = boutique(orders=1, products=3).products
    order = boutique(orders=1, products=3, customers=1).orders[0]
    line = order.lines[0]
    many = tuple(type(line)(line.sku, 1, price) for price in [Decimal("10.00")] * 1_000 + [Decimal("2.50")])
    filler = FolderFiller(tmp_path / "shop")
    filler.fill(Shop(products, ("c0",), (type(order)("1", order.at, many, "c0"),)))
    assert filler.source().order_lines()["amount"].sum() == pytest.approx(10_002.5, abs=1e-9)


def test_what_the_folder_says_about_itself(folder: Path):
    (folder / "shop.json").write_text('{"currency": "USD", "data_until": "2026-04-12T12:00:00+02:00"}')
    shop = FileShop(folder)
    until = shop.data_until()
    assert (shop.currency, until.as_of, until.live) == ("USD", date(2026, 4, 11), False)
    assert shop.order_lines()["amount"].to_list() == [60.0]
    assert shop.left_out().counts == {"test_order": 1, "other_currency": 7}


def test_files_that_are_exchanged_are_looked_at_again(folder: Path):
    assert FileShop(folder).products().height == 3
    pl.read_parquet(folder / "products.parquet").head(1).write_parquet(folder / "new")
    (folder / "new").replace(folder / "products.parquet")
    assert FileShop(folder).products().height == 1
    rewrite(folder / "products.parquet", drop=("name",))
    refusal(folder)


def test_what_is_counted_of_the_files_is_counted_once_for_each_state_of_them(folder: Path, monkeypatch):
    read: list[str] = []
    scan = Folder.scan
    monkeypatch.setattr(Folder, "scan", lambda self, table, *files: read.append(table) or scan(self, table, *files))
    first = FileShop(folder).fingerprint()
    often = len(read)
    assert FileShop(folder).fingerprint() == first
    assert len(read) - often == 1  # the last sale, for what is live now may not be tomorrow
    pl.read_parquet(folder / "products.parquet").head(1).write_parquet(folder / "new")
    (folder / "new").replace(folder / "products.parquet")
    assert FileShop(folder).fingerprint() == {**first, "products": 1}


def test_contacts_and_closed_accounts_where_the_file_has_them(folder: Path):
    assert FileShop(folder).contacts(["ana"]).rows() == [("ana", "", "")]
    people = {"name": ["Ana Gil", None, "Carla"], "email": ["ana@mail.test", "ben@mail.test", None]}
    file = folder / "customers.parquet"
    rewrite(
        file, *(pl.Series(name, values) for name, values in people.items()), pl.Series("closed", [True, False, None])
    )
    shop = FileShop(folder)
    assert shop.contacts(["ben", "ana", "x"]).rows() == [
        ("ana", "Ana Gil", "ana@mail.test"),
        ("ben", "", "ben@mail.test"),
    ]
    assert shop.find_customers("MAIL", most=5) == ["ana", "ben"]
    assert shop.find_customers("gil", most=5) == ["ana"]
    assert shop.find_customers("a.*", most=5) == []
    assert shop.find_customers("mail", most=1) == ["ana"]
    assert shop.buyers(["A"], since=date(2026, 3, 1))["customer_id"].unique().to_list() == ["ben"]


def test_one_customers_lines_are_not_read_from_every_row_group(folder: Path):
    """The limits reach the scan: what the plan reads is chosen there, and not filtered afterwards."""
    plan = FileShop(folder)._sales(since=date(2026, 4, 1), customer_ids=["ana"]).explain()
    scan = plan[plan.index("Parquet SCAN") :]
    selection = next(row for row in scan.splitlines() if "SELECTION" in row)
    assert "customer_id" in selection
    assert '"at"' in selection


# --- there and back -------------------------------------------------------------------------------


def test_any_shop_written_to_files_reads_as_the_same(shop: None, tmp_path: Path):
    supplier = Supplier.objects.get(name="Norte")
    for variant in ProductVariant.objects.filter(supplier_item__supplier=supplier):
        SupplierPrice.objects.create(variant=variant, supplier=supplier, minimum_quantity=5, unit_cost=3)
    order = PurchaseOrder.objects.create(number="1", supplier=supplier, status="draft")
    variant = SupplierItem.objects.first().variant
    PurchaseOrderLine.objects.create(purchase_order=order, variant=variant, units=10, unit_cost=1)
    source = DjangoShop()
    rows = export(source, tmp_path / "out")
    files = FileShop(tmp_path / "out")
    assert rows["order_lines"] == source.order_lines().height > 500
    for read in ("order_lines", "products", "stock", "customers", "stock_history"):
        mine, theirs = getattr(source, read)(), getattr(files, read)()
        assert_frame_equal(theirs, mine, check_row_order=False)
    for read in OPTIONAL_READS:
        assert_frame_equal(read_optional(files, read), read_optional(source, read), check_row_order=False)
    assert read_optional(files, "open_orders").height == 1
    assert (files.data_until(), files.currency) == (source.data_until(), source.currency)
    assert files.available() == source.available()
    assert sorted(p.name for p in (tmp_path / "out" / "order_lines").iterdir()) == ["year=2025", "year=2026"]
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_an_empty_shop_there_and_back(db: None, tmp_path: Path):
    out = StringIO()
    call_command("export_frames", tmp_path / "out", stdout=out)
    assert "order_lines: 0" in out.getvalue()
    assert FileShop(tmp_path / "out").data_until() is None
    assert json.loads((tmp_path / "out" / "shop.json").read_text())["data_until"] is None


def test_an_export_writes_all_or_nothing(shop: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes").write_text("mine")
    with pytest.raises(CommandError, match="used is there and not empty"):
        call_command("export_frames", tmp_path / "used")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(DjangoShop, "customers", full)
    with pytest.raises(OSError, match="no space left"):
        call_command("export_frames", tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["used"]


# --- part by part ---------------------------------------------------------------------------------


def parted(folder: Path, shop: pl.DataFrame, parts: int, *, seed: int = 0) -> FileShop:
    """The folder with its order lines in so many files: an order's sales in one, its customer's in any, returns too."""
    shutil.rmtree(folder / "order_lines")
    (folder / "order_lines").mkdir()
    mine = pl.col("order_id").hash(seed) % parts
    file = pl.when(pl.col("units") < 0).then((mine + 1) % parts).otherwise(mine)
    for number in range(parts):
        shop.filter(file == number).write_parquet(folder / "order_lines" / f"{number}.parquet")
    return FileShop(folder)


@pytest.fixture
def large(folder: Path) -> pl.DataFrame:
    """The lines of a folder with 400 orders, of which some were brought back within a day, partly or wholly."""
    FolderFiller(folder).fill(boutique(orders=400, customers=20, days=90))
    lines = FileShop(folder).folder.scan("order_lines").drop("year").collect()
    back = lines.gather_every(9).with_columns(-pl.col("units"), -pl.col("amount"))
    part = lines.gather_every(7, 3).with_columns(pl.lit(-1, lines["units"].dtype).alias("units"), -pl.col("amount"))
    return pl.concat([lines, back, part])


def test_days_are_the_same_however_the_lines_lie_in_files(
    folder: Path, large: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    whole = parted(folder, large, 1)
    wanted, told, whole_customers = whole.daily_lines(), whole.fingerprint(), whole.customer_lines()
    lines = whole.order_lines()
    assert wanted["reversed"].any()
    assert wanted["lines"].sum() == lines.height
    monkeypatch.setattr(FileShop, "counts", JoinedShop.counts)
    assert JoinedShop.fingerprint(whole) == told
    monkeypatch.undo()
    for parts in (2, 7):
        for seed in (1, 2):
            shop = parted(folder, large, parts, seed=seed)
            with engine.using(engine.InProcess(parts)):
                assert len(shop._parts()) == parts
                assert_frame_equal(shop.daily_lines(), wanted)
                for mine, theirs in zip(shop.customer_lines(), whole_customers, strict=True):
                    assert_frame_equal(mine, theirs)
                assert shop.fingerprint() == told


def test_of_a_large_shop_some_people_are_read_with_all_their_lines(
    folder: Path, large: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    whole = parted(folder, large, 1)
    lines = whole.order_lines()
    all_of_them, share = lines_of_some(whole, most=lines.height, seed=3)
    assert_frame_equal(all_of_them, lines)
    assert share == 1
    some, share = lines_of_some(whole, most=lines.height // 3, seed=3)
    assert share == pytest.approx(1 / 3, abs=0.01)
    assert 0 < some["customer_id"].n_unique() < lines["customer_id"].n_unique()
    person = pl.coalesce("customer_id", "order_id")
    mine = lines.filter(person.is_in(some.select(person).to_series().implode()))
    assert_frame_equal(some, mine)
    assert not some.equals(lines_of_some(whole, most=lines.height // 3, seed=4)[0])
    for parts in (2, 7):
        shop = parted(folder, large, parts, seed=1)
        with monkeypatch.context() as patch, engine.using(engine.InProcess(parts)):
            patch.setattr(FileShop, "order_lines", None)
            assert_frame_equal(lines_of_some(shop, most=lines.height // 3, seed=3)[0], some)


def test_a_shop_that_cannot_read_less_draws_the_same_people(
    folder: Path, large: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    shop = parted(folder, large, 2)
    most = large.height // 3
    wanted = lines_of_some(shop, most=most, seed=3)
    monkeypatch.delattr(FileShop, "lines_of_some")
    found = lines_of_some(shop, most=most, seed=3)
    assert_frame_equal(found[0], wanted[0])
    assert found[1] == wanted[1]
    assert lines_of_some(shop, most=large.height, seed=3)[1] == 1


def test_days_are_the_same_from_two_processes(folder: Path, large: pl.DataFrame):
    wanted = parted(folder, large, 1).daily_lines()
    with engine.using(engine.Processes(2)):
        assert_frame_equal(parted(folder, large, 7).daily_lines(), wanted)


def test_no_more_is_read_at_once_than_memory_holds(folder: Path, large: pl.DataFrame, monkeypatch: pytest.MonkeyPatch):
    shop = parted(folder, large, 7)
    assert len(shop._parts()) == 1
    monkeypatch.setattr(module, "PART_LINES", 1)
    assert len(shop._parts()) == 7
    seen: list[int] = []
    read = daily.read
    monkeypatch.setattr(daily, "read", lambda *told: seen.append(read(*told).height) or read(*told))
    shop.daily_lines()
    assert max(seen) < large.height / 3


def test_a_file_that_a_worker_does_not_have_is_named(folder: Path, large: pl.DataFrame):
    shop = parted(folder, large, 2)
    parts = shop._parts()
    (folder / "order_lines" / "1.parquet").unlink()
    with pytest.raises(EngineFault, match=r"order_lines/1.parquet.*under the same path"):
        daily.lines(parts, time_zone=shop.time_zone)


# --- what the documentation says --------------------------------------------------------------------

DOCS = Path(__file__).resolve().parents[4] / "docs"


def test_the_example_of_the_how_to_is_a_shop(tmp_path: Path, db: None, monkeypatch: pytest.MonkeyPatch):
    page = (DOCS / "how-to" / "join-parquet.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    shop = FileShop("shop")
    assert shop.order_lines()["amount"].to_list() == [20.0, 49.9]
    assert shop.available() == {"dress": 4.0, "belt": 9.0}


def test_the_reference_has_every_column_and_says_which_may_be_left_out():
    page = (DOCS / "reference" / "frames.md").read_text()
    for table, schema in TABLES.items():
        section, row = rf"\n## `{table}`:.*?(?=\n## )", rf"\n\| `{table}`:[^\n]*"
        part = (re.search(section, page, re.DOTALL) or re.search(row, page))[0]
        for column in {**schema, **BESIDE.get(table, {})}:
            derived = column in DERIVED.get(table, ())
            if derived and f"`{column}`" not in part:
                continue
            optional = (column in ABSENT and schema not in WHOLE) or derived or column in BESIDE.get(table, {})
            assert (f"*`{column}`*" in part, f"`{column}`" in part) == (optional, True), (table, column)
