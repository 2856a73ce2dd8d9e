"""`backhaul export-model`: a model of a run leaves as a file, once it was evaluated again."""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from backhaul.look.onnx import OnnxModel
from backhaul.storage.checksums import CHECKSUM
from tests.e2e.conftest import Ended, Place

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def exported(place: Place, to: str, *more: str) -> Ended:
    return place.backhaul("export-model", "tiny", "--to", to, *more)


def results(place: Place, stage: str) -> list[Path]:
    return sorted((place.folder / ".backhaul" / "results").glob(f"{stage}-v*"))


def test_a_model_leaves_with_its_report(played: Any) -> None:
    ended = exported(played.place, "out/model", "--method", "random", "--round", "0")
    assert ended.code == 0, ended.err
    folder = played.place.folder / "out" / "model"
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "report.json"}
    report = json.loads((folder / "report.json").read_text())
    data = (folder / "model.onnx").read_bytes()
    file = {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
    assert report["files"] == {"model.onnx": file}
    assert report["origin"] == {"run": "tiny", "method": "random", "batch": 0}
    assert (report["model"]["precision"], report["model"]["epochs"]) == ("fp32", [1, 4])
    assert report["map50_drop"] == pytest.approx(0, abs=0.01)
    lists = ("init_valid.txt", "random0_valid.txt")
    assert report["validation_images"] == sum(len(played.run.listed(name)) for name in lists)
    assert 0 < report["latency"]["p50_ms"] <= report["latency"]["p95_ms"]
    assert {"backhaul", "onnxruntime", "torch", "ultralytics"} <= report["versions"].keys()
    info = OnnxModel(folder / "model.onnx").info
    assert info.model_dump(mode="json") == report["model"]
    assert list(info.class_names) == played.run.json["class_names"]
    assert f"{ended.out.strip().splitlines()[-1]}".endswith("out/model/model.onnx")
    again = exported(played.place, "again", "--method", "random", "--round", "0")
    assert again.code == 0, again.err
    assert (played.place.folder / "again" / "model.onnx").read_bytes() == data


def test_a_model_that_lost_too_much_stays(played: Any) -> None:
    arguments = ("--method", "init", "--checkpoints", "1")
    known = results(played.place, "reevaluation")
    first = exported(played.place, "kept", *arguments)
    assert first.code == 0, first.err
    (new,) = set(results(played.place, "reevaluation")) - set(known)
    record = json.loads(new.read_text())
    record["data"]["checkpoints"][0] |= {"map50_before": 0.5, "map50_after": 0.47}
    new.write_text(json.dumps({k: v for k, v in record.items() if k != CHECKSUM}))
    refused = exported(played.place, "lost", *arguments)
    assert refused.code == 1
    assert re.search(
        r"refused: mAP50 of epoch 3 falls from 0\.500 to 0\.470 .* more than 0\.02", refused.err
    )
    assert not (played.place.folder / "lost").exists()
    allowed = exported(played.place, "lost", *arguments, "--max-drop", "0.03")
    assert allowed.code == 0, allowed.err
    assert (played.place.folder / "lost" / "report.json").exists()


@pytest.mark.slow
def test_int8_says_what_it_was_calibrated_on(played: Any) -> None:
    ended = exported(played.place, "int8", "--method", "init", "--int8")
    assert ended.code == 0, ended.err
    folder = played.place.folder / "int8"
    report = json.loads((folder / "report.json").read_text())
    assert report["files"].keys() == {"model.onnx", "calibration.txt"}
    calibrated = {
        Path(line).name for line in (folder / "calibration.txt").read_text().splitlines()
    }
    assert calibrated
    assert calibrated <= set(played.run.listed("init_train.txt"))
    assert not calibrated & set(played.run.listed("init_valid.txt"))
    assert OnnxModel(folder / "model.onnx").info.precision == "int8"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("tiny", "--to", "new"),
            "which method? Expected --method, one of no-new-data, random",
        ),
        (
            ("tiny", "--to", "new", "--method", "iqr"),
            "--method iqr: expected one of init, no-new",
        ),
        (
            ("tiny", "--to", "new", "--method", "random", "--round", "9"),
            "--round 9: random has 0, 1",
        ),
        (("no-such-run", "--to", "new"), "no-such-run: no run there"),
        (("tiny", "--to", "tiny.yaml"), "tiny.yaml: is not empty; expected a new or empty"),
    ],
)
def test_what_is_wrong_is_a_line(arguments: tuple[str, ...], told: str, played: Any) -> None:
    assert told in played.place.backhaul("export-model", *arguments).one_error()
    assert not (played.place.folder / "new").exists()
