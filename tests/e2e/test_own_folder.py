"""A user's own folder, with odd names and slips in it, which nothing ever changes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pandas as pd
import pytest
import yaml

from backhaul.data.digits import NAMES, write_scenes
from backhaul.data.settings import DigitsData

pytestmark = [pytest.mark.prefect, pytest.mark.train]

N_SCENES = 30
SUFFIXES = {0: ".PNG", 1: ".JPEG", 2: ".jpg", 3: ".BMP"}


@dataclass(frozen=True)
class Folder:
    """A data set with a wrong line, and the campaign that uses it."""

    place: Any
    root: Path
    bad_label: Path
    good_text: str

    @property
    def bad_line(self) -> str:
        """Where the wrong line is, as messages say it."""
        return f"{self.bad_label}:{len(self.good_text.splitlines()) + 1}"


def write_odd_folder(root: Path, scenes: Path) -> Path:
    """Write the scenes under odd names, and return the label file with the wrong line."""
    inner = root / "images" / "Tag 1 früh" / "images"
    labels = inner.with_name("labels")
    inner.mkdir(parents=True)
    labels.mkdir()
    for i, image in enumerate(sorted((scenes / "images").iterdir())):
        suffix = SUFFIXES.get(i, ".png")
        _, encoded = cv2.imencode(suffix.lower(), cv2.imread(str(image)))
        (inner / f"Bild {i:02d}{suffix}").write_bytes(encoded.tobytes())
        text = (scenes / "labels" / f"{image.stem}.txt").read_text()
        if i != 4:  # nobody labelled it
            (labels / f"Bild {i:02d}.txt").write_text("" if i == 5 else text)
    (inner / "kaputt.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then the disk was full")
    (root / "data.yaml").write_text(yaml.safe_dump({"names": [*NAMES, "never seen"]}))
    wrong = labels / "Bild 06.txt"
    with wrong.open("a") as file:
        file.write("7 0.5 0.5 2 2\n")
    return wrong


@pytest.fixture(scope="module")
def folder(new_place: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Folder:
    scenes = tmp_path_factory.mktemp("scenes") / "scenes"
    write_scenes(scenes, DigitsData(images=N_SCENES, size_px=64))
    place = new_place("own folder")
    root = place.folder / "images" / "Überwachung (images)"
    wrong = write_odd_folder(root, scenes)
    place.config(
        "own",
        data={"kind": "folder", "root": str(root)},
        initial={"images": 10, "train": 0.5, "valid": 0.25},
        batches={"sampling_batch": 8, "count": 1},
        bandwidth={"images": 3},
        methods=["random"],
        control=False,
        augmentation={"images_per_class": 4, "major": True},
        training__max_epochs=1,
    )
    text = "".join(f"{line}\n" for line in wrong.read_text().splitlines()[:-1])
    return Folder(place, root, wrong, text)


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    """Content and time of change of everything below a folder."""
    return {
        path.relative_to(root).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder",
            path.stat().st_mtime_ns,
        )
        for path in [root, *root.rglob("*")]
    }


def test_check_reports_all_that_is_wrong_and_run_refuses(folder: Folder) -> None:
    folder.bad_label.write_text(f"{folder.good_text}7 0.5 0.5 2 2\n")
    before = snapshot(folder.root)

    checked = folder.place.backhaul("data", "check", folder.root)
    assert checked.code == 2
    assert "Traceback" not in checked.err
    assert "1 errors, 1 warnings" in checked.out
    assert f"{folder.bad_line}: error: class 7 is out of range 0..5" in checked.out
    assert "kaputt.jpg: warning: unreadable image, left out" in checked.out

    as_json = folder.place.backhaul("data", "check", folder.root, "--json")
    summary = json.loads(as_json.out)
    assert as_json.code == 2
    assert summary["n_images"] == N_SCENES
    assert summary["n_unlabelled"] == 1
    assert summary["n_empty"] >= 1
    assert summary["classes"][-1] == {"name": "never seen", "n_images": 0, "n_boxes": 0}

    reason = folder.place.backhaul("run", "own.yaml").one_error()
    assert reason.startswith(f"{folder.bad_line}: error: class 7 is out of range 0..5")
    assert "kaputt" not in reason
    assert snapshot(folder.root) == before


def test_once_mended_it_runs_and_the_folder_stays_as_it_is(folder: Folder) -> None:
    folder.bad_label.write_text(folder.good_text)
    before = snapshot(folder.root)
    checked = folder.place.backhaul("data", "check", folder.root)
    assert checked.code == 0
    assert "0 errors, 1 warnings" in checked.out

    ended = folder.place.backhaul("run", "own.yaml")
    assert ended.code == 0, ended.err
    assert "kaputt.jpg: warning: unreadable image, left out" in ended.err
    assert "1 images without labels are left out" in ended.err
    assert snapshot(folder.root) == before
    mine = {path.name for path in folder.place.folder.iterdir()}
    assert mine == {"images", "own.yaml", "runs", ".backhaul"}

    run = folder.place.run("own")
    lists = (run.folder / "output").glob("*.txt")
    images = {line for path in lists for line in path.read_text().splitlines()}
    assert len(images) == 10 + 8 + 8 + 3  # initial, held out, the batch, what is left over
    assert all(Path(image).is_file() for image in images)
    assert run.json["data"]["images"] == N_SCENES


def test_a_class_that_is_never_seen_has_no_metrics(folder: Folder) -> None:
    classes = pd.read_csv(folder.place.run("own").folder / "classes.csv")
    never = classes[classes["class"] == "never seen"]
    assert set(never["method"]) == {"init", "random"}
    assert never["n_truths"].eq(0).all()
    assert never["mAP50"].isna().all()
    assert never["recall"].isna().all()
