"""The catalogue of methods, and the page that has it."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from backhaul.sampling import Method, SamplingMethod
from backhaul.sampling.catalogue import COLUMNS, entries, markdown

ROOT = Path(__file__).parents[3]
PARAMETERS: dict[str, dict[str, Any]] = {
    "in-range": {"low": 0.2, "high": 0.6},
    "probability": {"density": "numpy:square"},
    "bin": {"n_bins": 3},
    "hard-example: of-class": {"class_ids": [0]},
    "hard-example: count": {"more_than": 1},
}
OF_FILES = {"listed", "user"}


def test_the_page_has_what_the_code_says() -> None:
    page = (ROOT / "docs" / "methods.md").read_text()
    advice = "put what `backhaul methods --format md` prints into docs/methods.md"
    assert markdown() in page, advice


def test_what_is_listed_is_a_method_that_needs_what_is_said() -> None:
    for entry in entries():
        if entry.method in OF_FILES:
            continue
        own = PARAMETERS.get(entry.method, {})
        kind, _, name = entry.method.partition(": ")
        given: Any = {"kind": kind, **own} if own else kind
        if name:
            given = {"kind": kind, "filter": {"kind": name, **own}}
        method = TypeAdapter[SamplingMethod](Method).validate_python(given)
        assert method.needs == entry.needs, entry.method


def test_every_row_is_whole_and_its_own() -> None:
    rows = [entry.row for entry in entries()]
    assert all(len(row) == len(COLUMNS) and all(row) for row in rows)
    assert len({row[0] for row in rows}) == len(rows)
    costs = {row[0]: row[3] for row in rows}
    assert costs["true-random"] == "detections"
    assert costs["entropy"] == costs["bald"] == "scores"
