"""Images of a data set that belong together: copies of one, frames of a video, near-duplicates.

Names are looked at first: they say what is a copy and which frame of a video an image is. Then
images that look alike are joined. No group grows beyond a twentieth of the data set, so that it
can be divided: a long video is cut into contiguous stretches of frames.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.data.likeness import Hashes, distances, near_pairs
from backhaul.data.stems import COPIES_PATTERN, Stem, stems
from backhaul.values.images import ImageSet

PARTS = 20
"""A group has at most this part of the images, or ten."""
FEW_GROUPS = 10
"""With fewer, parts of a split have shares that nobody wanted, or are empty."""

_LEAST_FRAMES = 5  # with the same stem: fewer may be numbered for any reason
_ALIKE_BITS = 12  # consecutive frames of a video; unrelated images differ in about 31
_OF_A_CAMERA_S = 10.0  # between images with times in their names
_GAP = 10  # times the usual distance of frames: another scene


@dataclass(frozen=True, slots=True)
class FoundGroups:
    """Which images of a data set belong together.

    Args:
        names: The group of each image, None for one that stands alone; in the order of the set.
        pattern: What says the same as `data.group_pattern`; None if no pattern does.
        copies: Groups with images that are named as copies of one.
        sequences: Videos that frames were found of.
        stretches: Groups of frames that these were cut into.
        alike: Groups with images that look alike and whose names do not say so.
        near_duplicates: Share of images that look like another one; None if no image was
            decoded for it.
    """

    names: tuple[str | None, ...]
    pattern: str | None
    copies: int
    sequences: int
    stretches: int
    alike: int
    near_duplicates: float | None

    @property
    def n_groups(self) -> int:
        """Groups of two or more images."""
        return len({name for name in self.names if name is not None})

    @property
    def n_units(self) -> int:
        """Groups, and images that stand alone: what a split divides."""
        return self.n_groups + sum(name is None for name in self.names)


def find_groups(images: ImageSet, hashes: Hashes | None = None) -> FoundGroups:
    """Return which images belong together; the same images give the same groups.

    Args:
        images: A data set.
        hashes: Of each image, see `backhaul.data.likeness`; None = names alone are looked at.
    """
    named = stems(list(images.table["uri"]))
    unit = _copies(named)
    most = max(len(named) // PARTS, 10)
    n_copies = _number_of_groups(unit[[stem.is_copy for stem in named]])
    sequence = _sequences(named, hashes)
    stretch = _stretches(named, sequence, unit, most)
    unit = _joined(unit, stretch)
    n_alike, share = 0, None
    by_names = unit
    if hashes is not None:
        pairs = near_pairs(hashes)
        share = len(np.unique(pairs[:, :2])) / max(len(named), 1)
        apart = (sequence[pairs[:, 0]] < 0) | (sequence[pairs[:, 0]] != sequence[pairs[:, 1]])
        unit, n_alike = _join_alike(by_names, pairs[apart], most)
    only_copies = n_copies > 0 and not n_alike and not (stretch >= 0).any()
    return FoundGroups(
        names=_names(named, images.ids, unit),
        pattern=COPIES_PATTERN if only_copies and _no_folders(named) else None,
        copies=n_copies,
        sequences=len(np.unique(sequence[sequence >= 0])),
        stretches=_number_of_groups(unit[stretch >= 0]),
        alike=n_alike,
        near_duplicates=share,
    )


def _number_of_groups(unit: IntArray) -> int:
    return int((np.unique(unit, return_counts=True)[1] > 1).sum())


def _no_folders(named: Sequence[Stem]) -> bool:
    return not any("/" in stem.original for stem in named)


def _copies(named: Sequence[Stem]) -> IntArray:
    """Return the unit of each image, those named as copies of one in the same."""
    first: dict[str, int] = {}
    return np.array(
        [
            first.setdefault(stem.original, row) if stem.is_copy else row
            for row, stem in enumerate(named)
        ],
        dtype=np.int64,
    )


def _sequences(named: Sequence[Stem], hashes: Hashes | None) -> IntArray:
    """Return the number of the video that each image is a frame of, -1 for none."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, stem in enumerate(named):
        if stem.sequence is not None:
            rows_of[stem.sequence].append(row)
    found = np.full(len(named), -1, dtype=np.int64)
    for number, name in enumerate(sorted(rows_of)):
        rows = sorted(rows_of[name], key=lambda row: (named[row].position, row))
        if _is_video([named[row] for row in rows], None if hashes is None else hashes[rows]):
            found[rows] = number
    return found


