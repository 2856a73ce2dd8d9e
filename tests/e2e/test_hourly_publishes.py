"""Hours bring the versions that they train to nodes, and commands take them back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from backhaul.layout import RunFiles
from backhaul.publication.keys import make_keys
from backhaul.registry.cards import read_card
from backhaul.registry.exports import exported_of
from backhaul.registry.history import history_of
from backhaul.registry.log import read_log
from backhaul.registrylayout import RegistryFiles
from tests.e2e.conftest import Place
from tests.e2e.edge import BATCH, Edge

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

TRAINING = {
    "model": "yolo11n",
    "steps": 4,
    "retrain_steps": 2,
    "img_size": 64,
    "batch_size": 8,
    "warmup_epochs": 0,
    "threads": 1,
    "device": "cpu",
}


def test_an_hour_publishes_what_it_trained(new_place: Callable[[str], Place]) -> None:
    place = new_place("publishes")
    root = str(place.folder)
    edge = Edge.begin(place.folder / "scenes", root)
    make_keys(place.folder / "signing")
    publish = {
        "method": "iqr",
        "signing": str(place.folder / "signing"),
        "probe": str(place.folder / "scenes" / "images"),
        "rollout": {"cohorts": [1.0], "soak_s": 0.0},
    }
    given = edge.config(
        root, training=TRAINING, publish=publish, inference={"conf_check_num": 1}
    )
    config = place.folder / "edge.yaml"
    config.write_text(yaml.safe_dump(given))
    files = RegistryFiles(RunFiles(root, "edge"))

    edge.drop("cam1", range(BATCH))
    first = place.backhaul("hourly", config, "--plain")
    assert first.code == 0, first.err + first.out
    history = history_of(read_log(files))
    version = history.champion
    assert version is not None
    assert history.states[version] == "published"
    exported = exported_of(files, read_card(files, version))
    assert exported is not None
    keys = ("--keys", place.folder / "signing")
    shown = place.backhaul("models", "published", *keys, "--store", root)
    assert f"edge-v{version}" in shown.out
    assert exported.file.sha256[:12] in shown.out

    tell(place.folder, "cam1", exported.file.sha256)
    fleet = place.backhaul("fleet", "--store", root)
    assert f"edge@{version}" in fleet.out

    run = place.folder / "runs" / "edge"
    alone = place.backhaul("models", "rollback", run, *keys)
    assert alone.code == 2
    assert "nothing else was published for all of its nodes before" in alone.err
    again = place.backhaul("hourly", config, "--plain")
    assert again.code == 0, again.err + again.out
    assert history_of(read_log(files)) == history


def test_a_version_is_exported_when_a_person_publishes_it(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("by-hand")
    root = str(place.folder)
    edge = Edge.begin(place.folder / "scenes", root)
    make_keys(place.folder / "signing")
    given = edge.config(
        root, training=TRAINING, publish={"method": "iqr"}, inference={"conf_check_num": 1}
    )
    config = place.folder / "edge.yaml"
    config.write_text(yaml.safe_dump(given))
    first = place.backhaul("hourly", config, "--plain")
    assert first.code == 0, first.err + first.out
    files = RegistryFiles(RunFiles(root, "edge"))
    assert exported_of(files, read_card(files, 1)) is None
    words = ("models", "publish", place.folder / "runs" / "edge@champion")
    images = ("--probe", place.folder / "scenes" / "images")
    done = place.backhaul(*words, *images, "--keys", place.folder / "signing")
    assert done.code == 0, done.err + done.out
    assert "all: edge-v1 (" in done.out
    exported = exported_of(files, read_card(files, 1))
    assert exported is not None
    assert read_log(files)[-1].kind == "published"
    assert read_log(files)[-1].values["model"] == exported.file.sha256
    again = place.backhaul(*words, *images, "--keys", place.folder / "signing")
    assert again.code == 0, again.err
    assert exported_of(files, read_card(files, 1)) == exported


def tell(root: Path, node: str, model: str) -> None:
    place = root / "nodes" / node / "status.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"node": node, "group": "all", "model": model[:12]}))
