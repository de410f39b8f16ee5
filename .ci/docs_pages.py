"""Reads the project's Markdown: fences and what is to be done with them, links and anchors, answers and their shape.

A fence's first line is its language and, behind it, at most one of

* `not-run: reason`: neither run nor compared, only counted;
* `fails: 409`: its last call must be answered with this status (below 100: the snippet must end with this code);
* `file: orders.csv`: the text is no command but a file, written to this path;
* `unless: status_url` (of `json`): not compared when the answer has this key, here because a training takes longer.

A `json` fence is the answer of the snippet before it. It is compared by keys and kinds, not by values; `"…"` as a key
or an item says that there is more than is shown.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUN = {"sh", "bash", "console", "python"}
COMPARED = {"json"}
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w-]*) *(?P<info>.*)$")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+)(?: \"[^\"]*\")?\)")
MORE = "…"


@dataclass
class Fence:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    words: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """Page and line, as an editor takes them."""
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        """Is it a snippet that CI runs?"""
        return self.language in RUN and not self.words.keys() & {"not-run", "file"}

    @property
    def commands(self) -> str:
        """What is to be run; of `console` the lines behind the prompt."""
        if self.language != "console":
            return self.text
        return "".join(line[2:] + "\n" for line in self.text.splitlines() if line.startswith("$ "))


def fences(page: Path, text: str) -> list[Fence]:
    """The fenced blocks of a page, in order. Raises ValueError for one that is not closed or has an unknown word."""
    found: list[Fence] = []
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        opening = FENCE.match(line)
        if not opening:
            continue
        body: list[str] = []
        for _, inside in lines:
            if inside.strip() == opening["ticks"]:
                break
            body.append(inside.removeprefix(opening["indent"]))
        else:
            raise ValueError(f"{page}:{number}: this fence is never closed")
        found.append(
            Fence(page, number, opening["language"], "\n".join(body) + "\n", _words(opening["info"], page, number))
        )
    return found


def _words(info: str, page: Path, line: int) -> dict[str, str]:
    if not info.strip():
        return {}
    word, colon, value = info.strip().partition(":")
    if word not in ("not-run", "fails", "file", "unless") or not colon or not value.strip():
        raise ValueError(
            f"{page}:{line}: `{info}` is not known; it may be `not-run: reason`, `fails: 409`, `file: path`"
        )
    return {word: value.strip()}


def prose(text: str) -> str:
    """A page without what stands in fences and in code."""
    kept, ticks = [], ""
    for line in text.splitlines():
        fence = FENCE.match(line)
        if ticks:
            ticks = "" if line.strip() == ticks else ticks
        elif fence:
            ticks = fence["ticks"]
        else:
            kept.append(re.sub(r"`[^`]*`", "`", line))
    return "\n".join(kept)


def slug(heading: str) -> str:
    """The anchor that GitHub (and the site) gives a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda found: found[1] or "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Every anchor of a page: its headings (repeated ones are numbered) and `id="…"`."""
    found: dict[str, int] = {}
    inside = ""
    for line in text.splitlines():
        fence = FENCE.match(line)
        if inside:
            inside = "" if line.strip() == inside else inside
        elif fence:
            inside = fence["ticks"]
        elif heading := re.match(r"#{1,6} +(.*?) *#*$", line):
            name = slug(heading[1])
            found[name] = found.get(name, -1) + 1
    numbered = {f"{name}-{count}" for name, last in found.items() for count in range(1, last + 1)}
    return {*found, *numbered, *re.findall(r'id="([^"]+)"', text)}


def broken_links(page: Path, root: Path) -> list[str]:
    """What is wrong with the links of a page: files that are not there, anchors that no heading makes."""
    faults = []
    for target in LINK.findall(prose(page.read_text())):
        address, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", address):
            continue
        aim = (page.parent / address).resolve() if address else page
        if not aim.exists() or root not in (aim, *aim.parents):
            faults.append(f"{page.relative_to(root)}: {target} leads nowhere")
        elif anchor and aim.suffix == ".md" and anchor not in anchors(aim.read_text()):
            faults.append(f"{page.relative_to(root)}: {target} names a heading that is not there")
    return faults


def last_json(output: str) -> Any:
    """The last JSON object or array that begins a line of an output. Raises ValueError when there is none."""
    decoder, found, position = json.JSONDecoder(), [], 0
    for start in re.finditer(r"^[\[{]", output, re.MULTILINE):
        if start.start() < position:
            continue
        try:
            value, position = decoder.raw_decode(output, start.start())
        except ValueError:
            continue
        found.append(value)
    if not found:
        raise ValueError("no JSON was answered")
    return found[-1]


def differences(shown: Any, real: Any, at: str = "") -> list[str]:
    """Where an answer that a page shows has another shape than the real one: keys, kinds, first items of lists."""
    if shown is None or real is None:
        return []
    if isinstance(shown, dict) and isinstance(real, dict):
        missing = [f"{at}.{key} is not answered" for key in shown if key not in real and key != MORE]
        more = [f"{at}.{key} is answered and not shown" for key in real if key not in shown and MORE not in shown]
        return (
            missing
            + more
            + [fault for key in shown if key in real for fault in differences(shown[key], real[key], f"{at}.{key}")]
        )
    if isinstance(shown, list) and isinstance(real, list):
        shown = [item for item in shown if item != MORE]
        if shown and not real:
            return [f"{at} is an empty list"]
        return [fault for item in shown for fault in _nearest(item, real, f"{at}[]")]
    number = (int, float)
    same = type(shown) is type(real) or (
        isinstance(shown, number) and isinstance(real, number) and bool not in (type(shown), type(real))
    )
    return [] if same else [f"{at} is {type(real).__name__}, shown as {type(shown).__name__}"]


def _nearest(item: Any, real: list[Any], at: str) -> list[str]:
    """An item of a list is held against the real one that it is most like."""
    return min((differences(item, other, at) for other in real), key=len)
