"""Images that look alike, found by 63-bit hashes of what they show.

The hash is what is known as pHash: signs of the lowest frequencies of the image's cosine
transform, at 32 x 32 pixels. Copies of another size, quality or brightness keep nearly all of
them, and a mirrored or turned copy has the same signs by a rule, so that it needs no second
look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from backhaul.arrays import FloatArray, IntArray

Hashes = NDArray[np.uint64]

SIDE_PX = 32
"""Width and height of the grey image that is hashed."""
MOST_BITS = 3
"""In which two images may differ that look alike: each pair has one of four bands in common."""

_FREQUENCIES = 8
_BAND_BITS = 16
_FLAT = 1.0  # a coefficient below is noise: of 16 grey levels in 32 x 32 pixels, half a level
_MOST_STEPS = 64  # neighbours in the order of a band that are compared
_PAIRS_AN_IMAGE = 16  # kept: more say nothing new of images of one fixed camera


def _basis() -> FloatArray:
    """Return the first rows of the orthonormal cosine transform (DCT-II), shape (8, 32)."""
    at = np.arange(SIDE_PX) + 0.5
    rows = np.cos(np.pi / SIDE_PX * np.outer(np.arange(_FREQUENCIES), at))
    scale: FloatArray = rows * np.sqrt(2 / SIDE_PX)
    scale[0] /= np.sqrt(2)
    return scale


_BASIS = _basis()
_ROW, _COLUMN = np.divmod(np.arange(_FREQUENCIES**2), _FREQUENCIES)
_WEIGHT = np.uint64(1) << np.arange(_FREQUENCIES**2, dtype=np.uint64)


def likeness_hash(grey: NDArray[np.uint8]) -> int:
    """Return the hash of an image, an integer of 64 bits whose lowest is 0.

    Args:
        grey: The image in grey, shape (32, 32).
    """
    signs = (_BASIS @ grey.astype(np.float64) @ _BASIS.T).ravel() > _FLAT
    signs[0] = False  # the mean
    return int(_WEIGHT[signs].sum(dtype=np.uint64))


def near_pairs(hashes: Hashes) -> IntArray:
    """Return pairs of images that look alike, also mirrored or turned by quarters.

    Every pair that differs in up to `MOST_BITS` has one of four bands of 16 bits in common, so
    only neighbours in the four orders by a band are compared: time and memory grow with the
    number of images. Of more than 64 different images with a band in common not all are
    compared, and of images with the same hash each is paired with the next.

    Args:
        hashes: Of each image, shape (n,).

    Returns:
        Rows (image, image, bits that differ), the first image before the second, each pair
        once, sorted by bits, shape (m, 3).
    """
    different, first, of_image = np.unique(hashes, return_index=True, return_inverse=True)
    found = [_same(of_image)]
    for number, turned in enumerate(_symmetries()):
        for one, other, bits in _near(different, turned, itself=number == 0):
            found.append(np.column_stack([first[one], first[other], bits]))
    pairs = np.concatenate(found)
    pairs[:, :2] = np.sort(pairs[:, :2], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 2], pairs[:, 1], pairs[:, 0]))]
    repeats = (pairs[1:, :2] == pairs[:-1, :2]).all(axis=1)
    pairs = pairs[np.concatenate([[True], ~repeats])] if len(pairs) else pairs
    ordered: IntArray = pairs[np.lexsort((pairs[:, 1], pairs[:, 0], pairs[:, 2]))]
    return ordered


def distances(one: Hashes, other: Hashes) -> IntArray:
    """Return in how many bits hashes differ; unrelated images do in about 31."""
    bits: IntArray = np.bitwise_count(one ^ other).astype(np.int64)
    return bits


def _same(of_image: IntArray) -> IntArray:
    order = np.argsort(of_image, kind="stable")
    same = of_image[order][1:] == of_image[order][:-1]
    one, other = order[:-1][same], order[1:][same]
    return np.column_stack([one, other, np.zeros_like(one)])


def _symmetries() -> Iterator[Callable[[Hashes], Hashes]]:
    """Yield what mirroring and quarter turns make of hashes; the first changes nothing."""
    for transposed in (False, True):
        for rows, columns in ((0, 0), (0, 1), (1, 0), (1, 1)):
            negated = (_ROW * rows + _COLUMN * columns) % 2 == 1
            mask = _WEIGHT[negated].sum(dtype=np.uint64)

            def turn(hashes: Hashes, mask: np.uint64 = mask, swap: bool = transposed) -> Hashes:
                return (_transpose(hashes) if swap else hashes) ^ mask

            yield turn


def _transpose(hashes: Hashes) -> Hashes:
    turned = np.zeros_like(hashes)
    for bit, (row, column) in enumerate(zip(_ROW, _COLUMN, strict=True)):
        target = np.uint64(column * _FREQUENCIES + row)
        turned |= (hashes >> np.uint64(bit) & np.uint64(1)) << target
    return turned


def _near(
    hashes: Hashes, turned: Callable[[Hashes], Hashes], *, itself: bool
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Yield positions of two images, and in how many bits the second, turned, differs."""
    n = len(hashes)
    both = hashes if itself else np.concatenate([hashes, turned(hashes)])
    for band in range(64 // _BAND_BITS):
        left_by, right_by = (
            np.uint64(band * _BAND_BITS),
            np.uint64((64 - band * _BAND_BITS) % 64),
        )
        rolled = both << left_by | both >> right_by if band else both
        order = np.argsort(rolled, kind="stable")
        rolled = rolled[order]
        kept = 0
        for step in range(1, _MOST_STEPS + 1):
            left, right = rolled[:-step], rolled[step:]
            common = np.flatnonzero((left ^ right) < _TOP) if len(right) else _NONE
            if not len(common):
                break
            bits = distances(left[common], right[common])
            near = bits <= MOST_BITS
            one, other = order[common[near]], order[common[near] + step]
            across = np.ones(len(one), bool) if itself else (one < n) != (other < n)
            across &= one % n != other % n
            yield one[across] % n, other[across] % n, bits[near][across]
            kept += int(across.sum())
            if kept > _PAIRS_AN_IMAGE * n:
                break


_TOP = np.uint64(1) << np.uint64(64 - _BAND_BITS)
_NONE = np.zeros(0, dtype=np.int64)
