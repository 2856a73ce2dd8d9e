"""What a study says about the forms in which images are sent, by hand and on its page."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.data.recipes import SendCrops, SendOriginal, SendReencoded
from backhaul.study.design import Cell, choice_digest, digests_of
from backhaul.study.page import write_page
from backhaul.study.recipes import (
    break_even,
    crossing,
    matrix,
    over_original,
    recipe_levels,
    series_of,
)
from backhaul.study.rows import Row
from backhaul.study.scores import SCORES
from backhaul.study.screening import Screened, choices_of, table_of
from backhaul.study.settings import StudyConfig
from tests.unit.study.studies import row_of, study_of
from tests.unit.study.test_study_page import text_of

RECIPES = {
    "original": {"kind": "original"},
    "q75": {"kind": "reencoded", "quality": 75},
    "q15": {"kind": "reencoded", "quality": 15},
}


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([-0.02, 0.02, 0.01], 32.5),  # halfway from 50 to 15
        ([-0.03, -0.01, 0.01], 62.5),
        ([0.01, -0.01, 0.0], 75.0),  # where it is 0 it is not yet negative
        ([0.01, 0.02, 0.0], -math.inf),
        ([0.01, 0.02, -0.01], math.inf),
    ],
)
def test_the_crossing_is_where_the_difference_becomes_negative(
    differences: list[float], expected: float
) -> None:
    assert crossing([15, 50, 75], differences) == pytest.approx(expected)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=6))
def test_a_crossing_lies_between_a_gain_and_a_loss(differences: list[float]) -> None:
    qualities = list(range(10, 10 * len(differences) + 1, 10))
    found = crossing(qualities, differences)
    if math.isfinite(found):
        assert qualities[0] - 1e-9 <= found <= qualities[-1] + 1e-9
        is_at_one = any(abs(found - quality) <= 1e-9 for quality in qualities)
        assert is_at_one or differences[int(found // 10) - 1] < 0
        assert all(
            d >= 0 for q, d in zip(qualities, differences, strict=True) if q > found + 1e-9
        )
    else:
        assert (differences[-1] < 0) == (found > 0)


def test_a_break_even_by_hand() -> None:
    rows = np.array([[-0.04, 0.02, 0.01], [-0.02, 0.03, 0.01], [-0.03, 0.025, 0.01]])
    found = break_even([15, 50, 75], rows)
    assert found.shown == 50
    assert found.crossing == pytest.approx(50 - 35 * 0.025 / 0.055)
    assert found.low < found.crossing < found.high
    assert found.low > 15
    assert found.high < 50
    assert break_even([15, 50, 75], rows) == found
    one = break_even([15, 75], rows[:1, [0, 2]])
    assert (one.shown, one.n, math.isnan(one.low)) == (None, 1, True)
    assert math.isnan(break_even([15, 75], np.zeros((0, 2))).crossing)
    worse = break_even([15, 75], -np.ones((3, 2)))
    assert (worse.shown, worse.low, worse.high) == (None, math.inf, math.inf)


def test_the_interval_covers_the_true_crossing_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    truth, qualities = np.array([-0.05, -0.01, 0.03, 0.03]), [15, 30, 50, 75]
    expected, hits = crossing(qualities, truth), 0
    for _ in range(60):
        found = break_even(qualities, truth + rng.normal(0, 0.02, (12, 4)))
        hits += found.low <= expected <= found.high
    assert 48 <= hits <= 60


def test_only_what_differs_in_quality_alone_is_a_series() -> None:
    found = series_of(
        {
            "original": SendOriginal(),
            "a": SendReencoded(quality=75),
            "b": SendReencoded(quality=15),
            "c": SendReencoded(quality=15, longest_side_px=320),
            "d": SendReencoded(quality=50, longest_side_px=320),
            "e": SendReencoded(format="webp", quality=50),
            "f": SendCrops(),
        }
    )
    assert found == {"jpeg": {15: "b", 75: "a"}, "jpeg, 320 px": {15: "c", 50: "d"}}
    assert list(found["jpeg"]) == [15, 75]


def test_differences_are_paired_by_seed_and_mean_over_draws_and_budgets() -> None:
    columns = ["seed", "arm", "recipe", "budget", "map50"]
    rows = pd.DataFrame(
        [
            (0, "iqr", "original", "a", 0.4),
            (0, "iqr", "original", "b", 0.5),
            (0, "iqr", "q", "a", 0.5),
            (0, "iqr", "q", "a", 0.7),
            (0, "iqr", "q", "b", 0.6),
            (1, "iqr", "original", "a", 0.3),
            (1, "iqr", "original", "b", 0.3),
            (2, "iqr", "q", "a", 0.9),
            (2, "iqr", "q", "b", 0.9),
        ],
        columns=columns,
    )
    levels = recipe_levels(rows, "map50")
    assert over_original(levels, "iqr", "q").to_dict() == pytest.approx({0: 0.15})
    assert over_original(levels, "iqr", "q", "a").to_dict() == pytest.approx({0: 0.2})
    assert over_original(levels, "iqr", "original").tolist() == [0.0, 0.0]
    assert not len(over_original(levels, "iqr", "other"))
    assert matrix(levels, "iqr", ["q", "original"]).tolist() == [pytest.approx([0.15, 0.0])]
    unknown = recipe_levels(rows.assign(map50=None), "map50")
    assert not len(over_original(unknown, "iqr", "q"))


def rows_of(study: StudyConfig, gain: Callable[[Cell], float]) -> list[Row]:
    return [
        row_of(
            study,
            cell,
            inputs,
            map50=0.4 + 0.1 * cell.seed + gain(cell),
            map50_small=0.2 + 2 * gain(cell) if cell.recipe != "q15" else None,
            n_images={"original": 3, "q75": 4, "q15": 9}[cell.recipe],
        )
        for cell, inputs in digests_of(study).items()
    ]


def test_the_page_compares_recipes_at_the_same_bytes(tmp_path: Path) -> None:
    study = study_of(recipes=RECIPES, seeds=[0, 1, 2], arms=["iqr"])
    gains = {"original": 0.0, "q75": 0.02, "q15": -0.04}
    rows = rows_of(
        study,
        lambda cell: gains[cell.recipe] + 0.001 * (cell.seed - 1) * (cell.recipe != "original"),
    )
    text = text_of(write_page(study, tmp_path, rows))
    assert "iqr q75 all budgets - +0.020 [+0.018, +0.022] 3 +0.040 [+0.035, +0.045] 3" in text
    assert "iqr q15 3 images 9 -0.040 [-0.042, -0.038] 3 - [-, -] 0" in text
    assert "iqr jpeg mAP50 75 55 [54, 56] 3" in text
    assert "iqr jpeg mAP50 of small objects none - [-, -] 0" in text
    # arms are compared with originals, and not with the mean of all recipes
    assert "that iqr and true-random differ on digits: +0.000 [+0.000, +0.000]" in text
    assert (tmp_path / "digits-recipes.png").exists()


def test_a_study_without_recipes_says_nothing_of_them(tmp_path: Path) -> None:
    study = study_of()
    text = text_of(write_page(study, tmp_path, rows_of(study, lambda cell: 0.0)))
    assert "In what form images are sent" not in text
    own = study_of(**{"sets.digits.sending": RECIPES["q15"]})
    rows = [
        row.model_copy(update={"map50": 0.9 + 0.001 * row.seed if row.arm == "iqr" else 0.4})
        for row in (row_of(own, cell, digest) for cell, digest in digests_of(own).items())
    ]
    assert "Shown: iqr is better" in text_of(write_page(own, tmp_path, rows))


def test_choices_that_are_scored_are_those_with_originals() -> None:
    plain, study = study_of(), study_of(recipes=RECIPES)
    choices = choices_of(study, "digits", 0)
    assert choices == choices_of(plain, "digits", 0)
    rows = rows_of(study, lambda cell: 0.3 if cell.recipe == "q15" else 0.0)
    scored = [
        Screened(
            **dict.fromkeys(SCORES, 1.0),
            inputs=choice_digest(study, cell),
            set=cell.set,
            seed=cell.seed,
            arm=cell.arm,
            draw=cell.draw,
            budget=cell.budget_name,
            n_images=3,
            n_bytes=9,
        )
        for cell in choices
    ]
    assert table_of(study, "digits", scored, rows)["map50"].tolist() == pytest.approx(
        [0.4] * len(choices)
    )
