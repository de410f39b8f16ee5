"""Reading a WooCommerce shop over its REST interface (v3): page by page, tried again with a growing pause."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ingest.errors import BadFile

PER_PAGE = 100
TRIES = 5
TIMEOUT = 60  # seconds for one answer
LONGEST_PAUSE = 60.0
AGAIN = (408, 425, 429, 500, 502, 503, 504)
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere would take the key along."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Never."""


@dataclass(frozen=True)
class Shop:
    """One shop: its address without `/wp-json`, and the key and secret that its owner made for reading."""

    url: str
    key: str
    secret: str
    pause: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        address = urllib.parse.urlsplit(self.url)
        if not (self.url and self.key and self.secret):
            raise BadFile("pull.not_set")
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            raise BadFile("pull.insecure", url=self.url)

    def records(self, path: str, **query: str) -> Iterator[list[dict[str, Any]]]:
        """The records of every page. Raises BadFile when the shop refuses, or does not answer after five tries."""
        page, pages = 1, 1
        while page <= pages:
            asked = urllib.parse.urlencode({"per_page": PER_PAGE, "page": page, **query})
            found, told = self._answer(f"{self.url.rstrip('/')}/wp-json/wc/v3/{path}?{asked}")
            if not isinstance(found, list):
                raise BadFile("pull.refused", url=path, status=200, text=str(found)[:200])
            if found:
                yield found
            # The header may be lost on its way: then the next page is asked for until one is not full.
            pages = int(told) if told.isdigit() else page + (len(found) == PER_PAGE)
            page += 1

    def _answer(self, url: str) -> tuple[Any, str]:
        given = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        request = urllib.request.Request(
            url, headers={"Authorization": f"Basic {given}", "Accept": "application/json", "User-Agent": "trastienda"}
        )
        opener = urllib.request.build_opener(_NoRedirect)
        reason = ""
        for attempt in range(TRIES):
            wait = 2.0**attempt
            try:
                with opener.open(request, timeout=TIMEOUT) as answer:
                    return json.loads(answer.read()), answer.headers.get("X-WP-TotalPages") or ""
            except urllib.error.HTTPError as error:
                reason = f"{error.code} {error.reason}"
                if error.code not in AGAIN:
                    raise BadFile("pull.refused", url=_bare(url), status=error.code, text=_said(error)) from error
                after = error.headers.get("Retry-After") or ""
                wait = max(wait, float(after)) if after.isdigit() else wait
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = f"{type(error).__name__}: {error}"
            if attempt < TRIES - 1:
                self.pause(min(wait, LONGEST_PAUSE))
        raise BadFile("pull.silent", url=_bare(url), tries=TRIES, reason=reason)


def _bare(url: str) -> str:
    return url.split("?", 1)[0]


def _said(error: urllib.error.HTTPError) -> str:
    """What the shop says of its refusal."""
    text = error.read(2_000).decode("utf-8", "replace")
    try:
        return str(json.loads(text).get("message", ""))[:200]
    except (ValueError, AttributeError):
        return text[:200]
