"""`backhaul pretrain`: one file of several data sets, from which others start."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from backhaul.look.checkpoints import open_checkpoint
from tests.e2e.conftest import Place

CONFIG: dict[str, Any] = {
    "name": "others",
    "sets": {
        "plain": {"kind": "digits", "images": 20, "size_px": 64},
        "stream": {
            "kind": "stream",
            "of": {"kind": "digits", "size_px": 64},
            "frames": 8,
            "initial": 4,
            "test": 4,
        },
    },
    "training": {
        "model": "yolo11n",
        "steps": 2,
        "img_size": 32,
        "batch_size": 16,
        "threads": 1,
        "device": "cpu",
    },
}


def written(place: Place, **changes: Any) -> str:
    (place.folder / "others.yaml").write_text(yaml.safe_dump(CONFIG | changes))
    return "others.yaml"


@pytest.mark.prefect
@pytest.mark.train
@pytest.mark.slow
def test_a_campaign_starts_from_what_other_sets_have_taught(
    new_place: Callable[[str], Any],
) -> None:
    place: Place = new_place("pretrained").with_ultralytics()
    ended = place.backhaul("pretrain", written(place), "others.pt")
    assert ended.code == 0, ended.err
    assert ended.out.strip().endswith("others.pt")
    model = open_checkpoint(place.folder / "others.pt", trust=False)
    names = list(model.names.values())
    assert [n.partition(" ")[0] for n in names] == ["plain"] * 5 + ["stream"] * 5
    first = (place.folder / "others.pt").read_bytes()
    again = place.backhaul("pretrain", "others.yaml", "others.pt")  # from the cache
    assert again.code == 0, again.err
    assert (place.folder / "others.pt").read_bytes() == first
    config = place.config("tiny", training__model="others.pt", training__max_epochs=1)
    checked = place.backhaul("validate", config, "--quick")
    assert checked.code == 0, checked.err
    played = place.backhaul("run", config, "--set", "batches.count=1", "--plain")
    assert played.code == 0, played.err


@pytest.mark.parametrize(
    ("changes", "file", "told"),
    [
        ({}, "others.txt", r"others\.txt: expected a name that ends in \.pt"),
        ({"sets": {}}, "others.pt", r"others\.yaml: sets: expected at least one"),
        ({"epochs": 3}, "others.pt", r"others\.yaml: epochs: is no key"),
        (
            {"sets": {"a": {"kind": "inbox"}}},
            "others.pt",
            r"sets\.a: 'inbox' is none of folder, digits, stream",
        ),
    ],
)
def test_what_is_wrong_is_a_line(
    changes: dict[str, Any], file: str, told: str, tmp_path: Any
) -> None:
    place = Place(tmp_path)
    ended = place.backhaul("pretrain", written(place, **changes), file)

    assert re.search(told, ended.one_error())
