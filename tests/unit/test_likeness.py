from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from backhaul.data.decoding import _with_pillow, decode
from backhaul.data.likeness import Hashes, distances, likeness_hash, near_pairs

Image = NDArray[np.uint8]


def photo(seed: int, size: tuple[int, int] = (160, 120)) -> Image:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def hash_of(image: Image, quality: int = 95) -> int:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    height, width = image.shape[:2]
    return decode(encoded, (width, height)).likeness


CHANGES = {
    "quality": lambda image: (image, 40),
    "smaller": lambda image: (cv2.resize(image, None, fx=0.6, fy=0.6), 95),
    "larger": lambda image: (cv2.resize(image, None, fx=1.7, fy=1.7), 95),
    "brighter": lambda image: (cv2.convertScaleAbs(image, alpha=0.9, beta=15), 95),
    "mirrored": lambda image: (np.ascontiguousarray(image[:, ::-1]), 95),
    "upside down": lambda image: (np.ascontiguousarray(image[::-1]), 95),
    "turned": lambda image: (np.ascontiguousarray(np.rot90(image)), 95),
    "turned back": lambda image: (np.ascontiguousarray(np.rot90(image, 3)), 95),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_looks_like_its_original_and_no_other_image_does(change: str) -> None:
    originals = [hash_of(photo(seed)) for seed in range(40)]
    copies = [hash_of(*CHANGES[change](photo(seed))) for seed in range(40)]
    pairs = near_pairs(np.array(originals + copies, dtype=np.uint64))
    assert {tuple(pair) for pair in pairs[:, :2].tolist()} == {(n, n + 40) for n in range(40)}


def test_a_file_that_pillow_decodes_has_nearly_the_same_hash() -> None:
    data = cv2.imencode(".png", photo(1, (64, 64)))[1].tobytes()
    other = likeness_hash(_with_pillow(data)[1])
    bits = distances(np.array([decode(data, (64, 64)).likeness], np.uint64), np.uint64(other))
    assert bits[0] <= 3


def test_flat_images_have_no_signs_of_noise() -> None:
    rng = np.random.default_rng(0)
    for grey in (0, 128, 255):
        noisy = np.clip(grey + rng.normal(0, 1, (32, 32)), 0, 255).astype(np.uint8)
        assert likeness_hash(noisy).bit_count() <= 3


def every_pair(hashes: Hashes) -> set[tuple[int, int]]:
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None])
    return {(a, b) for a, b in combinations(range(len(hashes)), 2) if bits[a, b] <= 3}


def test_all_pairs_are_found_that_comparing_each_with_each_finds() -> None:
    rng = np.random.default_rng(3)
    base = rng.integers(0, 2**64, 300, dtype=np.uint64)
    flips = [
        sum(1 << int(bit) for bit in rng.choice(np.arange(1, 64), n % 6, replace=False))
        for n in range(300)
    ]
    hashes = np.concatenate([base, base ^ np.array(flips, np.uint64)]) & ~np.uint64(1)
    hashes = np.unique(hashes)
    found = {tuple(pair) for pair in near_pairs(hashes)[:, :2].tolist()}
    assert found == every_pair(hashes)
    assert len(found) > 150


def test_many_images_of_one_camera_need_bounded_memory() -> None:
    rng = np.random.default_rng(0)
    few = np.uint64(1) << rng.integers(1, 12, (20_000, 3)).astype(np.uint64)
    pairs = near_pairs(np.bitwise_or.reduce(few, axis=1))
    assert len(pairs) <= 20_000 * 16 * 5
    assert len(np.unique(pairs[:, :2])) == 20_000


def test_no_image_has_no_pairs(tmp_path: Path) -> None:
    assert near_pairs(np.zeros(0, np.uint64)).shape == (0, 3)
