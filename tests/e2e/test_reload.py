"""A campaign that starts from a trained checkpoint, in place of its initial training."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.prefect, pytest.mark.train]


@pytest.fixture(scope="module")
def reloaded(played: Any) -> Any:
    place = played.place
    checkpoint = played.run.folder / "checkpoints" / "init_ckpt_3.pt"
    ended = place.backhaul("run", place.config("reloaded"), "--reload", checkpoint)
    assert ended.code == 0, ended.err
    return place.run("reloaded")


@pytest.mark.slow
def test_it_goes_on_as_if_it_had_trained_the_checkpoint_itself(
    reloaded: Any, played: Any
) -> None:
    columns = [c for c in played.run.summary.columns if c != "epochs_trained"]
    assert reloaded.summary[columns].equals(played.run.summary[columns])


def test_there_is_no_initial_training(reloaded: Any, played: Any) -> None:
    trained = {training["method"] for training in reloaded.json["trainings"]}
    assert trained == {"random", "true-random", "no-new-data"}
    assert (reloaded.folder / "checkpoints" / "init_ckpt_3.pt").samefile(
        played.run.folder / "checkpoints" / "init_ckpt_3.pt"
    )


@pytest.fixture
def renamed(played: Any) -> Path:
    """The config of a campaign; it starts from `my.pt`, whose name says no epoch."""
    place = played.place
    shutil.copy(played.run.folder / "checkpoints" / "init_ckpt_3.pt", place.folder / "my.pt")
    changes = {"methods": ["random"], "control": False, "batches__count": 1}
    config: Path = place.config("renamed", **changes)
    return config


def test_another_name_needs_the_epoch(played: Any, renamed: Path) -> None:
    ended = played.place.backhaul("run", renamed, "--reload", "my.pt")
    assert "set start.epoch, or --epoch" in ended.one_error()


@pytest.mark.slow
def test_it_goes_on_from_the_epoch_that_is_given(played: Any, renamed: Path) -> None:
    place = played.place
    ended = place.backhaul("run", renamed, "--reload", "my.pt", "--epoch", "40")
    assert ended.code == 0, ended.err
    run = place.run("renamed")
    assert [t["first_epoch"] for t in run.json["trainings"]] == [41]
    assert (run.folder / "output" / "random0_sample_40.txt").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training__model": "yolov3-tiny"}, "is not a yolov3-tiny (training.model)"),
        ({"data": {"kind": "folder", "root": "letters"}}, "trained on classes"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(
    played: Any, changes: dict[str, Any], reason: str
) -> None:
    place = played.place
    letters = place.folder / "letters"
    if not letters.exists():
        scenes = next((place.folder / ".backhaul" / "data").glob("digits-*"))
        shutil.copytree(scenes, letters)
        data = yaml.safe_load((letters / "data.yaml").read_text())
        data["names"] = dict(enumerate("abcde"))
        (letters / "data.yaml").write_text(yaml.safe_dump(data))
    config = place.config(f"other-{len(reason)}", **changes)
    checkpoint = played.run.folder / "checkpoints" / "init_ckpt_3.pt"
    assert reason in place.backhaul("run", config, "--reload", checkpoint).one_error()


def test_a_file_that_is_no_checkpoint_is_refused(played: Any) -> None:
    place = played.place
    (place.folder / "broken_ckpt_3.pt").write_bytes(b"no checkpoint")
    config = place.config("broken")
    ended = place.backhaul("run", config, "--reload", "broken_ckpt_3.pt")
    assert "not a checkpoint" in ended.one_error()
    ended = place.backhaul("run", config, "--reload", "nowhere/init_ckpt_3.pt")
    assert "no such folder" in ended.one_error()
