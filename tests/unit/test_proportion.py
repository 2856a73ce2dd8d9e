"""The fraction of new images that a retraining has, chosen of several."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backhaul.learn.proportion import COLUMNS, choose_proportion, chosen_proportion
from backhaul.learn.settings import Mixing, Training

NOTHING = math.nan
SCORE = st.one_of(st.just(NOTHING), st.floats(0, 1))


def scores(*rows: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["retrain_new", "old", "new"])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0.25, 0.6, 0.2), (0.5, 0.5, 0.4), (1.0, 0.1, 0.7)], 0.5),  # means 0.4, 0.45, 0.4
        ([(0.25, 0.9, 0.0), (1.0, 0.0, 0.9)], 0.25),  # a tie: more old images
        ([(1.0, 0.5, 0.5), (0.5, 0.5, 0.5), (0.75, 0.5, 0.5)], 0.5),
        ([(0.25, NOTHING, 0.2), (1.0, NOTHING, 0.3)], 1.0),  # no old object: new ones decide
        ([(0.25, 0.3, NOTHING), (1.0, 0.2, NOTHING)], 0.25),
        ([(0.75, NOTHING, NOTHING), (0.25, NOTHING, NOTHING)], 0.25),  # nothing to go by
    ],
)
def test_the_macro_mean_decides(
    rows: list[tuple[float, float, float]], expected: float
) -> None:
    assert chosen_proportion(choose_proportion(scores(*rows))) == expected


@given(
    candidates=st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0]), unique=True, min_size=1),
    data=st.data(),
)
def test_one_candidate_is_chosen_and_none_is_better(
    candidates: list[float], data: st.DataObject
) -> None:
    rows = [(each, data.draw(SCORE), data.draw(SCORE)) for each in candidates]
    table = choose_proportion(scores(*rows))
    assert tuple(table.columns) == COLUMNS
    assert table["retrain_new"].tolist() == candidates
    assert table["chosen"].sum() == 1
    best = table[table["chosen"]].iloc[0]
    for row in table.to_dict("records"):
        better = row["mean"] > best["mean"] or (
            not math.isnan(row["mean"]) and math.isnan(best["mean"])
        )
        assert not better
        if row["mean"] == best["mean"]:
            assert best["retrain_new"] <= row["retrain_new"]
    backwards = choose_proportion(scores(*rows[::-1]))
    assert chosen_proportion(backwards) == chosen_proportion(table)


@pytest.mark.parametrize(
    ("settings", "n_images", "length", "expected"),
    [
        ({"retrain_max_epochs": 12}, 40, 0.25, 3),
        ({"retrain_max_epochs": 5}, 40, 0.25, 2),  # whole epochs, rounded up
        ({"retrain_max_epochs": 30}, 40, 0.1, 3),  # 0.1 * 30 is a little more than 3
        ({"retrain_max_epochs": 1}, 40, 0.25, 1),
        ({"retrain_steps": 60, "batch_size": 10}, 30, 0.25, 5),  # a quarter of 20 epochs
        ({"retrain_steps": 60, "batch_size": 10}, 120, 0.25, 2),  # of 5
    ],
)
def test_a_trial_is_a_fraction_of_the_retraining(
    settings: dict[str, int], n_images: int, length: float, expected: int
) -> None:
    assert Training.model_validate(settings).trial_epochs(n_images, length) == expected


def test_a_trial_keeps_and_measures_its_end_alone() -> None:
    trial = Training(max_epochs=9, lr0=0.3).of_trial(4)
    assert (trial.checkpoint_interval, trial.evaluation_interval) == (4, 4)
    assert (trial.lr0, trial.mlflow) == (0.3, False)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"retrain_new": "most"}, "expected a fraction in .0, 1., or auto"),
        ({"retrain_new": 1.5}, "less than or equal to 1"),
        ({"candidates": [0.5]}, "at least 2 items"),
        ({"candidates": [0.5, 0]}, "greater than 0"),
        ({"candidates": [0.5, 0.5]}, "a fraction is given twice"),
        ({"trial_length": 0}, "greater than 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Mixing.model_validate(settings)


def test_the_least_fraction_bounds_how_many_images_a_retraining_has() -> None:
    assert Mixing(retrain_new=0.4, candidates=(0.1, 1.0)).least_new == 0.4
    assert Mixing(retrain_new="auto", candidates=(0.5, 0.2, 1.0)).least_new == 0.2
