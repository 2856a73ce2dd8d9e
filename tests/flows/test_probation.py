"""Frames of a probation: which count, and who saw what in them; on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prefect import flow

from backhaul.data.limits import InboxLimits
from backhaul.inbox.ingestion import ingest
from backhaul.registry.log import read_log
from flows.publication import publish_versions
from tests.agents import put_batch, put_picture, told_of
from tests.nodes import Store
from tests.registered import RegisteredHome
from tests.tinymodels import CLASSES, SIZE

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

SEES, BLIND = 0.9, 0.3
LABEL = "0 0.5 0.5 0.625 0.3125\n"
"""Where the tiny models see a car in a bright picture."""
CAR = {"class_id": 0, "confidence": 0.8, "xyxy": [6, 11, 26, 21]}


@pytest.fixture
def home(tmp_path: Path) -> RegisteredHome:
    """A home whose second version, on probation, is blind; of the first, nodes have all."""
    rollout = {"cohorts": [1.0], "soak_s": 0.0}
    home = RegisteredHome(tmp_path / "home", {"rollout": rollout})
    home.begin()
    home.register(SEES)
    hour(home)
    home.nodes_follow()
    hour(home)
    home.register(BLIND)
    hour(home)
    assert home.history.aliases == {"champion": 1, "canary": 2}
    return home


def hour(home: RegisteredHome) -> bool:
    """Play what an hour does for versions; return whether the registry says more then."""
    before = read_log(home.files)

    @flow(name="hour")
    def played() -> None:
        publish_versions(home.config, home.files.run)

    played()
    return read_log(home.files) != before


def bright(folder: Path, number: int) -> bytes:
    place = folder / f"{number}.png"
    pixels = np.full((SIZE, SIZE, 3), 250, np.uint8)
    pixels[0, 0] = number
    Image.fromarray(pixels).save(place)
    return place.read_bytes()


def send(
    home: RegisteredHome, number: int, detections: list[Any], label: bool = True, **told: Any
) -> None:
    """Let a node send a frame that its model saw so, and an annotator label it."""
    store, data = Store(home.root), bright(home.folder, number)
    model = home.release.model.sha256[:12]
    origin = {"model": model, "recipe": "original", "detections": detections}
    put_batch(store, "cam-1", [told_of(data, **(origin | told))], number)
    name = put_picture(store, "cam-1", data)
    if label:
        place = Path(home.root, "labels", name).with_suffix(".txt")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(LABEL)


def take_in(home: RegisteredHome) -> None:
    ingest(home.root, "inbox", CLASSES, limits=InboxLimits())


def test_a_blind_version_is_taken_back_by_the_frames_it_was_seen_in(
    home: RegisteredHome,
) -> None:
    send(home, 0, [CAR])  # on the node it saw what it does not see here
    send(home, 1, [])
    send(home, 2, [CAR], recipe="reencoded")  # in another picture than the one that came
    send(home, 3, [], probability=0.05)
    send(home, 4, [], why="valued")
    send(home, 5, [], model="0" * 12)
    send(home, 6, [], label=False)
    take_in(home)
    assert not hour(home)
    frames = home.probation(2).frames
    assert sorted((f.seen_on, f.before, f.now, f.weight) for f in frames) == [
        ("home", 1.0, 0.0, 10.0),
        ("node", 1.0, 0.0, 10.0),
        ("node", 1.0, 0.0, 20.0),
        ("node", 1.0, 1.0, 10.0),
    ]
    assert not hour(home)
    assert home.probation(2).frames == frames

    for number in range(10, 20):
        send(home, number, [])
    take_in(home)
    assert hour(home)
    assert home.kinds(2)[-1] == "rolled-back"
    assert home.entries(2)[-1].reason.startswith("worse: F1 of a frame differs by -0.")
    assert home.release.name == "cars-v1"


def test_labels_that_change_later_change_nothing_that_was_seen(home: RegisteredHome) -> None:
    send(home, 1, [CAR])
    send(home, 2, [CAR], label=False)
    take_in(home)
    hour(home)
    for each in Path(home.root, "labels").rglob("*.txt"):
        each.write_text("")
    send(home, 2, [CAR])
    take_in(home)
    hour(home)
    assert [(f.before, f.now) for f in home.probation(2).frames] == [(1.0, 1.0)] * 2
