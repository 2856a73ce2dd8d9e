"""Images that wait for labels go to annotators' tools and come back, and the hours go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from backhaul.campaign.labelled import read_labelled
from backhaul.campaign.rounds import read_round
from backhaul.layout import RunFiles
from backhaul.storage.objects import read_value
from backhaul.values.splits import Splits
from tests.e2e.conftest import Place
from tests.e2e.edge import BATCH, Edge

pytestmark = [pytest.mark.prefect, pytest.mark.train]


@pytest.mark.slow
def test_labels_by_a_tool_s_file_and_by_the_simulated_annotator(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("labels")
    edge = Edge.begin(place.folder / "scenes", str(place.folder))
    config = place.folder / "edge.yaml"
    config.write_text(yaml.safe_dump(edge.config(str(place.folder))))
    files = RunFiles(str(place.folder), "edge")
    edge.drop("cam1", range(BATCH), labelled=False)
    assert "AwaitingLabels" in place.backhaul("hourly", config).out
    told = json.loads(place.backhaul("labels", "status", "edge", "--json").out)
    assert told == {"waiting": [{"method": "iqr", "batch": 0, "images": 4}], "labelled": []}

    out = place.folder / "to-label"
    ended = place.backhaul(
        *("labels", "export", "edge", out, "--to", "cvat", "--min-confidence", "0.5")
    )
    assert ended.code == 0, ended.err
    file = out / "annotations.xml"
    words = ("labels", "import", "edge", file, "--from", "cvat", "--annotator", "ann")
    taken = place.backhaul(*words)
    assert "labels of 0 images taken, 4 images still wait" in taken.out, taken.err
    taken = place.backhaul(*words, "--accept-unchanged")
    assert "labels of 4 images taken, 0 images still wait" in taken.out, taken.err
    assert "AwaitingLabels" not in place.backhaul("hourly", config).out
    splits = read_value(Splits, read_round(files, "iqr0").new or pytest.fail("no split"))
    parts = pd.concat([splits.train.table, splits.valid.table, splits.test.table])
    assert set(parts["label_source"]) == {"cvat"}

    edge.drop("cam1", range(BATCH, 2 * BATCH), labelled=False)
    assert "AwaitingLabels" in place.backhaul("hourly", config).out
    assert "4 images wait" in place.backhaul("labels", "status", "edge").out
    scenes: Path = edge.scenes
    ended = place.backhaul("labels", "simulate", "edge", scenes, "--jitter", "0.02")
    assert "labels of 4 images taken, 0 images still wait" in ended.out, ended.err
    assert "AwaitingLabels" not in place.backhaul("hourly", config).out
    [first] = json.loads(place.backhaul("labels", "status", "edge", "--json").out)["labelled"][
        1:
    ]
    assert first["batch"] == 1
    assert first["seconds"] > 0
    sources = {e.source for each in read_labelled(files).values() for e in each.images}
    assert sources == {"cvat", "simulated"}


def test_a_run_that_waits_for_nothing(new_place: Callable[[str], Place]) -> None:
    place = new_place("no-labels")
    assert "no run there" in place.backhaul("labels", "status", "gone").one_error()


def test_what_the_boxes_of_a_model_save_is_said_of_any_run(played: Any, tmp_path: Path) -> None:
    out = tmp_path / "savings.csv"
    place: Place = played.place
    ended = place.backhaul("labels", "savings", "tiny", "--min-confidence", "0", "--out", out)
    assert ended.code == 0, ended.err
    table = pd.read_csv(out)
    assert set(table["method"]) == {"random", "true-random"}
    assert (table["images"] > 0).all()
    assert (table["accepted"] <= table["shown"]).all()
    assert (table["accepted"] <= table["objects"]).all()
    assert (table["seconds"] > 0).all()
    by_hand = 2 * table["images"] + 7 * table["objects"]
    assert table["seconds_from_nothing"].tolist() == by_hand.tolist()
