"""Methods that need validation images, and to know which frames look the same."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backhaul.campaign.rounds import read_rounds
from backhaul.storage.objects import read_value
from backhaul.values.splits import Splits

pytestmark = [pytest.mark.prefect]

DETECTOR = """
import cv2
import numpy as np

from fixed_detector import Templates


class Scored(Templates):
    def predict(self, weights, images, class_names, settings):
        for boxes in super().predict(weights, images, class_names, settings):
            one_hot = np.eye(len(class_names))[boxes[:, 5].astype(int)]
            yield np.hstack([boxes, one_hot * boxes[:, 4:5]])

    def features(self, weights, images, class_names, settings):
        for path in images:
            grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            yield cv2.resize(grey, (6, 6), interpolation=cv2.INTER_AREA).ravel() / 255
"""
METHOD = """
import json
from pathlib import Path


def noting(pool, bandwidth, rng, log):
    known = pool.validation
    line = {
        "detected": known.detected.tolist(),
        "actual": known.actual.tolist(),
        "hits": int(known.is_hit.sum()),
        "near": [pool.nearness.distance, pool.nearness.feature_weight],
    }
    with Path(log).open("a") as file:
        file.write(json.dumps(line) + "\\n")
    return list(pool.image_id)


noting.needs = frozenset({"validation", "nearness", "features"})
"""


@pytest.fixture(scope="module")
def played(new_place: Callable[[str], Any]) -> Any:
    place = new_place("validation")
    (place.folder / "my_scored.py").write_text(DETECTOR)
    (place.folder / "my_noting.py").write_text(METHOD)
    log = place.folder / "log.jsonl"
    noting = {"use": "my_noting:noting", "params": {"log": str(log)}}
    place.config(
        "validation",
        methods=[
            {"kind": "user", "code": noting},
            "ppal",
            {"kind": "utility", "utility": "calibrated-confidence", "calibration": "isotonic"},
            {"kind": "diverse", "near": "auto"},
        ],
        training__detector="my_scored:Scored",
        control=False,
        parallel=1,
        batches__count=1,
    )
    ended = place.backhaul("run", "validation.yaml")
    assert ended.code == 0, ended.err
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return {r.prefix: r for r in read_rounds(place.run("validation").files)}, lines


def test_a_method_sees_what_became_of_validation_images(played: Any) -> None:
    records, (line,) = played
    splits = read_value(Splits, records["init"].standing.seen)
    labelled = np.concatenate([labels.class_id for labels in splits.valid.table["labels"]])
    actual = np.array(line["actual"])
    assert sorted(actual[actual >= 0]) == sorted(labelled.tolist())
    assert 0 < line["hits"] <= len(labelled)
    distance, weight = line["near"]
    assert 0 < distance <= 0.25
    assert weight > 0


def test_it_is_computed_once_and_only_for_those_that_need_it(played: Any) -> None:
    records, _ = played
    stages = {
        prefix: {t.stage: t for t in record.timings if t.stage in ("validation", "nearness")}
        for prefix, record in records.items()
    }
    assert set(stages["noting0"]) == {"validation", "nearness"}
    assert set(stages["ppal0"]) == set(stages["calibrated-confidence0"]) == {"validation"}
    assert set(stages["diverse0"]) == {"nearness"}
    ran = [s["validation"] for s in stages.values() if "validation" in s]
    assert [t.cached for t in ran].count(False) == 1
    assert len({t.key for t in ran}) == 1
    assert stages["diverse0"]["nearness"].key != stages["noting0"]["nearness"].key


def test_all_send_what_fits(played: Any) -> None:
    records, _ = played
    for prefix in ("ppal0", "calibrated-confidence0", "diverse0"):
        assert records[prefix].sent.n_images == 5, prefix
