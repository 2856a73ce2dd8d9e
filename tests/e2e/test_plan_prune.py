"""What is planned, and pruned, of a campaign that was fixed."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.prefect, pytest.mark.train]


@pytest.fixture
def place(fixed: Any, tmp_path: Path) -> Iterator[Any]:
    """A copy of the shared run in its very place, as objects have addresses; it is put back.

    The runs of other tests are left out: they may need what this one does not.
    """
    folder, saved = fixed.place.folder, tmp_path / "saved"
    folder.rename(saved)
    shutil.copytree(saved, folder)
    for run in [*(folder / "runs").iterdir(), *(folder / ".backhaul" / "runs").iterdir()]:
        if run.name != fixed.run.folder.name:
            shutil.rmtree(run)
    yield fixed.place
    shutil.rmtree(folder)
    saved.rename(folder)


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def pruned(place: Any, *options: str) -> Any:
    ended = place.backhaul("store", "prune", "--min-age", "0", "--json", *options)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)["may_go"]


def lean(place: Any) -> Path:
    path: Path = place.config("tiny")
    path.write_text(path.read_text() + yaml.safe_dump({"keep_checkpoints": "ensemble"}))
    return path


def test_a_plan_of_a_campaign_that_is_over(fixed: Any, place: Any) -> None:
    before = files(place.folder)
    ended = place.without_server().backhaul("plan", "tiny.yaml", "--json")
    assert ended.code == 0, ended.err
    (told,) = json.loads(ended.out)["plans"]
    assert (told["rounds"], told["rounds_cached"]) == (7, 7)
    assert (told["trainings"], told["trainings_cached"], told["epochs"]) == (0, 7, 0)
    assert told["ends_at"] == []
    assert (
        told["images_sent"]
        == fixed.run.summary.drop_duplicates(["method", "batch"])["images_sent"].sum()
    )
    shown = place.backhaul("plan", "tiny.yaml", "--set", "training.lr0=0.003")
    assert "7 to run, with at most 9 epochs; 0 cached" in shown.out
    assert "unknown from training on" in shown.out
    assert files(place.folder) == before


def test_nothing_is_computed_again_after_pruning(
    place: Any, in_process: Callable[[Path], Any]
) -> None:
    """First all that no run needs goes, then also checkpoints with which no ensemble looked."""
    internal, run = place.folder / ".backhaul", place.run("tiny")
    left = internal / "objects" / "00" / f"{64 * '0'}.png"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"left over")
    assert left.as_posix() in pruned(place, "--dry-run")["images"]["files"]
    assert left.exists()
    pruned(place, "--yes")
    assert not left.exists()
    assert in_process(lean(place)).is_completed()
    assert run.computed() == set()

    checkpoints = internal / "objects"
    before = {path.name for path in checkpoints.rglob("*.pt")}
    gone = pruned(place, "--yes")
    second = run.checkpoint_digests("init")[1]
    assert f"{second}.pt" in before - {path.name for path in checkpoints.rglob("*.pt")}
    assert gone["checkpoints in folders of runs"]["count"] == 1
    assert not (run.folder / "checkpoints" / "init_ckpt_2.pt").exists()
    assert in_process(lean(place)).is_completed()
    assert run.computed() == set()
    assert gone["results"]["count"] == 0
