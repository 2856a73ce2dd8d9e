"""A store in which somebody put code wherever it might be run: no command runs it."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.e2e.conftest import Place, Played
from tests.e2e.edge import BATCH, Edge
from tests.e2e.test_hourly import Site

pytestmark = [pytest.mark.prefect, pytest.mark.train]

MODULE = "from pathlib import Path\nPath({mark!r}).mkdir(exist_ok=True)\n\n\ndef run(): ...\n"


class Payload:
    """Pickled, it is a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.makedirs, (str(self.mark), 0o777, True)


def store_of(place: Place) -> Path:
    return place.folder / ".backhaul"


def forge_checkpoints(place: Place, mark: Path) -> int:
    """Put a payload into each checkpoint, and its new digest wherever the old one is."""
    changes: dict[str, str] = {}
    for path in sorted(store_of(place).glob("objects/*/*.pt")):
        content = torch.load(path, map_location="cpu", weights_only=False)
        torch.save({**content, "train_args": Payload(mark)}, path)
        old, new = path.stem, hashlib.sha256(path.read_bytes()).hexdigest()
        target = path.parents[1] / new[:2] / f"{new}.pt"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        changes |= {f"{old[:2]}/{old}": f"{new[:2]}/{new}", old: new}
    for record in store_of(place).rglob("*"):
        if (
            record.is_file()
            and record.parts[-2] != "objects"
            and record.suffix in ("", ".json")
        ):
            text = record.read_text()
            for old, new in changes.items():
                text = text.replace(old, new)
            record.write_text(without_checksum(text))
    return len(changes) // 2


def without_checksum(text: str) -> str:
    """Return a record as it was before there were checksums: whoever forges one can as well."""
    if not text.startswith("{"):
        return text
    return json.dumps({k: v for k, v in json.loads(text).items() if k != "checksum"})


def forge_states(place: Place, mark: Path) -> None:
    """Put a payload into the state from which a training would go on, as if it was killed."""
    timings = json.loads((store_of(place) / "runs/tiny/rounds/init.json").read_text())[
        "timings"
    ]
    for key in (timing["key"] for timing in timings if timing["stage"] == "training"):
        result = store_of(place) / "results" / key
        result.unlink()
        folder = store_of(place) / "resume" / result.name
        folder.mkdir(parents=True)
        state = folder / "state-1.pt"
        torch.save({"model": Payload(mark), "optimizer": Payload(mark)}, state)
        digest = hashlib.sha256(state.read_bytes()).hexdigest()
        epoch = {"epoch": 1, "train_loss": 1.0, "valid_loss": 1.0, "mAP50": 0.1, "seconds": 1.0}
        record = {
            "history": [epoch],
            "state": {"uri": f"resume/{result.name}/{state.name}", "sha256": digest},
        }
        (folder / "state.json").write_text(json.dumps(record))


def forge_config(place: Place, mark: Path) -> None:
    """Let the stored config name code that lies beside the user's config."""
    module = place.folder / "payload.py"
    module.write_text(MODULE.format(mark=str(mark)))
    code = {"use": "payload:run", "digest": hashlib.sha256(module.read_bytes()).hexdigest()}
    path = store_of(place) / "runs" / "tiny" / "config.json"
    config = json.loads(path.read_text())
    config["training"] |= {"detector": code, "trust": True}
    config["augmentation"]["pipeline"] = code
    config["labelling"]["source"] = code
    config["methods"] = [{"kind": "user", "use": code}]
    path.write_text(without_checksum(json.dumps(config)))


def forge_detectors(place: Place, mark: Path) -> None:
    """Say of each checkpoint, wherever it is named, that other code trained it."""
    module = place.folder / "payload.py"
    module.write_text(MODULE.format(mark=str(mark)))
    for record in (
        *store_of(place).glob("results/*"),
        *store_of(place).glob("runs/*/**/*.json"),
    ):
        text = record.read_text()
        text = re.sub(r'"detector": "[0-9a-f]*"', '"detector": "payload:run"', text)
        record.write_text(without_checksum(text))


@pytest.fixture
def copy(played: Played, tmp_path: Path) -> Place:
    """A copy of a finished campaign and its store, in another folder."""
    folder = tmp_path / "copy"
    shutil.copytree(played.place.folder, folder)
    return Place(folder, played.place.server, played.place.base)


