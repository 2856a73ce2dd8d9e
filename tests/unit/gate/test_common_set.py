"""The images that models are compared on, and what each of them counts."""

from __future__ import annotations

import numpy as np
import pytest

from backhaul.campaign.records import Standing
from backhaul.measure.commonset import drawn_by_chance, weights_of
from backhaul.measure.comparing import CommonSet, compare
from backhaul.measure.explored import LEAST_PROBABILITY
from backhaul.measure.gatesettings import Comparing
from backhaul.measure.settings import Evaluation
from backhaul.values.arrivals import Arrivals
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.columns import names_of
from backhaul.values.results import Drawn
from tests.scored import scenes, seen_by

ARTIFACT = Artifact(uri="/a", sha256="a" * 64)


def test_drawn_frames_count_as_many_as_they_are() -> None:
    weights = weights_of(3, np.array([0.1, 0.1, 0.4]))
    assert weights[:3].tolist() == [1, 1, 1]
    assert weights[3:].sum() == pytest.approx(3)
    assert weights[3] == pytest.approx(4 * weights[5])
    assert weights_of(2, np.zeros(0)).tolist() == [1, 1]


def test_a_frame_that_was_hardly_ever_drawn_does_not_decide_alone() -> None:
    weights = weights_of(0, np.array([1e-9, LEAST_PROBABILITY]))
    assert weights.tolist() == [1, 1]


def test_frames_that_were_chosen_for_their_worth_are_left_out() -> None:
    images = scenes(np.random.default_rng(0), 4)
    arrivals = Arrivals(
        image_id=names_of(images.ids),
        policy=names_of(["own"] * 4),
        why=names_of(["explored", "valued", "explored", "explored"]),
        probability=np.array([0.2, 0.2, 0.5, 0.0]),
        captured_s=np.zeros(4),
    )
    drawn, probability = drawn_by_chance(images, arrivals)
    assert drawn.ids == (images.ids[0], images.ids[2])
    assert probability.tolist() == [0.2, 0.5]


def drawn(n_images: int) -> Drawn:
    return Drawn(images=ARTIFACT, chances=ARTIFACT, n_images=n_images)


def test_the_newest_rounds_are_kept() -> None:
    checkpoint = Checkpoint(epoch=1, artifact=ARTIFACT)
    standing = Standing(seen=ARTIFACT, checkpoints=(checkpoint,), current=checkpoint)
    for n in (4, 0, 5, 3):
        standing = standing.having_drawn(drawn(n), 8)
    assert [each.n_images for each in standing.drawn] == [5, 3]
    assert [each.n_images for each in standing.having_drawn(drawn(20), 8).drawn] == [20]


def test_a_comparison_says_what_rules_ask() -> None:
    images = scenes(np.random.default_rng(1), 60)
    rng = np.random.default_rng(2)
    good, poor = seen_by(rng, images, 0.9), seen_by(rng, images, 0.5)
    common = CommonSet(images, np.ones(60), old=frozenset(images.ids[:20]), n_fresh=0)
    how = Comparing(resamples=300)
    found = compare(good, poor, common, how, Evaluation(), np.random.default_rng(3))
    assert found.gain.value is not None
    assert found.candidate.value is not None
    assert found.basis.value is not None
    assert found.gain.value == pytest.approx(found.candidate.value - found.basis.value)
    assert found.bound == pytest.approx(found.gain.low)
    assert (found.gain.n, found.old_test.n) == (60, 20)
    assert set(found.classes) == set(images.class_names)
    labels = images.table["labels"]
    assert sum(each.n for each in found.classes.values()) == sum(map(len, labels))
    f1 = compare(good, poor, common, Comparing(metric="F1", resamples=300), Evaluation(), rng)
    assert f1.metric == "F1"
    assert f1.gain.value is not None
    assert f1.gain.value > 0
    assert f1.classes == found.classes
