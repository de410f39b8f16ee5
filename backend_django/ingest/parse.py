"""What cells mean: numbers with a point or a comma, times with or without a zone, text without stray blanks.

Every function takes a column and gives a column of the same length, null where a cell cannot be read; how the column
is written (decimal sign, order of day and month) is decided once, over all its cells.
"""

from __future__ import annotations

import polars as pl

from ingest.errors import BadFile

EXACT = pl.Decimal(38, 8)
"""Numbers as they stand in the file, before they are cut to the decimals that the shop keeps."""

_CURRENCY = r"[£€$¥\s\u00a0\u202f']"
_PLAIN = r"^[+-]?(\d+(\.\d*)?|\.\d+)$"


def text(column: pl.Series) -> pl.Series:
    """Text without blanks at the ends and with single ones inside; nothing at all is null.

    >>> text(pl.Series(["  RED   BAG ", "", None, "7"])).to_list()
    ['RED BAG', None, None, '7']
    """
    clean = column.cast(pl.String).str.replace_all(r"[\s\u00a0]+", " ").str.strip_chars()
    return clean.set(clean == "", None)


def key(column: pl.Series) -> pl.Series:
    """Text of a number that names something: what a spreadsheet made `13085.0` is `13085` again.

    >>> key(pl.Series(["13085.0", "C489449", " 7 "])).to_list()
    ['13085', 'C489449', '7']
    """
    if column.dtype.is_float():
        column = column.cast(pl.String)
    return text(column).str.replace(r"^(\d+)\.0$", "$1")


