"""Images as they are sent: never more bytes than the original, and labels that stay inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from backhaul.data.recipes import Prepared, SendCrops, Sending, SendReencoded
from backhaul.data.sending import Region, pieces_of, regions_around
from backhaul.data.versions import Versions, labelled_versions, make_versions
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels
from backhaul.values.offers import ORIGINAL

WIDTH, HEIGHT = 96, 64
NOTHING = np.zeros((0, 4))
RECIPES: list[Prepared] = [
    SendReencoded(quality=95),
    SendReencoded(quality=15, longest_side_px=48),
    SendReencoded(format="webp", quality=50),
    SendCrops(context=0.2, min_px=8),
    SendCrops(format="webp", quality=30),
]
boxes = st.lists(
    st.tuples(
        st.floats(-5, WIDTH), st.floats(-5, HEIGHT), st.floats(0.5, 60), st.floats(0.5, 60)
    ).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])),
    min_size=1,
    max_size=8,
)


def picture(seed: int = 0, kind: str = "JPEG", noise: int = 12, **how: Any) -> bytes:
    """The file of an image with a gradient, some noise, and bright squares."""
    rng = np.random.default_rng(seed)
    pixels = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))[..., None].repeat(3, axis=2)
    pixels = pixels + rng.integers(0, noise, pixels.shape)
    x, y = rng.integers(0, 40, 2)
    pixels[y : y + 16, x : x + 16] = 220
    buffer = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, kind, **how)
    return buffer.getvalue()


@pytest.mark.parametrize("sending", RECIPES, ids=repr)
@pytest.mark.parametrize("how", [{"quality": 98}, {"quality": 10}, {"kind": "PNG"}], ids=repr)
@given(xyxy=boxes, seed=st.integers(0, 3))
def test_pieces_take_less_than_the_original_and_do_not_depend_on_order(
    sending: Prepared, how: dict[str, Any], xyxy: list[Any], seed: int
) -> None:
    data, seen = picture(seed, **how), np.array(xyxy)
    pieces = pieces_of(data, seen, sending)
    assert sum(len(piece.data) for piece in pieces) < len(data)
    assert pieces_of(data, seen[::-1], sending) == pieces
    for piece in pieces:
        with Image.open(BytesIO(piece.data)) as image:
            assert image.format == sending.format.upper()
            assert image.size == piece.size_px
    assert {piece.region for piece in pieces_of(data, NOTHING, sending)} <= {
        (0, 0, WIDTH, HEIGHT)
    }


@given(xyxy=boxes, context=st.floats(0, 2), min_px=st.integers(1, 120))
def test_regions_hold_every_box_and_share_no_pixel(
    xyxy: list[Any], context: float, min_px: int
) -> None:
    found = regions_around(np.array(xyxy), (WIDTH, HEIGHT), context, min_px)
    assert 1 <= len(found) <= len(xyxy)
    covered = np.zeros((HEIGHT, WIDTH), dtype=int)
    for x1, y1, x2, y2 in found:
        assert 0 <= x1 < x2 <= WIDTH
        assert 0 <= y1 < y2 <= HEIGHT
        assert x2 - x1 >= min(min_px, WIDTH)
        assert y2 - y1 >= min(min_px, HEIGHT)
        covered[y1:y2, x1:x2] += 1
    assert covered.max() == 1
    for x1, y1, x2, y2 in np.rint(np.clip(xyxy, 0, [WIDTH, HEIGHT] * 2)).astype(int):
        assert covered[y1:y2, x1:x2].all()
    assert regions_around(np.array(xyxy)[::-1], (WIDTH, HEIGHT), context, min_px) == found
    again = regions_around(np.array(found, dtype=float), (WIDTH, HEIGHT), 0.0, 1)
    assert again == found


def test_regions_by_hand() -> None:
    xyxy = np.array([[10.0, 10, 20, 20], [60, 30, 64, 34], [18, 5, 30, 11]])
    assert regions_around(xyxy, (WIDTH, HEIGHT), 0.0, 8) == ((10, 4, 30, 20), (58, 28, 66, 36))
    (wide,) = regions_around(np.array([[0.0, 0, 10, 20]]), (WIDTH, HEIGHT), 0.5, 1)
    assert wide == (0, 0, 15, 30)


def test_a_larger_side_is_scaled_and_a_smaller_one_is_not() -> None:
    data = picture(quality=100)
    (small,) = pieces_of(data, NOTHING, SendReencoded(longest_side_px=48))
    assert small.size_px == (48, 32)
    assert small.region == (0, 0, WIDTH, HEIGHT)
    (same,) = pieces_of(data, NOTHING, SendReencoded(longest_side_px=500))
    assert same.size_px == (WIDTH, HEIGHT)


def test_pixels_are_those_that_are_displayed() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    (piece,) = pieces_of(picture(quality=100, exif=turned), NOTHING, SendReencoded())
    assert piece.size_px == (HEIGHT, WIDTH)
    deep = BytesIO()
    levels = np.linspace(0, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint16)
    Image.fromarray(levels).save(deep, "PNG", compress_level=0)
    (piece,) = pieces_of(deep.getvalue(), NOTHING, SendReencoded(quality=95))
    with Image.open(BytesIO(piece.data)) as image:
        shown = np.asarray(image)[..., 0].astype(int)
    assert np.abs(shown - (levels >> 8)).max() < 8


def image_set(folder: Path, labels: Labels | None = None) -> ImageSet:
    """Three images: a large file, one that gains nothing, and one with a group."""
    files = {
        "a": picture(1, quality=100),
        "b": picture(2, quality=1, optimize=True),
        "c": picture(3, "PNG"),
    }
    rows = []
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data)
        group = "scene" if name == "c" else None
        source = None if labels is None else "crowd"
        rows.append((name, str(path), WIDTH, HEIGHT, len(data), group, labels, source, None))
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), ("cat", "dog"))


def seen_in(
    xyxy: Mapping[str, Sequence[tuple[float, ...]]], confidence: float
) -> FusedDetections:
    rows = [(name, box) for name, own in xyxy.items() for box in own]
    n = len(rows)
    return FusedDetections(
        image_id=names_of(name for name, _ in rows),
        class_id=np.zeros(n, dtype=np.int64),
        confidence=np.full(n, confidence),
        xyxy=np.array([box for _, box in rows], dtype=float).reshape(n, 4),
        confidence_std=np.zeros(n),
        votes=np.ones(n, dtype=np.int64),
        box_spread=np.zeros(n),
    )


def fail(image_id: str, reason: str) -> None:
    raise AssertionError(f"{image_id}: {reason}")


def versions_of(
    folder: Path, sending: Prepared, seen: FusedDetections | None = None
) -> tuple[ImageSet, Versions]:
    images = image_set(folder)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    return images, make_versions(images, seen, sending, out, fail).with_originals(images)


def test_offers_are_the_cost_of_what_is_sent(tmp_path: Path) -> None:
    images, versions = versions_of(tmp_path, SendReencoded(quality=40))
    offers = versions.offers(images)
    assert offers.image_id.tolist() == ["a", "b", "c"]
    assert offers.kind.tolist() == ["reencoded", ORIGINAL, "reencoded"]
    sizes = [Path(uri).stat().st_size for uri in versions.images.table["uri"]]
    assert offers.size_bytes.tolist() == sizes
    assert (offers.size_bytes <= images.table["size_bytes"]).all()
    assert offers.file is not None
    assert offers.file.tolist() == list(images.table["uri"])
    _, same = versions_of(tmp_path, SendReencoded(quality=40))
    assert same.images.ids == versions.images.ids
    turned = images.take(["c", "a", "b"])
    assert versions.offers(turned).image_id.tolist() == ["c", "a", "b"]
    assert versions.of(["c", "a"]).sources["source_id"].tolist() == ["c", "a"]


def test_crops_of_an_image_are_one_offer_and_one_group(tmp_path: Path) -> None:
    two = [(2.0, 2.0, 12.0, 12.0), (70.0, 40.0, 82.0, 52.0)]
    seen = seen_in({"a": two, "c": two}, 0.5)
    recipe = SendCrops(context=0.0, min_px=8, min_visibility=0.4)
    images, versions = versions_of(tmp_path, recipe, seen)
    assert versions.sources["source_id"].tolist() == ["a", "a", "b", "c", "c"]
    assert versions.images.table["group"].tolist()[:2] == ["a", "a"]
    assert versions.images.table["group"].tolist()[3:] == ["scene", "scene"]
    offers = versions.offers(images)
    assert offers.kind.tolist() == ["crops", ORIGINAL, "crops"]
    assert offers.size_bytes.sum() == versions.images.table["size_bytes"].sum()

    corners = np.array([[4.0, 4, 10, 10], [8.0, 8, 20, 20], [40.0, 20, 50, 30]])
    whole = Labels.from_xyxy(np.array([0, 1, 1]), corners, WIDTH, HEIGHT)
    truth = image_set(tmp_path, whole)
    labels = labelled_versions(versions, truth, 0.4).table["labels"]
    assert labels[0].class_id.tolist() == [0]  # a ninth of the second is inside
    assert labels[0].xyxy(10, 10).tolist() == [[2, 2, 8, 8]]
    assert len(labels[1]) == 0
    assert labels[2].same_as(whole)
    (few,) = {len(labelled_versions(versions, truth, 0.1).table["labels"][0])}
    assert few == 2

    nothing = seen_in({"a": two}, 0.05)  # below the recipe's confidence
    _, unsure = versions_of(tmp_path, recipe, nothing)
    assert unsure.sources[["x2", "y2"]].to_numpy().tolist() == [[WIDTH, HEIGHT]] * 3


@given(
    labels=boxes,
    region=st.tuples(
        st.integers(0, 40), st.integers(0, 30), st.integers(1, 56), st.integers(1, 34)
    ),
    visibility=st.floats(0, 1),
)
def test_labels_lie_inside_of_what_is_sent(
    labels: list[Any], region: tuple[int, ...], visibility: float
) -> None:
    x, y, width, height = region
    area: Region = (x, y, x + width, y + height)
    inside = np.clip(np.array(labels), 0, [WIDTH, HEIGHT] * 2)
    known = Labels.from_xyxy(np.zeros(len(inside), dtype=np.int64), inside, WIDTH, HEIGHT)
    row = ("a", "a", WIDTH, HEIGHT, 9, None, known, "crowd", None)
    truth = ImageSet(pd.DataFrame([row], columns=list(IMAGE_COLUMNS)), ("cat",))
    sources = pd.DataFrame([("v", "a", "crops", *area)])
    sources.columns = pd.Index(["image_id", "source_id", "kind", "x1", "y1", "x2", "y2"])
    images = ImageSet(truth.table.assign(image_id="v", width=width, height=height), ("cat",))
    (found,) = labelled_versions(Versions(images, sources), truth, visibility).table["labels"]
    corners = found.xyxy(width, height)
    assert len(corners) <= len(labels)
    assert (corners >= -1e-9).all()
    assert (corners <= np.array([width, height] * 2) + 1e-9).all()
    assert (corners[:, 2:] > corners[:, :2]).all()


def test_an_unlabelled_image_stays_unlabelled(tmp_path: Path) -> None:
    images, versions = versions_of(tmp_path, SendReencoded())
    table = labelled_versions(versions, images, 1.0).table
    assert table["labels"].isna().all()


def test_what_cannot_be_decoded_is_sent_as_it_is_and_named(tmp_path: Path) -> None:
    images = image_set(tmp_path)
    (tmp_path / "a").write_bytes(picture(1)[:-600])
    (tmp_path / "b").write_bytes(b"no image")
    told: dict[str, str] = {}
    recipe = SendReencoded(quality=20)
    made = make_versions(images, None, recipe, tmp_path, told.__setitem__)
    assert told == {
        "a": "it cannot be decoded and encoded again (OSError)",
        "b": "it cannot be decoded and encoded again (ValueError)",
    }
    kinds = made.with_originals(images).offers(images).kind
    assert kinds.tolist() == [ORIGINAL, ORIGINAL, "reencoded"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "reencoded", "quality": 0},
        {"kind": "reencoded", "format": "avif"},
        {"kind": "reencoded", "context": 0.5},
        {"kind": "crops", "context": -1},
        {"kind": "video"},
    ],
)
def test_a_wrong_recipe_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Sending).validate_python(wrong)
