"""Options that the import commands share."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError


def mapping(pairs: Iterable[str], fields: Iterable[str]) -> dict[str, str]:
    """Field → column from `field=column`; the two may also stand the other way round.

    >>> mapping(["placed_at=Fecha", "Importe=unit_price"], ["placed_at", "unit_price"])
    {'placed_at': 'Fecha', 'unit_price': 'Importe'}
    """
    known = list(fields)
    chosen = {}
    for pair in pairs:
        left, sign, right = pair.partition("=")
        if left not in known and right in known:
            left, right = right, left
        if not sign or not right or left not in known:
            raise CommandError(f"--map {pair}: give FIELD=COLUMN; the fields are {', '.join(known)}")
        chosen[left] = right
    return chosen


def zone(name: str) -> str:
    """`name` when it is a time zone; else CommandError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise CommandError(f"--time-zone {name} is not known; give one such as Europe/Madrid") from error
    return name
