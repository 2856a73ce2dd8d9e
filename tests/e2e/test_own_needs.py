"""A method that needs scores and features, with a detector of one's own that gives both."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backhaul.campaign.rounds import read_rounds
from backhaul.storage.objects import read_value
from backhaul.values.images import ImageSet

pytestmark = [pytest.mark.prefect]

DETECTOR = """
import cv2
import numpy as np

from backhaul.learn.protocol import TrainedEpoch


class Grey:
    def train(self, task):
        for epoch in range(task.first_epoch, task.first_epoch + task.epochs):
            weights = task.folder / "weights.pt"
            weights.write_text(str(epoch))
            yield TrainedEpoch(1.0, 1.0, weights)

    def predict(self, weights, images, class_names, settings):
        for path in images:
            level = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).mean() / 255
            scores = np.linspace(0.1, 0.1 + 0.8 * level, len(class_names))
            box = [4, 4, 40, 40, scores[-1], len(class_names) - 1]
            yield np.array([[*box, *scores] if "scores" in settings.needs else box])

    def features(self, weights, images, class_names, settings):
        for path in images:
            grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            yield [grey.mean(), grey.std(), float(weights.read_text())]
"""
METHOD = """
import json
from pathlib import Path

import numpy as np


def unlike(pool, bandwidth, rng, log):
    features = pool.features
    before = pool.sent_before
    known = [] if before.features is None else before.features.of(before.image_id).tolist()
    alike = [] if before.descriptors is None else before.descriptors.of(before.image_id)
    line = {
        "features": features.tolist(),
        "scores": pool.detections.scores.tolist(),
        "confidence": pool.detections.confidence.tolist(),
        "sent": list(before.image_id),
        "known": known,
        "descriptors": dict(zip(pool.image_id, pool.descriptors.tolist())),
        "known_descriptors": np.asarray(alike).tolist(),
    }
    with Path(log).open("a") as file:
        file.write(json.dumps(line) + "\\n")
    order = np.argsort(features[:, 0], kind="stable")
    return [pool.image_id[i] for i in order]


unlike.needs = frozenset({"scores", "features", "descriptors"})
"""


@pytest.fixture(scope="module")
def chosen(new_place: Callable[[str], Any]) -> Any:
    place = new_place("needs")
    (place.folder / "my_grey.py").write_text(DETECTOR)
    (place.folder / "my_unlike.py").write_text(METHOD)
    log = place.folder / "log.jsonl"
    unlike = {"use": "my_unlike:unlike", "params": {"log": str(log)}}
    place.config(
        "needs",
        methods=[{"kind": "user", "code": unlike}, "true-random"],
        training__detector="my_grey:Grey",
        control=False,
        batches__count=2,
    )
    ended = place.backhaul("run", "needs.yaml")
    assert ended.code == 0, ended.err
    return place, log


def test_the_method_gets_scores_features_and_what_it_sent_before(chosen: Any) -> None:
    place, log = chosen
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    run = place.run("needs")
    for seen in (first, second):
        assert np.shape(seen["features"])[1] == 3
        assert len(seen["scores"]) == len(seen["confidence"])
        np.testing.assert_allclose(np.array(seen["scores"])[:, -1], seen["confidence"])
    assert (first["sent"], first["known"]) == ([], [])
    records = {r.prefix: r for r in read_rounds(run.files)}
    sent = records["unlike0"].sent
    assert sent is not None
    assert second["sent"] == list(read_value(ImageSet, sent.chosen).ids)
    assert np.shape(second["known"]) == (len(second["sent"]), 3)
    last = records["unlike0"].standing.current.epoch
    assert {row[2] for row in second["known"]} == {last}  # by the model that looks now


def test_descriptors_of_what_was_sent_before_are_those_of_then(chosen: Any) -> None:
    _, log = chosen
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert first["known_descriptors"] == []
    assert second["sent"]
    expected = [first["descriptors"][name] for name in second["sent"]]
    assert second["known_descriptors"] == expected
    assert len({tuple(vector) for vector in expected}) == len(expected)


def test_others_look_without(chosen: Any) -> None:
    place, _ = chosen
    records = {r.prefix: r for r in read_rounds(place.run("needs").files)}
    stages = {p: [t for t in r.timings if t.stage == "inference"] for p, r in records.items()}
    assert stages["true-random0"][0].cached  # looked at once for all methods without needs
    assert stages["true-random0"][0].key == stages["init"][0].key
    assert stages["unlike0"][0].key != stages["init"][0].key
    assert len(stages["unlike1"]) == 2  # the batch, and what was sent before
