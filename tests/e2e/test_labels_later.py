"""Ground truth that a function gives, and that is not there yet when it is first asked for."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData

pytestmark = [pytest.mark.prefect, pytest.mark.train]

N_LABELLED = 24
LABELLER = """
from pathlib import Path


def look_up(path, folder):
    labels = Path(folder) / f"{path.stem}.txt"
    return labels.read_text().splitlines() if labels.exists() else None
"""


def test_a_method_waits_for_labels_and_goes_on_when_they_are_there(
    new_place: Callable[[str], Any],
    in_process: Callable[[Path], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = new_place("later")
    write_scenes(place.folder / "digits", DigitsData(images=44, size_px=64))
    later, there = place.folder / "later", place.folder / "there"
    later.mkdir()
    for label in sorted((place.folder / "digits" / "labels").iterdir())[N_LABELLED:]:
        label.rename(later / label.name)
    (place.folder / "later_labels.py").write_text(LABELLER, encoding="utf-8")
    monkeypatch.syspath_prepend(place.folder)
    monkeypatch.delitem(sys.modules, "later_labels", raising=False)
    config = place.config(
        "later",
        data={"kind": "folder", "root": str(place.folder / "digits"), "format": "yolo"},
        initial={"images": N_LABELLED},
        batches={"sampling_batch": 20, "holdout_batches": 0},
        methods=["true-random"],
        labelling={"source": {"use": "later_labels:look_up", "params": {"folder": str(there)}}},
    )
    state = in_process(config)
    run = place.run("later")
    assert (state.is_completed(), state.name) == (True, "AwaitingLabels"), state.message
    assert run.json["state"] == "awaiting-labels"
    assert run.json["methods"]["true-random"]["state"] == "waiting"
    assert "images have no labels yet" in run.json["methods"]["true-random"]["error"]
    assert run.json["methods"]["no-new-data"]["state"] == "completed"
    assert (run.folder / "report.html").exists()

    later.rename(there)
    state = in_process(config)
    assert (state.is_completed(), state.name) == (True, "Completed"), state.message
    assert run.computed("no-new-data") == set()
    sent = run.round("true-random0")["sent"]
    assert sent["n_images"] > 0
    source = run.folder / "output" / "true-random0_train.txt"
    assert source.read_text(encoding="utf-8").strip()