def _comma_is_decimal(cells: pl.Series, *, comma_hint: bool, name: str) -> bool:
    """Whether `1,5` means one and a half in this column. Raises BadFile when cells contradict each other."""
    shaped = pl.DataFrame({"x": cells})
    comma, point = pl.col("x").str.contains(",", literal=True), pl.col("x").str.contains(".", literal=True)
    tests = {
        # a comma that cannot part thousands, or stands behind a point
        "comma": (comma & ~pl.col("x").str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")),
        "point": (point & ~pl.col("x").str.contains(r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$")),
        "after": pl.col("x").str.contains(r"\.\d{3},\d"),
        "before": pl.col("x").str.contains(r",\d{3}\.\d"),
        "lone": comma & ~point,
    }
    number = pl.col("x").str.contains(r"^[+-]?[\d.,]+$")
    found = shaped.select(*[(number & test).sum().alias(which) for which, test in tests.items()]).row(0, named=True)
    comma_signs, point_signs = found["comma"] + found["after"], found["point"] + found["before"]
    if comma_signs and point_signs:
        raise BadFile("file.two_decimals", column=name, commas=comma_signs, points=point_signs)
    return bool(comma_signs or (comma_hint and found["lone"] and not point_signs))


def numbers(column: pl.Series, *, decimal: str = "auto", comma_hint: bool = False, name: str = "column") -> pl.Series:
    """Numbers as `EXACT` decimals; null where a cell is no number.

    `decimal` is point, comma or auto; `comma_hint` decides where auto finds only numbers like `1,234`.

    >>> numbers(pl.Series(["2,50", "1.234,00", "x"])).to_list()
    [Decimal('2.50000000'), Decimal('1234.00000000'), None]
    """
    if column.dtype.is_numeric():
        if column.dtype.is_float():
            column = column.set(~column.is_finite().fill_null(value=True), None)
        return column.cast(EXACT, strict=False)
    cells = column.cast(pl.String).str.replace_all(_CURRENCY, "")
    comma = decimal == "comma" or (decimal == "auto" and _comma_is_decimal(cells, comma_hint=comma_hint, name=name))
    group, sign = (r"\.", ",") if comma else (",", r"\.")
    grouped = cells.str.contains(rf"^[+-]?\d{{1,3}}({group}\d{{3}})+({sign}\d*)?$").fill_null(value=False)
    ungrouped = cells.str.replace_all(group, "")
    cells = cells.zip_with(~grouped, ungrouped)
    if comma:
        cells = cells.set(cells.str.contains(".", literal=True), None).str.replace(",", ".", literal=True)
    cells = cells.set(~cells.str.contains(_PLAIN).fill_null(value=False), None)
    return cells.cast(EXACT, strict=False)


def whole(column: pl.Series, *, decimal: str = "auto", comma_hint: bool = False, name: str = "column") -> pl.Series:
    """Whole numbers as Int64; null where a cell is none, or has decimals other than zeros.

    >>> whole(pl.Series(["12", "-3.0", "1.5"])).to_list()
    [12, -3, None]
    """
    if column.dtype.is_integer():
        return column.cast(pl.Int64)
    exact = numbers(column, decimal=decimal, comma_hint=comma_hint, name=name)
    cut = exact.cast(pl.Int64, strict=False)
    return cut.set((cut.cast(EXACT, strict=False) != exact).fill_null(value=True), None)


_CLOCKS = ("", " %H:%M", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p")
_ORDERS = {"ymd": "%Y-%m-%d", "dmy": "%d-%m-%Y", "mdy": "%m-%d-%Y"}


def _read(cells: pl.Series, order: str) -> pl.Series:
    out = pl.Series([None] * len(cells), dtype=pl.Datetime("us"))
    for clock in _CLOCKS:
        pattern = _ORDERS[order] + clock
        if clock:
            read = cells.str.to_datetime(pattern, strict=False, time_unit="us")
        else:
            read = cells.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))
        out = out.zip_with(out.is_not_null(), read)
    return out.set(~out.dt.year().is_between(1900, 2200).fill_null(value=False), None)


def _choose_order(cells: pl.Series, date_order: str, name: str) -> pl.Series:
    """The times of cells like 1-12-2010, the order of day and month decided over all of them."""
    if date_order in ("dmy", "mdy"):
        return _read(cells, date_order)
    dmy, mdy = _read(cells, "dmy"), _read(cells, "mdy")
    days, months = dmy.is_not_null().sum(), mdy.is_not_null().sum()
    if days and days == months and not dmy.equals(mdy, null_equal=True):
        example = cells.filter(dmy.ne_missing(mdy))[0]
        raise BadFile("file.day_or_month", column=name, example=example)
    return dmy if days >= months else mdy


def times(column: pl.Series, *, zone: str, date_order: str = "auto", name: str = "column") -> pl.Series:
    """Moments in UTC; local times are taken in `zone`, null where a cell is no time.

    A local time that the clocks skip in spring is read as an hour later; one that happens twice in autumn as the
    first of the two. `date_order` is ymd, dmy, mdy or auto: year first is always understood.

    >>> times(pl.Series(["13/07/2010 08:30", "2010-07-13T08:30:00+02:00"]), zone="Europe/London").to_list()
    [datetime.datetime(2010, 7, 13, 7, 30, tzinfo=zoneinfo.ZoneInfo(key='UTC')),
     datetime.datetime(2010, 7, 13, 6, 30, tzinfo=zoneinfo.ZoneInfo(key='UTC'))]
    """
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone is not None:
            return column.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
        return localised(column.cast(pl.Datetime("us")), zone)
    # Many lines share one moment: read each text once.
    cells = column.cast(pl.String)
    distinct = pl.DataFrame({"cell": cells.drop_nulls().unique(maintain_order=True)})
    distinct = distinct.with_columns(at=_text_times(distinct["cell"], zone, date_order, name))
    return pl.DataFrame({"cell": cells}).join(distinct, on="cell", how="left", maintain_order="left")["at"]


def _text_times(cells: pl.Series, zone: str, date_order: str, name: str) -> pl.Series:
    clean = cells.str.strip_chars().str.replace(r"(\d)T(\d)", "$1 $2")
    offset = clean.str.extract(r":\d{2}(?:\.\d+)?\s*(Z|UTC|[+-]\d{2}:?\d{2})$")
    clean = clean.str.replace(r"(:\d{2}(?:\.\d+)?)\s*(?:Z|UTC|[+-]\d{2}:?\d{2})$", "$1")
    clean = clean.str.replace(r"^(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})", "$1-$2-$3")
    year_first = clean.str.contains(r"^\d{4}-").fill_null(value=False)
    naive = _read(clean.set(~year_first, None), "ymd")
    rest = clean.set(year_first, None)
    if rest.null_count() < len(rest):
        naive = naive.zip_with(year_first, _choose_order(rest, date_order, name))
    signs = pl.select(pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    digits = offset.str.replace_all(r"[^\d]", "")
    minutes = digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 60 + digits.str.slice(2, 2).cast(
        pl.Int64, strict=False
    )
    minutes = (minutes * signs).fill_null(0)
    shift = (minutes * 60_000_000).cast(pl.Duration("us"))
    with_zone = (naive - shift).dt.replace_time_zone("UTC")
    return with_zone.zip_with(offset.is_not_null(), localised(naive, zone))


def localised(naive: pl.Series, zone: str) -> pl.Series:
    """Local times of `zone` in UTC; see `times` for the two hours of the year that are not plain."""
    first = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    later = naive.dt.offset_by("1h").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return first.zip_with(first.is_not_null(), later).dt.convert_time_zone("UTC")
