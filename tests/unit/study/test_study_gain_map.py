"""The gain map of rows whose differences are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backhaul.errors import InputError
from backhaul.redundancy.gainmap import GainMap
from backhaul.study.design import digests_of
from backhaul.study.gainmap import gain_map_of, main
from backhaul.study.rows import Row
from backhaul.study.settings import StudyConfig
from tests.unit.study.studies import STUDY, row_of, study_of

DIGITS: dict[str, Any] = STUDY["sets"]["digits"]


def stream(most: int, empty: float) -> dict[str, Any]:
    data = {
        "kind": "stream",
        "of": {"kind": "digits"},
        "bursts": {"most": most},
        "empty": empty,
    }
    return DIGITS | {"data": data}


def study() -> StudyConfig:
    sets = {f"s{most}-{i}": stream(most, e) for most in (1, 4) for i, e in enumerate((0, 0.5))}
    small = {"budgets": [{"images": 3}], "draws": 1, "training_seeds": 1}
    return study_of(sets=sets, arms=["iqr"], seeds=[0, 1, 2], **small)


def rows_of(config: StudyConfig) -> list[Row]:
    """Return rows in which iqr is (.02 x the longest burst, + 0, .01, .02 by seed) better."""
    return [
        row_of(
            config,
            cell,
            inputs,
            map50=0.4 + (0.02 * int(cell.set[1]) + 0.01 * cell.seed) * (cell.arm == "iqr"),
        )
        for cell, inputs in digests_of(config).items()
    ]


def redundancy(name: str, seed: int) -> float:
    return 0.1 * int(name[1]) + 0.03 * seed


def test_points_are_the_means_over_seeds() -> None:
    points = gain_map_of(study(), rows_of(study()), redundancy)
    assert [(p.set, p.level, p.empty) for p in points] == [
        *(("s1-0", 1, 0.0), ("s1-1", 1, 0.5), ("s4-0", 4, 0.0), ("s4-1", 4, 0.5)),
    ]
    last = points[-1]
    # .08, .09, .10: mean .09, s = .01, t(.975, 2) = 4.3027
    assert (last.gain, last.low, last.high) == pytest.approx((0.09, 0.0652, 0.1148), abs=1e-4)
    assert (last.redundancy, last.seeds, last.arm) == (0.43, 3, "iqr")
    assert len({point.rows for point in points}) == 4
    found = GainMap(points).at(0.28, 0.25)
    assert found is not None
    assert found.gain == pytest.approx(0.06)


def test_what_is_no_map_is_refused() -> None:
    rows = rows_of(study())
    few = [row for row in rows if row.seed == 0]
    with pytest.raises(InputError, match=r"sets.s1-0: 1 seeds have iqr and true-random whole"):
        gain_map_of(study(), few, redundancy)
    with pytest.raises(InputError, match="redundancy: expected more of it"):
        gain_map_of(study(), rows, lambda name, seed: 0.5)
    with pytest.raises(InputError, match=r"sets.digits.data.kind: expected stream"):
        gain_map_of(study_of(), [], redundancy)


def test_the_command_says_in_one_line_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, told in (
        (["nosuch.yaml", str(tmp_path)], "error: nosuch.yaml: No such file or directory\n"),
        ([], "the following arguments are required: study, folder\n"),
    ):
        monkeypatch.setattr("sys.argv", ["gainmap", *given])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert capsys.readouterr().err.endswith(told)
