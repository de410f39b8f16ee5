"""How many requests a minute one account, one service key, and one address without an account may make.

They are counted in one file of the machine, so the limit holds over all processes of the web server. A wrong password
is counted beside this, in the database (`authentication.lockout`).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from authentication.models import ServiceKey

logger = logging.getLogger(__name__)


class Requests:
    """Who asked when, lately, in a file of SQLite's that several processes write to.

    A file beside the database: a large import or a training that writes does not keep an answer waiting, and over
    PostgreSQL a request costs no write there.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.file: sqlite3.Connection | None = None
        self.of: tuple[Path, int] | None = None

    def take(self, key: str, *, most: int, seconds: float, now: float | None = None) -> float:
        """Count a request of `key` at `now` (Unix time); 0 when it may, else the seconds until one may again.

        `most` in any `seconds` may; those that may not are not counted. Raises sqlite3.Error.
        """
        now = time.time() if now is None else now
        with self.lock, closing(self._opened().cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")  # nobody else counts between looking and writing
            try:
                cursor.execute("DELETE FROM request WHERE at <= ?", (now - seconds,))
                query = "SELECT count(*), min(at) FROM request WHERE who = ?"
                count, first = cursor.execute(query, (key,)).fetchone()
                if count < most:
                    cursor.execute("INSERT INTO request VALUES (?, ?)", (key, now))
            finally:
                cursor.execute("COMMIT")
            return 0.0 if count < most else max(float(first) + seconds - now, 0.001)

    def _opened(self) -> sqlite3.Connection:
        """The file as this process has it open."""
        wanted = (Path(settings.API_RATES_FILE), os.getpid())
        if self.file is None or self.of != wanted:
            self.close()
            self.file = sqlite3.connect(wanted[0], timeout=5, isolation_level=None, check_same_thread=False)
            self.of = wanted
            self.file.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE IF NOT EXISTS request (who, at);"
                "CREATE INDEX IF NOT EXISTS request_who ON request (who, at);"
                "CREATE INDEX IF NOT EXISTS request_at ON request (at);"
            )
        return self.file

    def close(self) -> None:
        """Let go of the file."""
        if self.file is not None and self.of is not None and self.of[1] == os.getpid():
            self.file.close()
        self.file = None


requests = Requests()


class _Rate(SimpleRateThrottle):
    scope: str
    num_requests: int | None
    duration: int | None
    left = 0.0
    """Seconds until a request may be made again."""

    def get_rate(self) -> str | None:
        """Requests a minute, by `scope`, of the setting API_RATES; without one there is no limit."""
        rate = settings.API_RATES.get(self.scope)
        return f"{rate}/min" if rate else None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether there were fewer than the rate in the minute before; while nobody can count, any may be made."""
        key = self.get_cache_key(request, view) if self.rate else None
        if key is None or not self.num_requests or not self.duration:
            return True
        try:
            self.left = requests.take(key, most=self.num_requests, seconds=self.duration)
        except sqlite3.Error as error:  # a full disk is no reason to answer nothing
            logger.warning("Requests are not limited: %s cannot be written (%s).", settings.API_RATES_FILE, error)
            return True
        return not self.left

    def wait(self) -> float:
        """Seconds, for `Retry-After`."""
        return self.left


class AccountThrottle(_Rate):
    """One account, or one service key, from wherever it comes."""

    scope = "account"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """By key or user; nothing to count for nobody."""
        if isinstance(request.auth, ServiceKey):
            return f"key:{request.auth.pk}"
        return f"user:{request.user.pk}" if request.user and request.user.is_authenticated else None


class AddressThrottle(_Rate):
    """One address, as long as nobody is signed in: signing in, refreshing, the documentation."""

    scope = "address"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """By the address; NUM_PROXIES says how much of `X-Forwarded-For` is believed."""
        if request.user and request.user.is_authenticated:
            return None
        return f"address:{self.get_ident(request)}"
