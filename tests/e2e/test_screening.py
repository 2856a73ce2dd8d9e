"""Choices of a study are scored through the command, before and without any retraining."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from backhaul.study.rows import Table
from backhaul.study.screening import read_screening
from tests.e2e.test_study import STUDY

pytestmark = pytest.mark.prefect

CONTRAST = "backhaul.study.contrasts:"


def test_choices_are_scored_without_retraining(new_place: Callable[[str], Any]) -> None:
    place = new_place("screening")
    fields = yaml.safe_load(yaml.safe_dump(STUDY))
    fields["sets"]["digits"]["training"]["detector"] = "fixed_detector:Seeing"
    empty = {"use": f"{CONTRAST}ByDetections", "params": {"first": "fewest"}}
    fields["arms"] = [
        "auto",
        {"kind": "user", "label": "repeat", "code": f"{CONTRAST}Repeating"},
        {"kind": "user", "label": "empty", "code": empty},
    ]
    (place.folder / "study.yaml").write_text(yaml.safe_dump(fields), encoding="utf-8")
    ended = place.backhaul("study", "study.yaml", "--screen")
    assert ended.code == 0, ended.err
    folder = Path(place.folder) / "studies" / "tiny"
    assert Table(folder).rows() == ()
    found = read_screening(folder)
    assert {each.arm for each in found} == {"true-random", "auto", "repeat", "empty"}
    assert len(found) == 4 * 2  # two budgets
    assert all(each.probe is not None and 0 <= each.probe <= 1 for each in found)
    assert all(each.radius is not None and each.radius <= 0 for each in found)
    small, large = (
        {each.arm: each for each in found if each.budget.startswith(budget)}
        for budget in ("images", "pool_bytes")
    )
    assert {each.n_images for each in small.values()} == {3}
    more, fewer = large["repeat"].objects, small["repeat"].objects
    assert more is not None
    assert fewer is not None
    assert more >= fewer
    noted = (folder / "selections.jsonl").read_text()
    assert noted.count('"arm":"auto"') == 2
    assert "near-duplicates" in noted
    assert "mean scores of the choices of each arm" in ended.out
    assert "0 choices of 0 seeds have both" in ended.out
