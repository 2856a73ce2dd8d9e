"""A choice by predictions: seeds, ensembles, what was sent before, and what is left out."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import backhaul
from backhaul.errors import InputError
from backhaul.look.descriptors import describe_files
from backhaul.look.fusion import fuse
from backhaul.sampling import MedianThreshSampling
from backhaul.sampling.utilities import bald
from backhaul.storage.parquet import to_parquet
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections
from backhaul.values.features import Features
from tests.predicted import (
    Predicted,
    Seen,
    detections_of,
    write_coco,
    write_parquet,
    write_sidecars,
    write_texts,
)

BOX = (8.0, 8.0, 40.0, 40.0)
NAMES = tuple(f"{number:03d}" for number in range(12))
SEEN: Seen = {
    name: [Predicted(row % 3, 0.2 + row / 16, BOX)] if row % 4 else []
    for row, name in enumerate(NAMES)
}
"""Of twelve images 000, 004 and 008 have no detection."""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_coco(tmp_path / "results.json", SEEN)


def test_the_greatest_utility_comes_first_with_its_value(frames: Path, results: Path) -> None:
    chosen = backhaul.select(results, frames, method="confidence", count=3)
    assert chosen.table["file"].tolist() == ["011.png", "010.png", "009.png"]
    assert chosen.table["value"].tolist() == [0.2 + row / 16 for row in (11, 10, 9)]
    assert chosen.table["rank"].tolist() == [1, 2, 3]
    assert chosen.files == tuple(frames / name for name in chosen.table["file"])
    assert chosen.table["size_bytes"].tolist() == [f.stat().st_size for f in chosen.files]
    assert chosen.reason[0] == "confidence 0.887"
    assert (chosen.n_undetected, chosen.options.n_undetected) == (0, 3)
    assert chosen.n_near_duplicates is None


def test_a_seed_gives_its_choice_and_another_another(frames: Path, results: Path) -> None:
    def drawn(seed: int) -> list[str]:
        chosen = backhaul.select(results, frames, method="true-random", count=5, seed=seed)
        return list(chosen.table["file"])

    assert drawn(0) == drawn(0)
    assert len({tuple(drawn(seed)) for seed in range(5)}) > 1


@pytest.mark.parametrize("method", ["diverse", "iqr", "k-center", "confidence"])
def test_bytes_are_never_exceeded(frames: Path, results: Path, method: str) -> None:
    sizes = sorted(path.stat().st_size for path in frames.iterdir())
    most = sum(sizes[:4]) + 3
    chosen = backhaul.select(results, frames, method=method, bytes=most)
    assert 0 < chosen.n_bytes <= most
    assert chosen.n_bytes == chosen.table["size_bytes"].sum()


def test_the_folder_is_as_it_was(frames: Path, results: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sorted(frames.rglob("*"))}
    backhaul.select(results, frames, count=3)
    assert {path: path.stat().st_mtime_ns for path in sorted(frames.rglob("*"))} == before


def test_boxes_reaching_out_are_cut_off_and_those_outside_counted(
    frames: Path, tmp_path: Path
) -> None:
    seen = {"001": [Predicted(0, 0.5, (-8, -9, 20, 80)), Predicted(0, 0.4, (70, 2, 90, 9))]}
    for given in (write_coco(tmp_path / "r.json", seen), write_texts(tmp_path / "t", seen)):
        chosen = backhaul.select(given, frames, method="confidence", count=1)
        assert chosen.detections.xyxy.tolist() == [[0, 0, 20, 64]]
        (note,) = chosen.notes
        assert note == f"{given}: left out, as without area in their image: 1 boxes"


def test_images_that_are_gone_are_named(frames: Path, tmp_path: Path) -> None:
    seen = {**SEEN, **{f"gone{i}": [Predicted(0, 0.5, BOX)] for i in range(4)}}
    given = write_coco(tmp_path / "r.json", seen)
    chosen = backhaul.select(given, frames, method="confidence", count=1)
    assert chosen.notes == (
        f"{given}: left out, as not in {frames}: 4 images ('gone0', 'gone1', 'gone2', ...)",
    )
    assert len(chosen.options.pool) == 12


def test_copies_and_broken_images_are_no_candidates(tmp_path: Path, frames: Path) -> None:
    folder = shutil.copytree(frames, tmp_path / "frames")
    shutil.copy(folder / "003.png", folder / "copy.png")
    whole = (folder / "005.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    seen = {**SEEN, "copy": [Predicted(0, 0.99, BOX)], "cut": [Predicted(0, 0.98, BOX)]}
    given = write_coco(tmp_path / "r.json", seen)
    chosen = backhaul.select(given, folder, method="confidence", count=20)
    assert len(chosen.files) == 12
    assert chosen.table["file"][0] == "011.png"
    broken, copies = chosen.notes
    assert broken.startswith(f"{folder}/cut.png: ")
    assert copies == f"left out, as copies of other images: 1 file ('{folder}/copy.png')"


def test_a_copy_that_was_sent_is_not_sent_again(tmp_path: Path, frames: Path) -> None:
    folder = shutil.copytree(frames, tmp_path / "frames")
    shutil.copy(folder / "011.png", folder / "z-copy.png")
    (tmp_path / "sent.txt").write_text("z-copy.png\n")
    given = write_coco(tmp_path / "r.json", SEEN)
    chosen = backhaul.select(
        given, folder, method="confidence", count=1, sent_before=tmp_path / "sent.txt"
    )
    assert chosen.files == (folder / "010.png",)


def test_an_image_whose_pixels_are_broken_stops_no_others(tmp_path: Path, frames: Path) -> None:
    folder = shutil.copytree(frames, tmp_path / "frames")
    image = Image.new("RGB", (64, 64), "grey")
    image.save(folder / "torn.jpg")
    whole = (folder / "torn.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(whole[:-200] + b"\xff\xd9")
    given = write_coco(tmp_path / "r.json", SEEN)
    chosen = backhaul.select(given, folder, method="k-center", count=20)
    assert {path.name for path in chosen.files} <= {*(f"{n}.png" for n in NAMES), "torn.jpg"}
    assert len(chosen.files) >= 12


def test_boxes_of_little_confidence_do_not_count(frames: Path, tmp_path: Path) -> None:
    given = write_coco(tmp_path / "r.json", {"001": [Predicted(0, 0.05, BOX)]})
    chosen = backhaul.select(given, frames, method="confidence", count=1)
    assert chosen.options.n_undetected == 12
    all_boxes = backhaul.Predictions([given], conf_thres=0)
    chosen = backhaul.select(all_boxes, frames, method="confidence", count=1)
    assert chosen.options.n_undetected == 11


def checkpoints(folder: Path) -> list[Path]:
    """Write what three checkpoints predict: they agree about 001 alone."""
    sure, near = Predicted(0, 0.9, BOX), Predicted(0, 0.9, (10.0, 8.0, 42.0, 40.0))
    seen: list[Seen] = [
        {"001": [sure], "002": [sure], "003": [sure]},
        {"001": [sure], "002": [near], "003": []},
        {"001": [sure], "002": [sure], "003": []},
    ]
    return [write_coco(folder / f"{i}.json", each) for i, each in enumerate(seen)]


def test_several_inputs_are_an_ensemble(frames: Path, tmp_path: Path) -> None:
    given = checkpoints(tmp_path)
    chosen = backhaul.select(given, frames, method="vote-entropy", count=1)
    assert chosen.files == (frames / "003.png",)
    assert chosen.detections.vote_fraction == pytest.approx([1 / 3])
    assert chosen.detections.confidence == pytest.approx([0.3])
    chosen = backhaul.select(given, frames, method="localisation-spread", count=1)
    assert chosen.files == (frames / "002.png",)
    iou = 30 * 32 / (34 * 32)
    assert chosen.value == pytest.approx([1 - (1 + 2 * iou) / 3])


def test_an_input_that_sees_nothing_is_a_checkpoint_too(frames: Path, tmp_path: Path) -> None:
    one = write_coco(tmp_path / "a.json", SEEN)
    nothing = {"001": list[Predicted]()}
    for other in (
        write_coco(tmp_path / "b.json", {}),
        write_sidecars(tmp_path / "j", nothing),
        write_parquet(tmp_path / "p.parquet", frames, nothing),
    ):
        chosen = backhaul.select([one, other], frames, method="confidence", count=1)
        assert chosen.detections.vote_fraction == pytest.approx([0.5])
        assert chosen.value == pytest.approx([(0.2 + 11 / 16) / 2])


def test_disagreement_about_classes_needs_their_scores(frames: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bald: needs scores \(.*vote-entropy") as raised:
        backhaul.select(checkpoints(tmp_path), frames, method="bald", count=1)
    assert ", bald" not in str(raised.value)
    parts: list[Any] = []
    for number, share in enumerate((0.9, 0.2)):
        seen = detections_of(frames, {"001": [Predicted(0, share, BOX)]})
        seen = replace(seen, scores=np.array([[share, 0.1]]), epoch=np.array([number + 1]))
        (tmp_path / f"{number}.parquet").write_bytes(to_parquet(seen))
        parts.append(seen)
    both = Detections.concat(parts)
    both = replace(both, scores=np.concatenate([part.scores for part in parts]))
    given = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    chosen = backhaul.select(given, frames, method="bald", count=1)
    expected = bald(fuse(both, [1, 2], 0.5, conf_thres=0.1))
    assert chosen.value == pytest.approx(expected)
    assert expected[0] > 0


def test_epochs_of_one_table_are_the_checkpoints(frames: Path, tmp_path: Path) -> None:
    seen = detections_of(frames, {"001": [Predicted(0, 0.8, BOX)] * 2})
    both = replace(seen, epoch=np.array([5, 9]), confidence=np.array([0.8, 0.6]))
    (tmp_path / "p.parquet").write_bytes(to_parquet(both))
    chosen = backhaul.select(tmp_path / "p.parquet", frames, method="confidence", count=1)
    assert chosen.value == pytest.approx([0.7])
    assert chosen.detections.votes.tolist() == [2]


def test_a_checkpoint_counts_whose_boxes_are_in_other_images(
    frames: Path, tmp_path: Path
) -> None:
    seen = detections_of(frames, {"001": [Predicted(0, 0.8, BOX)] * 3})
    names, epochs = names_of(["001.png", "001.png", "elsewhere.png"]), np.array([5, 9, 12])
    (tmp_path / "p.parquet").write_bytes(
        to_parquet(replace(seen, image_id=names, epoch=epochs))
    )
    chosen = backhaul.select(tmp_path / "p.parquet", frames, method="confidence", count=1)
    assert chosen.value == pytest.approx([2 / 3 * 0.8])


def test_features_of_a_table_tell_images_apart(frames: Path, tmp_path: Path) -> None:
    seen = detections_of(frames, SEEN)
    ids = dict.fromkeys(seen.image_id.tolist())
    vectors = np.linspace(1, 2, len(ids), dtype=np.float32)[:, None]
    with_features = replace(seen, features=Features(names_of(ids), vectors))
    (tmp_path / "p.parquet").write_bytes(to_parquet(with_features))
    method = {"kind": "k-center", "space": "features"}
    chosen = backhaul.select(tmp_path / "p.parquet", frames, method=method, count=3)
    looked = chosen.table["file"].tolist()
    assert {looked[1], looked[2]} == {"001.png", "011.png"}  # the two ends, after the middle
    every = backhaul.select(tmp_path / "p.parquet", frames, method=method, count=12)
    assert set(every.table["file"][-3:]) == {"000.png", "004.png", "008.png"}  # no features


def test_names_of_classes_are_sorted_or_those_of_the_list(frames: Path, tmp_path: Path) -> None:
    rows = [{"class": "van", "confidence": 0.5, "xyxy": [1, 2, 30, 20]}]
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "001.detections.json").write_text(json.dumps(rows))
    (tmp_path / "names.txt").write_text("car\nvan\n")
    one = backhaul.Predictions([tmp_path / "js"])
    listed = backhaul.Predictions([tmp_path / "js"], names=tmp_path / "names.txt")
    for given, class_id in ((one, 0), (listed, 1)):
        chosen = backhaul.select(given, frames, method="confidence", count=1)
        assert chosen.detections.class_id.tolist() == [class_id]


def test_what_a_node_fused_is_not_fused_again(frames: Path, tmp_path: Path) -> None:
    rows = [
        {"class_id": 0, "confidence": 0.04, "xyxy": BOX, "votes": 2, "confidence_std": 0.1},
        {"class_id": 1, "confidence": 0.03, "xyxy": BOX},
    ]
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "001.detections.json").write_text(json.dumps(rows))
    chosen = backhaul.select(tmp_path / "js", frames, method="confidence", count=1)
    assert chosen.detections.votes.tolist() == [2, 1]
    assert chosen.detections.confidence.tolist() == [0.04, 0.03]


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".json"])
def test_what_was_sent_before_is_not_sent_again(
    frames: Path, results: Path, tmp_path: Path, suffix: str
) -> None:
    from backhaul.predictions.writing import write_chosen

    first = backhaul.select(results, frames, method="k-center", count=4)
    write_chosen(tmp_path / f"first{suffix}", first)
    second = backhaul.select(
        results, frames, method="k-center", count=4, sent_before=tmp_path / f"first{suffix}"
    )
    assert not {*first.files} & {*second.files}
    both = backhaul.select(results, frames, method="k-center", count=8)
    assert both.files == (*first.files, *second.files)  # it goes on from what was sent
    assert len(second.options.pool) == 8


def test_what_was_sent_before_may_lie_elsewhere(
    frames: Path, results: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("000", "001"):
        shutil.copy(frames / f"{name}.png", kept / f"sent-{name}.png")
    other = Image.open(frames / "005.png").convert("RGB")
    other.save(kept / "like-005.png", compress_level=0)  # same pixels, other bytes
    (tmp_path / "sent.txt").write_text(
        "kept/sent-000.png\nkept/sent-001.png\nkept/like-005.png\nkept/gone.png\n"
    )
    chosen = backhaul.select(
        results, frames, method="k-center", count=12, sent_before=tmp_path / "sent.txt"
    )
    names = chosen.table["file"].tolist()
    assert len(names) == 10
    assert not {"000.png", "001.png"} & {*names}
    assert names[-1] == "005.png"
    assert chosen.n_near_duplicates == 1
    assert chosen.notes == (
        f"{tmp_path}/sent.txt: passed over, as not there: 1 image ('kept/gone.png')",
    )


def test_what_was_sent_before_may_have_any_name(tmp_path: Path, frames: Path) -> None:
    folder = shutil.copytree(frames, tmp_path / "frames")
    (folder / "003.png").rename(folder / "~003.png")
    (tmp_path / "sent.txt").write_text(f"~003.png\n{'a' * 300}.png\n")
    given = write_coco(tmp_path / "r.json", {"001": SEEN["001"]})
    chosen = backhaul.select(
        given, folder, method="rare-first", count=12, sent_before=tmp_path / "sent.txt"
    )
    assert {*chosen.table["file"]} == {f"{name}.png" for name in NAMES} - {"003.png"}
    assert "sent.txt: passed over, as not there: 1 image" in chosen.notes[0]


def test_a_list_cannot_say_a_name_of_two_lines(tmp_path: Path, frames: Path) -> None:
    from backhaul.predictions.writing import write_chosen

    folder = shutil.copytree(frames, tmp_path / "frames")
    (folder / "003.png").rename(folder / "00\n3.png")
    given = write_coco(tmp_path / "r.json", {"001": SEEN["001"]})
    chosen = backhaul.select(given, folder, method="rare-first", count=12)
    with pytest.raises(InputError, match=r"00\\n3\.png: has a line end .* \.csv or \.json"):
        write_chosen(tmp_path / "o.txt", chosen)
    write_chosen(tmp_path / "o.csv", chosen)
    again = backhaul.select(
        given, folder, method="rare-first", count=12, sent_before=tmp_path / "o.csv"
    )
    assert not again.files
    assert not (tmp_path / "o.txt").exists()


def test_near_duplicates_are_counted(tmp_path: Path, frames: Path) -> None:
    folder = shutil.copytree(frames, tmp_path / "frames")
    Image.open(folder / "001.png").save(folder / "001-again.png", compress_level=0)
    given = write_coco(tmp_path / "r.json", SEEN)
    chosen = backhaul.select(given, folder, method="k-center", count=13)
    assert chosen.n_near_duplicates == 1
    near = {"kind": "k-center", "near": 1e6}
    assert backhaul.select(given, folder, method=near, count=13).n_near_duplicates == 12
    unused = {"kind": "k-center", "near": "auto"}  # it does not suppress any
    assert backhaul.select(given, folder, method=unused, count=13).n_near_duplicates == 1
    vectors = describe_files([str(folder / "001.png"), str(folder / "001-again.png")])
    assert np.linalg.norm(vectors[0] - vectors[1]) < 0.01


def test_a_method_may_be_itself_or_ones_own(
    frames: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = MedianThreshSampling(stratify=False)
    by_itself = backhaul.select(results, frames, method=given, count=3)
    by_mapping = backhaul.select(
        results, frames, method={"kind": "median-thresh", "stratify": False}, count=3
    )
    pd.testing.assert_frame_equal(by_itself.table, by_mapping.table)
    (tmp_path / "mine_to_select.py").write_text(
        "def last(pool, bandwidth, rng):\n    return sorted(pool.files)[-2:]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    chosen = backhaul.select(results, frames, method="mine_to_select:last", count=3)
    assert chosen.table["file"].tolist() == ["010.png", "011.png"]
    assert chosen.value.tolist() == [1.0, 1.0]


def test_nothing_to_choose_from_is_an_empty_choice(
    frames: Path, results: Path, tmp_path: Path
) -> None:
    (tmp_path / "all.txt").write_text("".join(f"{path}\n" for path in frames.iterdir()))
    for method in ("diverse", "iqr", "typicality"):
        chosen = backhaul.select(
            results, frames, method=method, count=3, sent_before=tmp_path / "all.txt"
        )
        assert chosen.files == ()
        assert len(chosen.table) == 0


def test_an_ensemble_of_each_format_is_the_same(frames: Path, tmp_path: Path) -> None:
    other = {name: list(boxes[:1]) for name, boxes in SEEN.items() if name > "005"}
    tables = []
    for kind in ("coco", "texts", "json", "parquet"):
        given = []
        for number, seen in enumerate((SEEN, other)):
            place = tmp_path / f"{kind}-{number}"
            match kind:
                case "coco":
                    given.append(write_coco(place, seen))
                case "texts":
                    given.append(write_texts(place, seen))
                case "json":
                    given.append(write_sidecars(place, seen))
                case "parquet":
                    given.append(write_parquet(place, frames, seen))
        chosen = backhaul.select(given, frames, method="vote-entropy", count=4)
        tables.append(chosen.table)
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])
