"""What is wrong with predictions is said in one line; nothing is guessed."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

import backhaul
from backhaul.errors import InputError
from backhaul.storage.parquet import to_parquet
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections
from backhaul.values.features import Features
from tests.predicted import Predicted, write_coco, write_sidecars, write_texts

Make: TypeAlias = Callable[[Path], Any]

BOX = {"image_id": "003", "category_id": 1, "bbox": [1, 2, 30, 20], "score": 0.5}
SEEN = {"003": [Predicted(1, 0.5, (1, 2, 31, 22))]}
SIDECAR = {"class_id": 1, "confidence": 0.5, "xyxy": [1, 2, 31, 22]}


def results(*entries: Any, **changes: Any) -> Make:
    return lambda folder: _written(folder / "r.json", json.dumps([*entries, BOX | changes]))


def texts(content: str, name: str = "003.txt") -> Make:
    return lambda folder: _written(folder / "texts" / name, content).parent


def sidecars(**changes: Any) -> Make:
    content = json.dumps([SIDECAR | changes])
    return lambda folder: _written(folder / "js" / "003.detections.json", content).parent


def parquet(**changes: Any) -> Make:
    row = {"image_id": "003", "epoch": 1, "class_id": 1, "confidence": 0.5}
    row |= {"x1": 1.0, "y1": 2.0, "x2": 31.0, "y2": 22.0}

    def write(folder: Path) -> Path:
        pd.DataFrame([{k: v for k, v in (row | changes).items() if v is not None}]).to_parquet(
            folder / "p.parquet"
        )
        return folder / "p.parquet"

    return write


def _written(path: Path, content: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return path


def _of_two_kinds(folder: Path) -> Path:
    write_texts(folder / "both", SEEN)
    return write_sidecars(folder / "both", SEEN)


def _names_and_numbers(folder: Path) -> Path:
    write_sidecars(folder / "js", SEEN)
    content = json.dumps([{"class": "car", "confidence": 0.5, "xyxy": [1, 2, 3, 4]}])
    return _written(folder / "js" / "004.detections.json", content).parent


def _of_one_image_twice(folder: Path) -> Path:
    write_texts(folder / "texts", SEEN)
    return write_texts(folder / "texts" / "again", SEEN).parent


def _twice(folder: Path) -> list[Path]:
    other = write_coco(folder / "first.json", SEEN)
    return [other, *[write_coco(folder / "r.json", SEEN)] * 2]


def table(features: float = 0.0, score: float = 0.5) -> Make:
    found = Detections(
        image_id=names_of(["003.png"]),
        epoch=np.ones(1, dtype=np.int64),
        class_id=np.zeros(1, dtype=np.int64),
        confidence=np.array([0.5]),
        xyxy=np.array([[1.0, 2.0, 31.0, 22.0]]),
        scores=np.array([[score]]),
        features=Features(names_of(["003.png"]), np.array([[features]], np.float32)),
    )

    def write(folder: Path) -> Path:
        (folder / "p.parquet").write_bytes(to_parquet(found))
        return folder / "p.parquet"

    return write


def _fused_among_others(folder: Path) -> list[Path]:
    other = write_coco(folder / "r.json", SEEN)
    return [sidecars(votes=3)(folder), other]


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


WRONG: dict[str, tuple[Make, str]] = {
    "no file": (lambda folder: folder / "gone.json", r"gone\.json: No such file"),
    "no inputs": (lambda folder: [], "expected predictions: a file or folder"),
    "nothing in a folder": (_empty, r"empty: no predictions found; expected .*COCO results"),
    "two kinds": (_of_two_kinds, "has predictions of two kinds"),
    "one input twice": (_twice, r"r\.json: expected different inputs, got one twice"),
    "no JSON": (lambda folder: _written(folder / "a.json", "[{"), r"a\.json: not JSON: "),
    "a data set": (
        lambda folder: _written(folder / "a.json", '{"images": []}'),
        r"a\.json: is a COCO data set, expected COCO results",
    ),
    "numbers": (lambda folder: _written(folder / "a.json", "[1]"), r"a\.json: is another list"),
    "no score": (
        lambda folder: _written(folder / "r.json", json.dumps([{**BOX, "score": None}])),
        r"r\.json: prediction 0: expected image_id, category_id, bbox",
    ),
    "score that is none": (results(BOX, score=math.nan), "prediction 1: confidence nan, exp"),
    "score above 1": (results(score=1.5), "prediction 0: confidence 1.5, expected 0 to 1"),
    "three sides": (results(bbox=[1, 2, 3]), "prediction 0: expected image_id"),
    "sides as text": (results(bbox="1234"), "prediction 0: expected image_id"),
    "negative side": (results(bbox=[1, 2, -3, 4]), "prediction 0: expected a box of finite"),
    "infinite side": (results(bbox=[1, 2, math.inf, 4]), "prediction 0: expected a box of f"),
    "negative class": (results(category_id=-1), "prediction 0: class -1, expected 0 to"),
    "class by name": (results(category_id="car"), "prediction 0: expected image_id"),
    "id of no image": (results(image_id=4711), r"is in .*: 1 image \('4711'\); .*\(--coco\)"),
    "no confidence": (texts("1 .5 .5 .2 .2\n"), r"003\.txt:1: has no confidence"),
    "an outline": (texts("1 .5 .5 .2 .2 .1 .3 .4 .9\n"), r"003\.txt:1: expected 6 numbers"),
    "a word": (texts("1 .5 .5 .2 .2 .9\ncar .5 .5 .2 .2 .9\n"), r"003\.txt:2: expected 6"),
    "half a class": (texts("1.5 .5 .5 .2 .2 .9\n"), r"003\.txt:1: expected 6 numbers"),
    "confidence NaN": (texts("1 .5 .5 .2 .2 nan\n"), r"003\.txt:1: confidence nan"),
    "place NaN": (texts("1 nan .5 .2 .2 .5\n"), r"003\.txt:1: expected a box of finite"),
    "no image of a text": (
        texts("1 .5 .5 .2 .2 .9\n", "z.txt"),
        r"none of its images is in .*: 1 image \('z'\)",
    ),
    "an image twice": (_of_one_image_twice, r"'003' and 'again/003' would both be"),
    "JSON out of range": (sidecars(confidence=2), r"003\.detections\.json: detection 0"),
    "JSON with a number as scores": (sidecars(scores=5), r"003\.detections\.json: detection 0"),
    "JSON with a list as scores": (
        sidecars(**{"class_id": None, "class": "car", "scores": [0, 1]}),
        r"003\.detections\.json: detection 0",
    ),
    "JSON of no class": (sidecars(class_id=-1), r"003\.detections\.json: class -1, expected 0"),
    "JSON far outside": (sidecars(xyxy=[1, 2, 300, 4]), r"detections\.json: .*out of range"),
    "names and numbers": (_names_and_numbers, "expected the class list as --names"),
    "fused and single": (_fused_among_others, "js: is of an ensemble, fused already"),
    "no such columns": (parquet(confidence=None), r"p\.parquet: .*expected a Parquet table"),
    "table with NaN": (parquet(confidence=math.nan), r"p\.parquet: confidence must be in"),
    "table with a box of NaN": (parquet(x1=math.nan), r"p\.parquet: a box has numbers"),
    "table with a feature of NaN": (table(features=math.nan), r"p\.parquet: a feature of an"),
    "table with a score of 2": (table(score=2.0), r"p\.parquet: a score of a class is not"),
    "table of others": (parquet(image_id="zzz"), r"is in .*: 1 image \('zzz'\)"),
    "no table": (
        lambda folder: _written(folder / "p.parquet", "PAR1 of no kind"),
        r"p\.parquet: .*expected a Parquet table",
    ),
}


@pytest.mark.parametrize(("make", "reason"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(
    frames: Path, tmp_path: Path, make: Make, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as raised:
        backhaul.select(make(tmp_path), frames, count=1)
    assert str(raised.value).isprintable()


def test_a_number_that_two_images_have_is_not_guessed(tmp_path: Path, frames: Path) -> None:
    both = shutil.copytree(frames, tmp_path / "both")
    shutil.copy(frames / "000.png", both / "3.png")
    shutil.move(both / "000.png", both / "other.png")
    given = results(image_id=3)(tmp_path)
    with pytest.raises(InputError, match=r"which image is '3': .*003\.png and .*/3\.png\?"):
        backhaul.select(given, both, count=1)


def test_names_in_two_folders_are_not_guessed(tmp_path: Path, frames: Path) -> None:
    for node in ("a", "b"):
        (tmp_path / "cams" / node).mkdir(parents=True)
    shutil.copy(frames / "003.png", tmp_path / "cams" / "a")
    shutil.copy(frames / "004.png", tmp_path / "cams" / "b" / "003.png")
    given = write_texts(tmp_path / "labels", SEEN)
    with pytest.raises(InputError, match="which image is '003'"):
        backhaul.select(given, tmp_path / "cams", count=1)
    of_b = write_texts(tmp_path / "labels" / "b", SEEN)
    (given / "003.txt").unlink()
    chosen = backhaul.select(of_b.parent, tmp_path / "cams", method="confidence", count=1)
    assert chosen.files == (tmp_path / "cams" / "b" / "003.png",)


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (
            [{"id": 3, "file_name": "003.png"}, {"id": 3, "file_name": "004.png"}],
            "two images h",
        ),
        (
            [{"id": 3, "file_name": "003.png", "width": 640, "height": 64}],
            r"listed as \(640, 64",
        ),
        ({}, "expected a COCO file with a list of images"),
    ],
)
def test_a_coco_file_that_is_wrong(
    frames: Path, tmp_path: Path, listed: Any, reason: str
) -> None:
    coco = _written(tmp_path / "images.json", json.dumps({"images": listed}))
    given = backhaul.Predictions([results(image_id=3)(tmp_path)], coco=coco)
    with pytest.raises(InputError, match=rf"images\.json: .*{reason}"):
        backhaul.select(given, frames, count=1)


METHODS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"method": "iqrr", "count": 1}, r"method: 'iqrr' is none of random, .*diverse"),
    (
        {"method": {"utility": "bald"}, "count": 1},
        "method: expected a name, or settings with k",
    ),
    ({"method": 5, "count": 1}, "method: expected a name or settings, got int"),
    (
        {"method": {"kind": "k-center", "suppress": True, "near": "auto"}, "count": 1},
        "needs near",
    ),
    ({"method": {"kind": "in-range"}, "count": 1}, "method in-range: low: is missing"),
    ({"method": {"kind": "iqr", "x": 1}, "count": 1}, "method iqr: x: is no setting of it"),
    ({"method": {"kind": "iqr", "gamma": 2}, "count": 1}, "method iqr: gamma: Input should be"),
    ({"method": "iqr"}, "expected the bandwidth: bytes, count, or both"),
    ({"method": "iqr", "bytes": -1}, "bytes: expected a number >= 0, got -1"),
    ({"method": "iqr", "count": 1, "seed": -1}, "seed: expected a number >= 0, got -1"),
    ({"method": "entropy", "count": 1}, r"entropy: needs scores \(.*are enough for random, "),
    (
        {"method": "vote-entropy", "count": 1},
        r"needs disagreement \(the predictions of several",
    ),
    (
        {"method": {"kind": "k-center", "space": "features"}, "count": 1},
        r"k-center: needs features \(",
    ),
)


@pytest.mark.parametrize(("asked", "reason"), METHODS)
def test_a_method_that_cannot_be_asked(
    frames: Path, tmp_path: Path, asked: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        backhaul.select(write_coco(tmp_path / "r.json", SEEN), frames, **asked)
