"""Scores of choices, by hand, and how well they rank rows whose order is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backhaul.errors import InputError
from backhaul.look.descriptors import N_VALUES
from backhaul.study.design import choice_digest
from backhaul.study.page import write_page
from backhaul.study.rows import Row
from backhaul.study.scores import (
    SCORES,
    Exam,
    Part,
    describe_objects,
    probe_precision,
    scores_of,
)
from backhaul.study.screening import (
    Screened,
    add_screened,
    choices_of,
    mean_scores,
    over_seeds,
    rank_correlations,
    read_screening,
    screening_finding,
    table_of,
)
from backhaul.study.settings import StudyConfig
from backhaul.values.columns import names_of
from backhaul.values.features import Features
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels
from tests.unit.study.studies import row_of, study_of
from tests.unit.study.test_study_page import text_of

BOX = [0.5, 0.5, 0.5, 0.5]


def images_of(classes: dict[str, list[int]], uri: str = "") -> ImageSet:
    rows = [
        (name, uri, 8, 8, 1, None, Labels.from_rows([[k, *BOX] for k in own]), "dataset", None)
        for name, own in classes.items()
    ]
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), ("a", "b"))


def part_of(classes: dict[str, list[int]], places: list[float]) -> Part:
    """Return images at places on a line, whose objects are where they are."""
    images = images_of(classes)
    vectors = np.array(places, np.float32)[:, None]
    place = dict(zip(classes, vectors, strict=True))
    owner = [name for name, own in classes.items() for _ in own]
    objects = np.array([place[name] for name in owner], np.float32).reshape(-1, 1)
    return Part(images, vectors, vectors, Features(names_of(owner), objects))


def test_scores_by_hand() -> None:
    pool = part_of({"p": [0], "q": [0, 1], "r": [], "s": [1, 1]}, [0.0, 0.1, 2.0, 5.0])
    known = part_of({"k": [0]}, [4.0])
    exam = Exam(None, np.zeros((0, 2), dtype=bool))
    found = scores_of(["p", "q"], pool, known, exam)
    assert found["scenes"] == 1  # p and q are near-duplicates
    assert found["objects"] == 3
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert found["classes"] == pytest.approx(math.exp(entropy), rel=1e-6)
    assert found["radius"] == pytest.approx(-1.9)  # r, from q
    assert found["chamfer"] == pytest.approx(-2 / 5)  # s has two objects, 1 from k
    assert found["probe"] is None
    near_known = scores_of([], part_of({"p": []}, [4.1]), known, exam)
    assert (near_known["scenes"], near_known["classes"]) == (0, 0)
    assert set(found) == set(SCORES)


def test_more_images_never_cover_less() -> None:
    rng = np.random.default_rng(0)
    names = {f"{i:02d}": rng.integers(0, 2, rng.integers(0, 3)).tolist() for i in range(20)}
    pool = part_of(names, rng.uniform(0, 9, 20).tolist())
    known = part_of({"k": [1]}, [3.0])
    exam = Exam(None, np.zeros((0, 2), dtype=bool))
    order = rng.permutation(list(names)).tolist()
    every = [scores_of(order[:n], pool, known, exam) for n in range(20)]
    for name in ("scenes", "objects", "radius", "chamfer"):
        values = [float(each[name] or 0) for each in every]
        assert values == sorted(values), name


def test_a_probe_learns_what_features_say() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((200, 2)) < 0.5
    features = np.hstack([truth, rng.normal(size=(200, 3))]).astype(np.float32)
    taught = probe_precision(features[:60], truth[:60], features[60:], truth[60:])
    noise = rng.normal(size=(200, 5)).astype(np.float32)
    guessed = probe_precision(noise[:60], truth[:60], noise[60:], truth[60:])
    assert taught is not None
    assert guessed is not None
    assert taught > 0.95
    assert guessed < 0.75
    assert probe_precision(features[:2], truth[:2], features, truth) is None
    assert probe_precision(features, truth, features[:1], truth[:1]) is None


def test_objects_are_described_by_their_boxes(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[8:24, 8:24] = np.random.default_rng(0).integers(0, 255, (16, 16, 3))
    place = tmp_path / "a.png"
    Image.fromarray(pixels).save(place)
    found = describe_objects(images_of({"a": [0, 1], "b": []}, place.as_posix()))
    assert found.image_id.tolist() == ["a", "a"]
    assert found.vectors.shape == (2, N_VALUES)
    assert np.array_equal(found.vectors[0], found.vectors[1])


SCORED = {arm: number for number, arm in enumerate(["true-random", "iqr", "median-thresh"])}


def screened_of(study: StudyConfig) -> list[Screened]:
    """Return scores: scenes rise with the arm, objects fall, all else is not known."""
    none = dict.fromkeys(SCORES, None)
    return [
        Screened(
            inputs=choice_digest(study, cell),
            set=cell.set,
            seed=seed,
            arm=cell.arm,
            draw=cell.draw,
            budget=cell.budget_name,
            n_images=3,
            n_bytes=300,
            **none
            | {"scenes": SCORED[cell.arm] + 0.1 * cell.draw, "objects": -SCORED[cell.arm]},
        )
        for seed in (0, 1, 2)
        for cell in choices_of(study, "digits", seed)
    ]


def rows_of(study: StudyConfig, order: dict[str, float]) -> list[Row]:
    """Return rows in which arms reach what `order` says; a later draw reaches a little more."""
    from backhaul.study.design import digests_of

    return [
        row_of(
            study,
            cell,
            inputs,
            map50=order.get(cell.arm, 0.1)
            + 0.001 * cell.draw
            + 0.1 * cell.seed
            + 0.01 * (cell.training_seed or 0),
        )
        for cell, inputs in digests_of(study).items()
    ]


STUDY_OF_THREE: Any = {"seeds": [0, 1, 2], "budgets": [{"images": 3}]}


def test_ranks_are_compared_within_a_pool(tmp_path: Path) -> None:
    study = study_of(**STUDY_OF_THREE)
    rows = rows_of(study, {"true-random": 0.2, "iqr": 0.3, "median-thresh": 0.4})
    table = table_of(study, "digits", screened_of(study), rows)
    assert len(table) == 3 * (3 + 2)  # three draws of the baseline
    assert table["map50"].notna().all()
    assert rank_correlations(table, "scenes") == pytest.approx([1.0] * 3)
    down = rank_correlations(table, "objects")
    assert (down < -0.8).all()  # ties among the draws
    assert len(rank_correlations(table, "probe")) == 0
    assert over_seeds(np.array([0.2, 0.2, 0.2])) == pytest.approx((0.2, 0.2))
    low, high = over_seeds(np.array([-0.5, 0.2, 0.9]))
    assert -0.5 <= low < 0.2 < high <= 0.9
    assert all(map(math.isnan, over_seeds(np.array([0.2, 0.9]))))


def test_a_choice_without_all_trainings_or_of_other_settings_does_not_count() -> None:
    study = study_of(**STUDY_OF_THREE)
    rows = rows_of(study, {"iqr": 0.3})
    partial = [row for row in rows if (row.seed, row.arm, row.training_seed) != (1, "iqr", 0)]
    table = table_of(study, "digits", screened_of(study), partial)
    missing = table[table["map50"].isna()]
    assert missing[["seed", "arm"]].to_numpy().tolist() == [[1, "iqr"]]
    other = study_of(**STUDY_OF_THREE | {"sets.digits.initial.images": 17})
    assert table_of(other, "digits", screened_of(study), rows).empty
    assert screening_finding(other, "digits", screened_of(study), rows) is None


def test_the_page_says_which_score_ranks(tmp_path: Path) -> None:
    study = study_of(**STUDY_OF_THREE)
    add_screened(tmp_path, screened_of(study)[:5])
    add_screened(tmp_path, screened_of(study))
    assert list(read_screening(tmp_path)) == screened_of(study)
    rows = rows_of(study, {"true-random": 0.2, "iqr": 0.3, "median-thresh": 0.4})
    text = text_of(write_page(study, tmp_path, rows))
    assert "scenes 1.000 [+1.000, +1.000] 3 distinct scenes" in text
    assert "probe - [-, -] 0 mean average precision" in text
    assert "15 choices of 3 seeds have both. Fewer than 40 choices are no evidence" in text
    assert (tmp_path / "digits-screening.png").exists()
    means = mean_scores(study, "digits", screened_of(study)).table.set_index("arm")
    assert means["scenes"].to_dict() == pytest.approx(
        {"true-random": 0.1, "iqr": 1.0, "median-thresh": 2.0}
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("scenes", "seens"), ":1: expected the columns"),
        (("iqr,0", "iqr,x"), "draw"),
        (("iqr", "q" * 200_000), ":\\d: field larger than"),
    ],
)
def test_a_file_that_is_none_of_ours_is_named(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    add_screened(tmp_path, screened_of(study_of(**STUDY_OF_THREE)))
    place = tmp_path / "screening.csv"
    place.write_text(place.read_text().replace(*change, 1))
    with pytest.raises(InputError, match=told):
        read_screening(tmp_path)
