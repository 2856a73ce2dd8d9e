import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backhaul.campaign.run import SampledBatch
from backhaul.report.pictures import (
    MAX_BOXES,
    MAX_PICTURES,
    Album,
    boxes_of,
    per_side,
    round_pictures,
    shown_rounds,
)

COLUMNS = ["file", "detected", "actual", "conf", "conf_std", "hit", "x1", "y1", "x2", "y2"]


def rows(*values: tuple[object, ...]) -> pd.DataFrame:
    table = pd.DataFrame([list(map(str, COLUMNS)), *values], columns=COLUMNS, dtype=object)
    numbers = ["conf", "conf_std", "x1", "y1", "x2", "y2"]
    return table.iloc[1:].astype(dict.fromkeys(numbers, float))


def save(path: Path, size: tuple[int, int], orientation: int = 1) -> str:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, (200, 30, 30)).save(path, exif=exif)
    return str(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp"])
def test_thumbnail_is_a_small_jpeg(tmp_path: Path, suffix: str) -> None:
    thumbnail = Album(tmp_path).thumbnail(save(tmp_path / f"a.{suffix}", (960, 480)))
    assert thumbnail is not None
    assert (thumbnail.width, thumbnail.height) == (960, 480)
    head, data = thumbnail.uri.split(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (240, 120)


def test_thumbnail_is_upright_as_the_boxes_are(tmp_path: Path) -> None:
    thumbnail = Album(tmp_path).thumbnail(save(tmp_path / "a.jpg", (300, 100), orientation=6))
    assert thumbnail is not None
    assert (thumbnail.width, thumbnail.height) == (100, 300)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_thumbnail_of_other_colour_modes(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (20, 20)).save(path)
    assert Album(tmp_path).thumbnail(str(path)) is not None


def test_a_file_that_is_gone_or_broken_has_no_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    whole = Path(save(tmp_path / "whole.png", (50, 50))).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    album = Album(tmp_path)
    for file in ("gone.jpg", "broken.jpg", "cut.png", "", "s3://bucket/a.jpg", "a\0b"):
        assert album.thumbnail(file) is None
    assert album.used() == []


def test_paths_may_be_relative_or_uris(tmp_path: Path) -> None:
    save(tmp_path / "a b.png", (8, 8))
    album = Album(tmp_path)
    assert album.thumbnail("a b.png") is not None
    assert album.thumbnail((tmp_path / "a b.png").as_uri()) is not None


def test_album_keeps_one_copy_and_its_limit(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{i}.jpg", (240, 240)) for i in range(4)]
    size = len(getattr(Album(tmp_path).thumbnail(files[0]), "uri", ""))
    album = Album(tmp_path, limit_bytes=2 * size)
    found = [album.thumbnail(file) for file in (files[0], *files)]
    assert found[0] is found[1]
    assert [thumbnail is not None for thumbnail in found] == [True, True, True, False, False]
    assert len({thumbnail.key for thumbnail in album.used()}) == 2


def test_boxes_of_every_kind() -> None:
    boxes = boxes_of(
        rows(
            ("f", "cat", "cat", 0.9, 0.1, True, 1, 2, 11, 22),
            ("f", "cat", "dog", 0.8, 0.0, False, 0, 0, 1, 1),
            ("f", "cat", None, 0.7, np.nan, False, 0, 0, 1, 1),
            ("f", "cat", None, 0.6, 0.0, None, 0, 0, 1, 1),
            ("f", None, "dog", 0.0, np.nan, False, 0, 0, 1, 1),
            ("f", "cat", None, 0.5, 0.0, False, np.nan, 0, 1, 1),
        )
    )
    assert [(b.kind, b.label, b.title) for b in reversed(boxes)] == [
        ("hit", "0.90", "cat 0.90 ± 0.10"),
        ("miss", "0.80", "cat 0.80 ± 0.00, actual: dog"),
        ("miss", "0.70", "cat 0.70, actual: nothing"),
        ("unknown", "0.60", "cat 0.60 ± 0.00"),
        ("missed", "", "missed dog"),
    ]
    best = boxes[-1]
    assert (best.x, best.y, best.width, best.height) == (1, 2, 10, 20)


def test_a_crowded_picture_shows_the_most_confident() -> None:
    many = [("f", "cat", "cat", i / 100, 0.1, True, 0, 0, 1, 1) for i in range(60)]
    boxes = boxes_of(rows(*many))
    assert len(boxes) == MAX_BOXES
    assert boxes[-1].label == "0.59"


def played(method: str, batch: int, sent: int = 6, pool: int = 20) -> SampledBatch:
    files = tuple(f"{batch}/{i:02d}.jpg" for i in range(pool))
    reasons = dict.fromkeys(files[:1], "class cat")
    return SampledBatch(method, batch, files, files[:sent], reasons, {}, {}, rows())


def test_round_shows_the_first_drawn_and_a_spread_of_the_rest(tmp_path: Path) -> None:
    shown = round_pictures(played("iqr", 3), Album(tmp_path), 4)
    assert [p.name for p in shown.sent] == ["00.jpg", "01.jpg", "02.jpg", "03.jpg"]
    assert [p.name for p in shown.kept] == ["06.jpg", "10.jpg", "15.jpg", "19.jpg"]
    assert shown.sent[0].reason == "class cat"
    assert (shown.n_sent, shown.n_pool) == (6, 20)


@pytest.mark.parametrize(("sent", "pool"), [(0, 3), (3, 3), (0, 0), (2, 3)])
def test_round_with_little_to_show(tmp_path: Path, sent: int, pool: int) -> None:
    shown = round_pictures(played("iqr", 1, sent, pool), Album(tmp_path), 4)
    assert (len(shown.sent), len(shown.kept)) == (sent, pool - sent)


@pytest.mark.parametrize(("rounds", "expected"), [(0, 4), (3, 4), (40, 3), (120, 1), (900, 1)])
def test_pictures_are_shared_out(rounds: int, expected: int) -> None:
    assert per_side(rounds) == expected


def test_of_a_long_campaign_the_last_batches_are_shown() -> None:
    rounds = [played(m, b) for m in ("a", "b") for b in range(1, 101)]
    shown = shown_rounds(rounds)
    assert {r.batch for r in shown} == set(range(41, 101))
    assert 2 * len(shown) * per_side(len(shown)) <= MAX_PICTURES
