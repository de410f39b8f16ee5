"""Expressions of the database that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

from typing import Any

from django.db.models import Func, IntegerField


class DaysSince(Func):
    """Days from the second date to the first, as a whole number: `DaysSince("last_day", "first_day")`.

    Made of what the database itself knows, so that a constraint with it holds for every program that writes the table.
    """

    arity = 2
    arg_joiner = " - "
    template = "(%(expressions)s)"  # PostgreSQL's dates subtract to whole days
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """SQLite keeps dates as text: they are made numbers first."""
        numbers = DaysSince(*(JulianDay(expression) for expression in self.source_expressions))
        return numbers.as_sql(compiler, connection, template="CAST(%(expressions)s AS INTEGER)", **extra)


class JulianDay(Func):
    """A date as SQLite's number of the day."""

    function = "julianday"
    arity = 1
    output_field = IntegerField()
