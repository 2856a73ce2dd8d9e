"""Campaigns whose node sends images encoded again, or only crops around what it detects."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pandas as pd
import pytest

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import RunRecords
from backhaul.storage.objects import read_value
from backhaul.study.rows import Table
from backhaul.values.images import ImageSet
from backhaul.values.splits import Splits
from tests.e2e.test_study import write

pytestmark = pytest.mark.prefect

METHODS = {"methods": ["true-random"], "control": False}


def play(fixed: Any, name: str, sending: dict[str, Any], **changes: Any) -> Any:
    place = fixed.place
    config = place.config(name, sending=sending, **METHODS, **changes)
    ended = place.backhaul("run", config)
    assert ended.code == 0, ended.err
    return place.run(name)


def rounds_of(run: Any) -> list[RoundRecord]:
    return [each for each in RunRecords(run.files).rounds if each.batch is not None]


def test_what_is_sent_is_what_is_counted_labelled_and_trained_on(fixed: Any) -> None:
    run = play(fixed, "reencoded", {"kind": "reencoded", "format": "webp", "quality": 20})
    first, second = rounds_of(run)
    assert first.sent is not None
    captured, sent = (
        read_value(ImageSet, each) for each in (first.sent.chosen, first.sent.as_sent)
    )
    sizes = [Path(uri).stat().st_size for uri in sent.table["uri"]]
    assert first.sent.n_bytes == sum(sizes) < captured.table["size_bytes"].sum()
    assert set(sent.table["uri"].map(lambda uri: Path(uri).suffix)) == {".webp"}

    assert first.new is not None
    splits = read_value(Splits, first.new)
    trained = pd.concat(part.table for part in (splits.train, splits.valid, splits.test))
    assert set(trained["image_id"]) == set(sent.ids)
    truth = read_value(ImageSet, RunRecords(run.files).required_setting.dataset)
    selection = pd.read_csv(run.folder / "output" / "true-random0_selection.csv")
    made = dict(zip(selection["sent_as"], selection["image_id"], strict=True))
    for uri, labels in zip(trained["uri"], trained["labels"], strict=True):
        (original,) = truth.take([made[uri]]).table["labels"]
        assert labels.same_as(original)
        assert len(labels)
    assert second.standing.sent == (
        first.sent.as_sent,
        second.sent.as_sent,  # type: ignore[union-attr] # both batches sent something
    )
    assert run.summary["bytes_sent"].max() < fixed.run.summary["bytes_sent"].max()

    again = fixed.place.backhaul("run", fixed.place.folder / "reencoded.yaml")
    assert again.code == 0, again.err
    assert run.computed() == set()
    shared = fixed.run.round("init")["standing"]
    assert run.round("init")["standing"] == shared


@pytest.mark.slow
def test_crops_show_what_was_seen_and_belong_to_their_image(fixed: Any) -> None:
    run = play(fixed, "around", {"kind": "crops", "context": 0.1, "min_px": 16, "quality": 60})
    first = rounds_of(run)[0]
    assert first.sent is not None
    assert first.sent.n_images == 5
    selection = pd.read_csv(run.folder / "output" / "true-random0_selection.csv")
    assert selection["size_bytes"].sum() == first.sent.n_bytes
    assert selection["image_id"].nunique() == 5
    row: Any
    for row in selection.itertuples():
        image = cv2.imread(row.sent_as)
        assert image is not None
        assert image.shape[:2] == (row.y2 - row.y1, row.x2 - row.x1)
        assert Path(row.sent_as).stat().st_size == row.size_bytes
    assert "crops" in set(selection["kind"])
    assert first.new is not None
    splits = read_value(Splits, first.new)
    groups = [set(p.table["group"]) for p in (splits.train, splits.valid, splits.test)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]


def test_what_was_sent_before_it_arrived_has_no_recipe(fixed: Any) -> None:
    inbox = {"kind": "inbox"}
    wrong = fixed.place.config(
        "arrived",
        data=inbox,
        initial={"data": {"kind": "folder", "root": "."}, "images": None},
        sending={"kind": "reencoded"},
    )
    reason = fixed.place.backhaul("validate", "--quick", wrong).one_error()
    assert "sending.kind reencoded: what lies in an inbox was sent already" in reason
    assert "\n" not in reason.strip()


def test_a_study_compares_recipes_at_the_same_bytes(new_place: Callable[[str], Any]) -> None:
    place = new_place("bytes")
    recipes = {"original": {"kind": "original"}, "q5": {"kind": "reencoded", "quality": 5}}
    budgets = [{"pool_bytes": 0.3}]
    write(place.folder, recipes=recipes, budgets=budgets)
    ended = place.backhaul("study", "study.yaml")
    assert ended.code == 0, ended.err
    folder = place.folder / "studies" / "tiny"
    rows = {(row.arm, row.recipe): row for row in Table(folder).rows()}
    assert set(rows) == {
        *((arm, "original") for arm in ("initial", "no-new-data", "all-images")),
        *((arm, recipe) for arm in ("iqr", "true-random") for recipe in recipes),
    }
    most = 0.3 * rows["all-images", "original"].n_bytes
    for arm in ("iqr", "true-random"):
        few, many = rows[arm, "original"], rows[arm, "q5"]
        assert many.n_bytes <= most
        assert few.n_bytes <= most
        assert many.n_images > few.n_images
        assert many.epochs * -(-many.n_train // 16) >= 4
        assert many.start == few.start
        assert many.map50_small is not None
    page = (folder / "index.html").read_text()
    assert "In what form images are sent" in page
    again = place.backhaul("study", "study.yaml", "--plan")
    assert "0 trainings missing, 7 known" in again.out
