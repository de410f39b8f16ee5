"""The two frames of the interface, as anybody may hand them over, in the types that the product works with."""

from __future__ import annotations

from typing import Any

import polars as pl

LINES: dict[str, Any] = {
    "order": pl.Int64, "customer": pl.Int64, "product": pl.Int64, "ts": pl.Float64, "qty": pl.Float64,
    "price": pl.Float64,
}  # fmt: skip
PRODUCTS: dict[str, Any] = {"product": pl.Int64, "text": pl.String, "category": pl.String, "price": pl.Float64}
GUEST = -1


def lines_of(frame: Any) -> pl.DataFrame:
    """Sales of a known order, product and time; any number below 0, or none, is an anonymous customer.

    >>> lines_of(pl.DataFrame({"order": [1], "customer": [None], "product": [2], "ts": [3], "qty": [-1]})).rows()
    []
    """
    found = _typed(frame, LINES, needed=("order", "product", "ts"))
    return found.with_columns(
        pl.col("customer").fill_null(GUEST).clip(lower_bound=GUEST), pl.col("qty").fill_null(1.0)
    ).filter(pl.col("qty") > 0, pl.all_horizontal(pl.col("order", "product").is_not_null(), pl.col("ts").is_finite()))


def products_of(frame: Any) -> pl.DataFrame:
    """One row per product; what is missing is an empty text, and no price."""
    found = _typed(frame, PRODUCTS, needed=("product",)).drop_nulls("product")
    return found.unique("product", keep="first", maintain_order=True).with_columns(
        pl.col("text", "category").fill_null("")
    )


def _typed(frame: Any, schema: dict[str, Any], *, needed: tuple[str, ...]) -> pl.DataFrame:
    """The columns of `schema` of a frame of polars or pandas; one that is missing and not needed is all null."""
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise ValueError(f"column(s) missing: {', '.join(missing)}; found: {', '.join(map(str, frame.columns))}")
    columns = {name: _column(frame, name, kind) for name, kind in schema.items() if name in frame.columns}
    given = pl.DataFrame(columns)
    return given.with_columns(pl.lit(None, kind).alias(n) for n, kind in schema.items() if n not in columns).select(
        list(schema)
    )


def _column(frame: Any, name: str, kind: Any) -> pl.Series:
    if isinstance(frame, pl.DataFrame):
        found = frame[name]
    elif kind == pl.String:  # a missing text is NaN there
        found = pl.Series(name, [v if isinstance(v, str) else None for v in frame[name].tolist()], pl.String)
    else:
        found = pl.Series(name, frame[name].to_numpy(), nan_to_null=True)
    if kind == pl.Int64 and found.dtype.is_float():
        found = found.fill_nan(None)
    return found.cast(kind)