def _is_video(frames: Sequence[Stem], hashes: Hashes | None) -> bool:
    """Return whether images with numbers in place of one another are frames of a video.

    A number alone says little, as most data sets are numbered: a word such as ``frame`` or
    ``cam`` does, times a few seconds apart, or that consecutive images look alike.
    """
    position = np.array([frame.position for frame in frames])
    new = np.concatenate([[True], np.diff(position) > 0])
    if new.sum() < _LEAST_FRAMES:
        return False
    if sum(frame.of_video for frame in frames) * 2 > len(frames):
        return True
    if frames[0].is_timed and float(np.median(np.diff(position[new]))) <= _OF_A_CAMERA_S:
        return True
    if hashes is None:
        return False
    differing = distances(hashes[new][1:], hashes[new][:-1])
    return float(np.median(differing)) <= _ALIKE_BITS


def _stretches(
    named: Sequence[Stem], sequence: IntArray, copies: IntArray, most: int
) -> IntArray:
    """Return the number of the contiguous stretch of frames of each image, -1 for none.

    A video is cut where frames are missing, and a longer part into equal ones of up to `most`
    images; copies of one frame stay together.
    """
    found = np.full(len(named), -1, dtype=np.int64)
    next_number = 0
    for number in np.unique(sequence[sequence >= 0]):
        rows = np.flatnonzero(sequence == number)
        position = np.array([named[row].position for row in rows.tolist()])
        order = np.lexsort((copies[rows], position))
        part = _cut(position[order], most)
        found[rows[order]] = next_number + part
        next_number += int(part[-1]) + 1
    return found


def _cut(position: FloatArray, most: int) -> IntArray:
    """Return the part of each frame, from 0, given their positions in order."""
    frames, of_frame, n_images = np.unique(position, return_inverse=True, return_counts=True)
    steps = np.diff(frames)
    scene = np.concatenate([[0], np.cumsum(steps > _GAP * np.median(steps))]).astype(np.int64)
    in_scene = np.bincount(scene, weights=n_images)
    start = np.cumsum(in_scene) - in_scene
    before = np.cumsum(n_images) - n_images - start[scene]
    n_parts = np.ceil(in_scene / most)
    part = np.floor(before * n_parts[scene] / in_scene[scene])
    changed = (np.diff(scene) > 0) | (np.diff(part) != 0)
    of_frames = np.concatenate([[0], np.cumsum(changed)]).astype(np.int64)
    return of_frames[of_frame]


def _joined(unit: IntArray, stretch: IntArray) -> IntArray:
    """Return the units with all images of a stretch in one."""
    joined = unit.copy()
    rows = np.flatnonzero(stretch >= 0)
    _, first, inverse = np.unique(stretch[rows], return_index=True, return_inverse=True)
    joined[rows] = rows[first][inverse]
    return joined


def _join_alike(unit: IntArray, pairs: IntArray, most: int) -> tuple[IntArray, int]:
    """Join units with images that look alike, the most similar first, up to `most` images.

    Returns:
        The unit of each image, and how many of them were joined of several.
    """
    parent = np.arange(len(unit))
    size = np.bincount(unit, minlength=len(unit))
    grown = np.zeros(len(unit), dtype=bool)

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    ends = unit[pairs[:, :2]]
    for a, b in ends[ends[:, 0] != ends[:, 1]].tolist():
        one, other = sorted((root(a), root(b)))
        if one != other and size[one] + size[other] <= most:
            parent[other] = one
            size[one] += size[other]
            grown[one] = True
    roots = np.array([root(int(row)) for row in unit], dtype=np.int64)
    return roots, int(grown[np.unique(roots)].sum())


def _names(named: Sequence[Stem], ids: Sequence[str], unit: IntArray) -> tuple[str | None, ...]:
    """Return the name of each image's group: the name and id of its first image."""
    n_images = Counter(unit.tolist())
    return tuple(
        f"{named[row].original} {ids[row][:8]}" if n_images[row] > 1 else None
        for row in unit.tolist()
    )
