"""Every call of the API, found by walking the addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver


def addresses(patterns: list[Any], prefix: str = "/") -> Iterator[tuple[str, URLPattern]]:
    """Every address with its pattern, as it is written in the configuration: `/api/orders/<int:pk>/`."""
    for pattern in patterns:
        route = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, prefix + route)
        else:
            yield prefix + route, pattern


def methods(pattern: URLPattern) -> list[str]:
    """The methods that an address answers."""
    callback: Any = pattern.callback
    actions = getattr(callback, "actions", None)
    names = actions if actions else [m for m in ("get", "post", "put", "patch", "delete") if hasattr(callback.cls, m)]
    return sorted(set(names) - {"head"})  # DRF adds it at the first request


def filled(path: str, pattern: URLPattern) -> str:
    """The address with `1` for each of its parts that is open."""
    for name, converter in pattern.pattern.converters.items():
        for spelled in ("int", "str", "path", "slug", "uuid"):
            path = path.replace(f"<{spelled}:{name}>", "1")
        assert converter.to_python("1") is not None
    return path


def calls(begin: str, *, without: tuple[str, ...] = ()) -> list[tuple[str, str, URLPattern]]:
    """Method, address as written and pattern of every call whose address begins with `begin`."""
    return [
        (method, path, pattern)
        for path, pattern in addresses(get_resolver().url_patterns)
        if path.startswith(begin) and not path.startswith(without)
        for method in methods(pattern)
    ]
