"""What the page of a study says, of rows whose result is known."""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backhaul.errors import InputError
from backhaul.study.design import Cell, cells_of, digests_of, plan_of
from backhaul.study.folder import note_start, read_study
from backhaul.study.page import notes, write_page
from backhaul.study.rows import Row
from backhaul.study.settings import StudyConfig
from backhaul.study.statistics import effect
from backhaul.study.summary import summary_of
from backhaul.study.summaryfile import write_summary
from backhaul.study.wording import verdict
from tests.unit.study.studies import row_of, study_of

LEVELS = {
    "initial": 0.30,
    "no-new-data": 0.35,
    "true-random": 0.40,
    "iqr": 0.45,
    "median-thresh": 0.40,
    "all-images": 0.60,
}


def rows_of(study: StudyConfig, more: Callable[[Cell], float]) -> list[Row]:
    """Return all rows of a study; each arm has its level, and `more` of it."""
    images = {None: 0, "images=3": 3, "pool_bytes=0.3": 6}
    return [
        row_of(
            study,
            cell,
            inputs,
            map50=LEVELS[cell.arm] + more(cell),
            n_images=images[cell.budget.name if cell.budget else None],
        )
        for cell, inputs in digests_of(study).items()
    ]


def by_seed_and_budget(cell: Cell) -> float:
    """Seeds differ, a second budget helps, and retrainings differ by nothing on average."""
    noise = 0.02 * ((cell.training_seed or 0) - 0.5) if cell.training_seed is not None else 0.0
    late = 0.03 if cell.budget is not None and cell.budget.images is None else 0.0
    own = 0.002 * cell.seed if cell.arm == "iqr" else 0.0
    return 0.1 * cell.seed + noise + late + own


def text_of(page: Path) -> str:
    whole = page.read_text(encoding="utf-8")
    body = whole[whole.index("<body>") : whole.index('<script type="application/json"')]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_what_is_shown_is_said_in_a_sentence(tmp_path: Path) -> None:
    study = study_of(seeds={"choose": [0], "test": [1, 2, 3, 4]})
    rows = rows_of(study, by_seed_and_budget)
    text = text_of(write_page(study, tmp_path, rows))
    # seeds 1 to 4: .052 .054 .056 .058; s = .002582, t = 3.182446
    assert (
        "Shown: iqr is better than true-random on digits: +0.055 [+0.051, +0.059], 4 seeds."
        in text
    )
    assert "On the seeds that chose, which are no evidence: Not shown: iqr is +0.050" in text
    assert "median-thresh described +0.000 [+0.000, +0.000] 1.000 1.000" in text
    assert "The initial model has a mAP50 of 0.550; retrained it has 0.600 with no new" in text
    assert "iqr no new image 1 more image" in text  # three images are .1 better
    assert "iqr 3 images 1 more image" in text
    assert {path.name for path in tmp_path.iterdir()} == {
        "index.html",
        "digits-curve.png",
        "digits-differences.png",
    }


def test_an_arm_without_all_of_its_trainings_is_not_judged(tmp_path: Path) -> None:
    study = study_of()
    rows = rows_of(study, by_seed_and_budget)
    partial = [r for r in rows if (r.seed, r.arm, r.training_seed) != (1, "iqr", 1)]
    summary = summary_of(study, "digits", "test", plan_of(study, partial).complete)
    assert summary.differences("iqr") == pytest.approx({0: 0.05})
    assert summary.differences("median-thresh") == pytest.approx({0: 0.0, 1: 0.0})
    text = text_of(write_page(study, tmp_path, partial))
    assert "2 trainings of 50 are missing" in text
    assert "iqr is +0.050 against true-random on digits with one seed" in text


def test_a_study_without_rows_of_an_arm_has_a_page(tmp_path: Path) -> None:
    study = study_of()
    text = text_of(write_page(study, tmp_path, rows_of(study, by_seed_and_budget)[:1]))
    assert "Not known: no seed of digits has iqr and true-random whole." in text
    assert "Unfinished seeds of digits: 0 (24 missing), 1 (not begun)." in text
    assert {path.name for path in tmp_path.iterdir()} == {
        "index.html",
        "digits-curve.png",  # of the initial model
    }


