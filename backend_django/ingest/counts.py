"""What a write did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Rows made new, found the same, changed; and stored rows kept although the file has them otherwise.

    >>> Counts(created=2) + Counts(created=1, unchanged=4)
    Counts(created=3, unchanged=4, updated=0, kept=0)
    """

    created: int = 0
    unchanged: int = 0
    updated: int = 0
    kept: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.created + other.created,
            self.unchanged + other.unchanged,
            self.updated + other.updated,
            self.kept + other.kept,
        )

    @property
    def changed(self) -> bool:
        """Whether anything in the database is different now."""
        return bool(self.created or self.updated)
