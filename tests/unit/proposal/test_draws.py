"""What is proposed passes `backhaul validate`: the initial set has something of each class."""

from __future__ import annotations

import pandas as pd
import pytest

from backhaul.campaign.proposal.proposal import Proposal, Wish
from backhaul.cli.proposing import propose_for
from backhaul.data.settings import FolderData
from backhaul.health.dataset import look_at_arrangement
from backhaul.learn.training.speed import Speed
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

CAR, RARE = 0, 1


def image_set(n: int, n_rare: int, group: int | None = None) -> ImageSet:
    """Images of cars, the first of them with a rare class too, in groups of so many."""
    rows = []
    for number in range(n):
        boxes = [(CAR, 0.5, 0.5, 0.2, 0.2)]
        boxes += [(RARE, 0.2, 0.2, 0.2, 0.2)] if number < n_rare else []
        name = None if group is None else f"group-{number // group}"
        known = (f"id-{number:04}", f"{number}.png", 64, 64, 100, name)
        rows.append((*known, Labels.from_rows(boxes), "dataset", None))
    frame = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS), dtype=object)
    return ImageSet(frame, ("car", "rare"))


def proposed(images: ImageSet, seed: int = 0) -> tuple[Proposal, list[int]]:
    """The proposal, and the sides that were measured for it."""
    data = FolderData(root="/data/cars", format="yolo")
    wish = Wish("cars", data, seed=seed, minutes=15, cores=2, model="yolo11n")
    measured: list[int] = []

    def measure(side_px: int) -> Speed:
        measured.append(side_px)
        return Speed(0.02)

    return propose_for(images, wish, measure), measured


@pytest.mark.parametrize(
    ("n", "n_rare", "group"), [(40, 3, None), (60, 4, None), (900, 4, None), (200, 9, 3)]
)
def test_an_initial_set_has_something_to_train_on_of_each_class(
    n: int, n_rare: int, group: int | None
) -> None:
    for seed in range(4):
        images = image_set(n, n_rare, group)
        proposal, measured = proposed(images, seed)
        faults = look_at_arrangement(proposal.config, images, None, None)
        assert [fault for fault in faults if fault.severity == "error"] == []
        assert len(measured) == len(set(measured))


def test_an_initial_set_is_no_larger_than_usual_where_each_class_is_trained_on() -> None:
    common, _ = proposed(image_set(900, 900))
    rare, _ = proposed(image_set(900, 3))
    assert common.config.initial.images == 120
    assert (rare.config.initial.images or 0) > 120
    [reason] = [each.reason for each in rare.choices if each.key == "initial.images"]
    assert reason == "of 900 labelled: with fewer, a class would have no object to train on"


def test_what_no_initial_set_mends_is_a_warning_and_the_usual_one_stays() -> None:
    proposal, _ = proposed(image_set(900, 1))
    assert proposal.config.initial.images == 120
    assert any("no object to train on of class 'rare'" in told for told in proposal.warnings)