COMMANDS = (
    ("plan", "tiny.yaml"),
    ("report", "tiny"),
    ("export", "tiny", "exported"),
    ("analyze", "compare", "tiny"),
    ("analyze", "series", "tiny", "--set", "init"),
    ("run", "tiny.yaml"),
    ("run", "again.yaml"),
)


@pytest.mark.parametrize(
    "forge",
    [
        forge_checkpoints,
        pytest.param(forge_config, marks=pytest.mark.slow),
        pytest.param(forge_detectors, marks=pytest.mark.slow),
        pytest.param(forge_states, marks=pytest.mark.slow),
    ],
)
def test_no_command_runs_what_lies_in_a_store(
    copy: Place, tmp_path: Path, forge: Callable[[Place, Path], object]
) -> None:
    mark = tmp_path / "it ran"
    forge(copy, mark)
    copy.config("again", inference__conf_thres=0.002, control=False, batches__count=1)
    said = ""
    for command in COMMANDS:
        ended = copy.backhaul(*command)
        said += ended.out + ended.err
        assert not mark.exists(), command
        assert ended.code in (0, 1, 2), command
        assert "Traceback" not in ended.err, command
    if forge is forge_states:
        log = (store_of(copy) / "runs" / "tiny" / "log.txt").read_text()
        assert "begins anew, as its last state is damaged" in log
        assert not list(store_of(copy).glob("resume/*"))
    if forge is forge_checkpoints:
        assert "it needs code that is not Ultralytics' (" in said


def forge_arrivals(place: Place, mark: Path) -> None:
    """Plan to move a private file, log one that lies elsewhere, and name code in the state."""
    root = place.folder
    (root / "private.jpg").write_bytes(b"private")
    pending = root / "ingested" / "pending"
    pending.mkdir(parents=True, exist_ok=True)
    number = len(list((root / "ingested" / "log").iterdir())) + 1
    file = {"uri": f"{root}/private.jpg", "size_bytes": 7, "stamp": "1"}
    arrival = {"image_id": "../../out", "suffix": ".jpg", "width": 1, "height": 1}
    arrival |= {"node": "..", "name": "private.jpg", "image": file, "beside": None}
    plan = {"number": number, "arrived": "2026-01-01T00:00:00Z", "arrivals": [arrival]}
    (pending / f"{number:08d}.json").write_text(json.dumps(plan))
    state = store_of(place) / "runs" / "edge" / "state.json"
    state.write_text(json.dumps({"schema": 1, "__class__": "payload.Run", "log": 0}))


@pytest.fixture(scope="module")
def edge(new_place: Callable[[str], Place]) -> Site:
    """A site whose first hour is over."""
    site = Site(new_place("edge"))
    site.edge.drop("cam1", range(BATCH))
    ended = site.hour()
    assert ended.code == 0, ended.err
    return site


def copied(site: Site, folder: Path) -> Place:
    """Copy a site; its config then names the new folder."""
    shutil.copytree(site.place.folder, folder)
    config = folder / site.config.name
    config.write_text(config.read_text().replace(str(site.place.folder), str(folder)))
    return Place(folder, site.place.server, site.place.base)


@pytest.mark.parametrize(
    "forge",
    [pytest.param(forge_config, marks=pytest.mark.slow), forge_detectors, forge_arrivals],
)
def test_no_hour_runs_what_lies_in_a_store(
    edge: Site, tmp_path: Path, forge: Callable[[Place, Path], object]
) -> None:
    place, mark = copied(edge, tmp_path / "copy"), tmp_path / "it ran"
    if forge is forge_config:
        stored = store_of(place) / "runs"
        shutil.copytree(stored / "edge", stored / "tiny")
        forge(place, mark)
        shutil.copy(stored / "tiny" / "config.json", stored / "edge" / "config.json")
    else:
        forge(place, mark)
    Edge(place.folder / "scenes", str(place.folder), edge.edge.fs).drop(
        "cam1", range(BATCH, 2 * BATCH)
    )
    for command in (("plan", "edge.yaml"), ("hourly", "edge.yaml"), ("report", "edge")):
        ended = place.backhaul(*command)
        assert not mark.exists(), command
        assert ended.code in (0, 1, 2), command
        assert "Traceback" not in ended.err, (command, ended.err)
    if forge is forge_arrivals:
        assert (place.folder / "private.jpg").read_bytes() == b"private"
        assert "nothing to play" in place.backhaul("hourly", "edge.yaml").out
