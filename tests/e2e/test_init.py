"""A campaign for a folder of images, proposed and played without a word of config."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from tests.e2e.conftest import Ended, Place

pytestmark = pytest.mark.train

N_IMAGES = 48
STUB = {
    "detector": "fixed_detector:Templates",
    "model": "templates",
    "max_epochs": 3,
    "retrain_max_epochs": 1,
}
"""What plays the campaign in place of Ultralytics; it is proposed by real training steps."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("proposed"))
    write_scenes(place.folder / "my scenes", DigitsData(images=N_IMAGES, size_px=64))
    return place


@pytest.fixture(scope="module")
def proposed(place: Place) -> Ended:
    before = contents(place.folder / "my scenes")
    ended = place.backhaul("init", "my scenes", "--seed", "5", "--minutes", "3")
    assert ended.code == 0, ended.err
    assert contents(place.folder / "my scenes") == before
    return ended


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_campaign_is_written_here_and_is_valid(place: Place, proposed: Ended) -> None:
    written = yaml.safe_load((place.folder / "my-scenes.yaml").read_text())
    assert written["name"] == "my-scenes"
    assert written["seed"] == 5
    assert written["data"]["root"] == f"{place.folder}/my scenes"
    assert written["data"]["format"] == "yolo"
    assert written["augmentation"]["flip"] == "none"  # of digits
    assert "next: backhaul validate my-scenes.yaml" in proposed.out
    assert "next: backhaul run my-scenes.yaml" in proposed.out
    assert "training.img_size" in proposed.out
    assert place.backhaul("validate", "my-scenes.yaml").code == 0


@pytest.mark.parametrize(
    ("folder", "arguments"),
    [
        ("my scenes", ("init", ".")),
        ("my scenes/images", ("run", "..")),
        (".", ("init", "my scenes", "--out", "my scenes/mine.yaml")),
        (".", ("init", "my scenes", "--out", "nosuch/mine.yaml")),
    ],
)
def test_nothing_is_written_into_the_data(
    place: Place, folder: str, arguments: tuple[str, ...]
) -> None:
    before = contents(place.folder / "my scenes")
    ended = replace(place, folder=place.folder / folder).backhaul(*arguments)
    assert ended.code == 2
    assert "nothing is written into" in ended.err or "there is no folder nosuch" in ended.err
    assert contents(place.folder / "my scenes") == before


def test_a_file_that_exists_is_not_overwritten(place: Place, proposed: Ended) -> None:
    before = (place.folder / "my-scenes.yaml").read_bytes()
    again = place.backhaul("init", "my scenes")
    assert "my-scenes.yaml: exists already" in again.one_error()
    assert (place.folder / "my-scenes.yaml").read_bytes() == before


@pytest.mark.slow
@pytest.mark.prefect
def test_run_of_the_folder_goes_on_with_the_file_that_exists(
    place: Place, proposed: Ended, new_place: Callable[[str], Place]
) -> None:
    place = replace(place, server=new_place("server").server)
    before = (place.folder / "my-scenes.yaml").read_bytes()
    settings = [part for k, v in STUB.items() for part in ("--set", f"training.{k}={v}")]
    ended = place.backhaul("run", "my scenes", "--plain", *settings)
    assert ended.code == 0, ended.err
    assert "my-scenes.yaml: exists, and is gone on with" in ended.err
    assert (place.folder / "runs" / "my-scenes" / "report.html").is_file()
    assert (place.folder / "my-scenes.yaml").read_bytes() == before


def test_run_of_a_folder_of_the_same_name_is_not_mixed_up(
    place: Place, proposed: Ended
) -> None:
    other = place.folder / "elsewhere" / "my scenes"
    shutil.copytree(place.folder / "my scenes", other)
    reason = place.backhaul("run", "elsewhere/my scenes").one_error()
    assert f"my-scenes.yaml: exists, and is not a campaign for {other}" in reason


def test_run_of_a_new_folder_writes_its_campaign_and_begins(place: Place) -> None:
    shutil.copytree(place.folder / "my scenes", place.folder / "new")
    ended = place.backhaul("run", "new", "--plain", "--set", "bandwidth=none")
    assert "bandwidth" in ended.one_error()  # it came as far as its own config
    assert (place.folder / "new.yaml").is_file()


@pytest.mark.parametrize(
    ("made", "given", "reason"),
    [
        ({}, "nosuch", "nosuch: no folder there"),
        ({"a.yaml": b"name: a"}, "here/a.yaml", "is a file, expected the folder of a data set"),
        ({"run.json": b"{}"}, "here", "is the folder of a run"),
        ({"notes.md": b""}, "here", "no labels found among 0 images"),
    ],
)
def test_what_is_no_data_set_ends_with_one_line(
    place: Place, tmp_path: Path, made: dict[str, bytes], given: str, reason: str
) -> None:
    (tmp_path / "here").mkdir()
    for name, content in made.items():
        (tmp_path / "here" / name).write_bytes(content)
    ended = place.backhaul("init", tmp_path / given, "--out", "never.yaml")
    assert reason in ended.one_error()
    assert not (place.folder / "never.yaml").exists()


def test_too_few_images_are_refused_with_the_number_needed(
    place: Place, tmp_path: Path
) -> None:
    write_scenes(tmp_path / "few", DigitsData(images=12, size_px=64))
    reason = place.backhaul("init", tmp_path / "few").one_error()
    assert "12 labelled images: expected at least 30" in reason


def test_wrong_labels_point_to_the_check(place: Place, tmp_path: Path) -> None:
    write_scenes(tmp_path / "wrong", DigitsData(images=30, size_px=64))
    label = min((tmp_path / "wrong" / "labels").iterdir())
    label.write_text("99 0.5 0.5 0.1 0.1\n")
    reason = place.backhaul("init", tmp_path / "wrong").one_error()
    assert f"{label.name}:1: error" in reason
    assert "backhaul data check" in reason


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("nosuch.pt", "--model nosuch.pt: no checkpoint there"),
        ("nosuchmodel", "nosuchmodel: expected a name that Ultralytics has layers for"),
    ],
)
def test_a_wrong_model_is_named(place: Place, model: str, reason: str) -> None:
    ended = place.backhaul("init", "my scenes", "--model", model, "--out", "never.yaml")
    assert reason in ended.one_error()
