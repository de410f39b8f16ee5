"""What runs the documents: what a fence says, which links are broken, which answers differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_pages import anchors, broken_links, differences, fences, last_json

PAGE = Path("page.md")


def test_fences_say_what_is_done_with_them():
    text = """# Title
```sh
make
```
```sh not-run: needs root
reboot
```
```csv file: a.csv
x;y
```
  ```console
  $ ls
  a
  ```
"""
    run, skipped, file, console = fences(PAGE, text)
    assert (run.runs, run.text, run.where) == (True, "make\n", "page.md:2")
    assert (skipped.runs, skipped.words) == (False, {"not-run": "needs root"})
    assert (file.runs, file.words, file.text) == (False, {"file": "a.csv"}, "x;y\n")
    assert (console.runs, console.commands) == (True, "ls\n")


@pytest.mark.parametrize(
    "text",
    ["```sh\nmake\n", "```sh not-run\nmake\n```\n", "```sh not-run: \nmake\n```\n", "```sh later: x\nmake\n```\n"],
)
def test_a_fence_that_nobody_understands_is_refused(text):
    with pytest.raises(ValueError, match=r"page.md:1"):
        fences(PAGE, text)


def test_anchors_are_those_of_headings():
    text = "# A `b` & [c](d.md)\n## Twice\n## Twice\n```\n# not one\n```\n<a id='x'></a> <a id=\"own\"></a>"
    assert anchors(text) == {"a-b--c", "twice", "twice-1", "own"}


def test_links_to_files_and_headings_are_followed(tmp_path):
    (tmp_path / "other.md").write_text("# One\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](other.md) [b](other.md#one) [c](#here) [d](https://x.example/y) ![e](no.png) [f](other.md#two)\n"
        "[g](../outside.md) `[h](code.md)`\n```\n[i](fenced.md)\n```\n"
    )
    assert [fault.split()[1] for fault in broken_links(page, tmp_path)] == ["no.png", "other.md#two", "../outside.md"]


def test_the_last_answer_of_an_output_is_taken():
    assert last_json('{"a": 1}{"b": 2}\nText {"c": 3}\n[1,\n 2]\nthe end') == [1, 2]
    with pytest.raises(ValueError, match="no JSON"):
        last_json("nothing here")


def test_answers_are_compared_by_keys_and_kinds():
    shown = {"n": 1, "name": "x", "rows": [{"id": 1, "at": None}], "left": None}
    assert differences(shown, {"n": 2.5, "name": "y", "rows": [{"id": 7, "at": "today"}], "left": [1]}) == []
    assert differences({"a": 1}, {}) == [".a is not answered"]
    assert differences({}, {"a": 1}) == [".a is answered and not shown"]
    assert differences({"…": "…"}, {"a": 1}) == []
    assert differences({"a": True}, {"a": 1}) == [".a is int, shown as bool"]
    assert differences({"a": [1, "…"]}, {"a": []}) == [".a is an empty list"]
    assert differences({"a": [{"b": 1}, "…"]}, {"a": [{"c": 1}, {"b": "x"}]}) == [".a[].b is str, shown as int"]
