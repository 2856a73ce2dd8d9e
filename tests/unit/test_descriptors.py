"""Descriptors of images: near for what looks alike, far for what does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backhaul.arrays import Float32Array
from backhaul.errors import InputError
from backhaul.look.copies import Pixels, compressed, learn_nearness, relit, shifted
from backhaul.look.descriptors import N_VALUES, describe_files, descriptor

N_SCENES = 20


def scene(number: int, width: int = 160, height: int = 120) -> Pixels:
    """Return plain shapes of random colours on a background of waves."""
    rng = np.random.default_rng(number)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = np.sin(rng.uniform(2, 12) * x + rng.uniform(2, 12) * y)
    image = (110 + 40 * waves[..., None] * rng.uniform(0, 1, 3)).astype(np.uint8)
    for _ in range(5):
        left, top = rng.integers(0, width - 30), rng.integers(0, height - 30)
        image[top : top + 30, left : left + 30] = rng.integers(0, 200, 3)
    return image


def described(images: Sequence[Pixels]) -> Float32Array:
    return np.array([descriptor(image) for image in images])


@pytest.fixture(scope="module")
def scenes() -> list[Pixels]:
    return [scene(number) for number in range(N_SCENES)]


@pytest.mark.parametrize("copy", [shifted, relit, compressed])
def test_a_near_duplicate_is_nearer_than_another_scene(
    scenes: list[Pixels], copy: object
) -> None:
    rng = np.random.default_rng(0)
    assert callable(copy)
    copies = described([copy(image, rng) for image in scenes])
    apart = np.linalg.norm(described(scenes)[:, None] - copies[None], axis=2)
    others = apart[~np.eye(N_SCENES, dtype=bool)]
    assert np.diag(apart).max() < 0.5 * others.min()


def test_new_copies_join_at_the_distance_that_was_learned(scenes: list[Pixels]) -> None:
    near = learn_nearness(scenes, described, rng=np.random.default_rng(0)).distance
    own, rng = described(scenes), np.random.default_rng(1)
    for copy in (shifted, relit, compressed):
        copies = described([copy(image, rng) for image in scenes])
        assert (np.linalg.norm(own - copies, axis=1) <= near).mean() >= 0.9
    tighter = learn_nearness(scenes, described, share=0.5, rng=np.random.default_rng(0))
    assert 0 < tighter.distance < near
    assert tighter.feature_weight == 0


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (700, 2), (31, 33), (1080, 1920)])
def test_images_of_any_size_have_descriptors_of_one_length(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    vector = descriptor(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    assert vector.shape == (N_VALUES,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()


def test_plain_images_differ_in_brightness_and_colour_alone() -> None:
    black, grey, red = (
        descriptor(np.full((40, 60, 3), colour, np.uint8)) for colour in (0, 128, (200, 30, 30))
    )
    assert np.isfinite([black, grey, red]).all()
    assert 0.02 < np.linalg.norm(black - grey) < 0.15
    assert np.linalg.norm(red - grey) > 1


def test_size_and_file_format_hardly_matter(scenes: list[Pixels], tmp_path: Path) -> None:
    small = Image.fromarray(scenes[0])
    small.save(tmp_path / "a.png")
    small.save(tmp_path / "b.jpg", quality=95)
    large = small.resize((640, 480), Image.Resampling.BILINEAR)
    large.save(tmp_path / "c.jpg", quality=95)
    vectors = describe_files([str(tmp_path / name) for name in ("a.png", "b.jpg", "c.jpg")])
    np.testing.assert_array_equal(vectors[0], descriptor(scenes[0]))
    assert np.linalg.norm(vectors[1:] - vectors[0], axis=1).max() < 0.1


def test_images_are_described_as_displayed(scenes: list[Pixels], tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 3  # half a turn
    path = tmp_path / "turned.png"
    Image.fromarray(scenes[0][::-1, ::-1]).save(path, exif=turned)
    np.testing.assert_allclose(describe_files([str(path)])[0], descriptor(scenes[0]))


def test_sixteen_bits_are_told_apart_like_eight(scenes: list[Pixels], tmp_path: Path) -> None:
    grey = np.asarray(Image.fromarray(scenes[0]).convert("L"))
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    eight, sixteen = describe_files([str(tmp_path / name) for name in ("8.png", "16.png")])
    np.testing.assert_array_equal(sixteen, eight)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    for name in ("broken.jpg", "gone.png"):
        with pytest.raises(InputError, match=f"{name}: cannot be read as an image"):
            describe_files([str(tmp_path / name)])


def test_no_file_has_no_descriptor() -> None:
    assert describe_files([]).shape == (0, N_VALUES)