def test_an_empty_study_says_so_in_place_of_empty_charts(tmp_path: Path) -> None:
    page = write_page(study_of(), tmp_path, [])
    text = text_of(page)
    assert text.count("Nothing is measured yet on digits.") == 2  # headline and section
    assert "50 trainings of 50 are missing" in text
    assert "There are no rows" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_seeds_that_chose_alone_draw_no_empty_chart(tmp_path: Path) -> None:
    study = study_of(seeds={"choose": [0], "test": [1]})
    rows = [row for row in rows_of(study, by_seed_and_budget) if row.seed == 0]
    text = text_of(write_page(study, tmp_path, rows))
    assert "digits: 1 (not begun)" in text
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("differences", "told", "holds"),
    [
        ([0.01, 0.02, 0.03], "No harm: iqr against true-random on digits, 3 seeds: mean", True),
        ([0.04, -0.02, 0.01], "Harm is not ruled out: iqr", False),
        ([-0.012, -0.012, -0.0121], "Harm is not ruled out: iqr", False),
        ([0.0], "No harm: not known yet: iqr", None),
        ([-0.02], "Harm is not ruled out: iqr", False),
        ([-0.0103, -0.0104, -0.0105], "mean -0.0104 is below -0.010; lower end", False),
    ],
)
def test_a_primary_that_need_not_win_is_asked_for_no_harm(
    differences: list[float], told: str, holds: bool | None, tmp_path: Path
) -> None:
    study = study_of(no_harm=["digits"], seeds=list(range(len(differences))))
    rows = rows_of(study, lambda cell: 0.0)
    moved = [
        row.model_copy(update={"map50": 0.4 + differences[row.seed]})
        if row.arm == "iqr"
        else row
        for row in rows
    ]
    assert told in text_of(write_page(study, tmp_path, moved))
    summary = json.loads(write_summary(study, tmp_path, moved).read_text())["sets"]["digits"]
    assert summary["no_harm"]["holds"] is holds
    assert summary["effects"]["iqr"]["mean"] == pytest.approx(np.mean(differences))
    assert summary["effects"]["iqr"]["n"] == len(differences)


def test_the_summary_has_what_is_not_known_as_null(tmp_path: Path) -> None:
    study = study_of()
    rows = rows_of(study, by_seed_and_budget)[:1]
    found = json.loads(write_summary(study, tmp_path, rows).read_text())
    assert found["trainings"] == {"known": 1, "missing": 49}
    assert found["sets"]["digits"]["unfinished"] == {"0": 24, "1": 25}
    assert found["sets"]["digits"]["no_harm"] is None
    assert found["sets"]["digits"]["effects"]["iqr"]["mean"] is None
    assert found["sets"]["digits"]["references"]["initial"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], "Not known"),
        ([0.1], r"Not shown: a is \+0.100 against b on s with one seed"),
        (
            [0.01, 0.02, 0.03],
            r"Not shown: that a and b differ on s: \+0.020 \[-0.005, \+0.045\]",
        ),
        (
            [0.1, 0.1, 0.1],
            r"Not shown: a is \+0.100 against b on s with each of 3 seeds, ",
        ),
        ([-0.02, -0.02, -0.03], r"Shown: a is worse than b on s: -0.023 \[-0.038, -0.009\]"),
    ],
)
def test_verdicts(values: list[float], told: str) -> None:
    assert re.match(told, verdict("a", "b", "s", effect(values)))


def test_a_seed_that_chose_shows_nothing(tmp_path: Path) -> None:
    study = study_of(seeds=[0, 1, 2])
    rows = rows_of(study, by_seed_and_budget)
    moved = [r.model_copy(update={"role": "choose"}) if r.seed < 2 else r for r in rows]
    text = text_of(write_page(study, tmp_path, rows))
    assert "Shown: iqr is better than true-random on digits: +0.052" in text
    text = text_of(write_page(study, tmp_path, moved))
    assert "Shown: iqr" not in text
    assert "with one seed, which has no interval" in text
    assert "so do not count as tests: digits 0, digits 1." in text


def test_a_seed_that_tested_may_choose(tmp_path: Path) -> None:
    study = study_of(seeds={"choose": [0, 1, 2], "test": []})
    tested = [
        row.model_copy(update={"role": "test"}) for row in rows_of(study, by_seed_and_budget)
    ]
    text = text_of(write_page(study, tmp_path, tested))
    assert "and choose now: digits 0, digits 1, digits 2." in text
    assert summary_of(study, "digits", "choose", tested).effects["iqr"].n == 3


@pytest.mark.parametrize(
    "content",
    ["[]", '{"software": []}', '{"starts": 3}', '{"config": ' + "[" * 100_000, "\xff", ""],
)
def test_a_damaged_study_file_is_told_in_a_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(content, encoding="latin-1")
    for read in (lambda: read_study(tmp_path), lambda: note_start(tmp_path, study_of())):
        with pytest.raises(InputError, match=r"study\.json.*: expected the JSON of a study$"):
            read()


def test_software_of_earlier_starts_stays(tmp_path: Path) -> None:
    digest = note_start(tmp_path, study_of())
    place = tmp_path / "study.json"
    known = json.loads(place.read_text())
    place.write_text(json.dumps(known | {"software": {"old": {"torch": "1"}}}))
    note_start(tmp_path, study_of())
    assert set(read_study(tmp_path).software) == {"old", digest}
    assert len(read_study(tmp_path).starts) == 2


def test_what_weakens_the_rows_is_said() -> None:
    study = study_of()
    one, two = (row_of(study, cell) for cell in cells_of(study)[:2])
    changes: list[dict[str, Any]] = [
        {"software": "v"},
        {"start": "n"},
        {"role": "choose", "seed": 0},
        {"inputs": "x"},
    ]
    told = [
        " ".join(notes(study, plan_of(study, [one, two.model_copy(update=change)])))
        for change in changes
    ]
    words = (
        "different versions",
        "different initial models",
        "do not count as tests: digits 0",
        "other settings",
    )
    for text, word in zip(told, words, strict=True):
        assert word in text
        assert sum(other in text for other in words) == 1
