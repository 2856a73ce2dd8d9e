"""A store in which somebody put code wherever it might be run: no command runs it."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.e2e.conftest import Place, Played

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
            record.write_text(text)
    return len(changes) // 2


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
    path.write_text(json.dumps(config))


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


@pytest.mark.parametrize("forge", [forge_checkpoints, forge_config])
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
    if forge is forge_checkpoints:
        assert "it needs code that is not Ultralytics' (" in said
