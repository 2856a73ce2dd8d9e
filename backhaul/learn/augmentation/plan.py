"""Plan the number of copies of each image so that every class is in enough images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from backhaul.arrays import BoolArray, IntArray
from backhaul.values.images import ImageSet


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of copies, and how many images contain each class before and after.

    Args:
        copies: Original and its number of copies, at least 1, ordered by image_id.
        target: Images that should contain each class.
        before: Images that contain each class, existing copies included, shape (n_classes,).
        after: The same with the copies of this plan, shape (n_classes,).
    """

    copies: tuple[tuple[str, int], ...]
    target: int
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def n_copies(self) -> int:
        """Number of all copies."""
        return sum(number for _, number in self.copies)

    def unreached(self, class_names: tuple[str, ...]) -> tuple[str, ...]:
        """Return one line for each class that stays below the target, with the reason."""
        return tuple(
            f"class {name}: {count} of {self.target} images; "
            + ("no new image contains it" if count else "no image contains it")
            for name, count in zip(class_names, self.after, strict=True)
            if count < self.target
        )


def plan(
    images: ImageSet, new_ids: Collection[str], target: int, rng: np.random.Generator
) -> Plan:
    """Plan copies until each class is in `target` images, or no new image contains it.

    The rarest class comes first. Of the new images that contain it those with the fewest copies
    are next, of these the ones with the fewest classes that are in enough images already, then
    at random. Nothing is removed; a class may end above the target because it shares images
    with rarer ones. Every copy brings a class nearer to the target, so this ends.

    Args:
        images: What is trained on, old and new, existing copies included: they all count. Their
            order does not matter.
        new_ids: Originals among them that may be copied.
        target: Images that should contain each class, originals included.
        rng: The only source of randomness.

    Raises:
        KeyError: If a new image is not in `images`.
    """
    candidates = images.take(sorted(new_ids))
    present = candidates.presence()
    before = images.presence().sum(axis=0)
    copies = _spread(present, before, target, rng)
    after = before + copies @ present
    return Plan(
        copies=tuple(
            (image_id, int(number))
            for image_id, number in zip(candidates.ids, copies, strict=True)
            if number
        ),
        target=target,
        before=tuple(before.tolist()),
        after=tuple(after.tolist()),
    )


def _spread(
    present: BoolArray, before: IntArray, target: int, rng: np.random.Generator
) -> IntArray:
    """Return the copies of each candidate, shape (n,).

    Works in steps: until another class reaches the target the order of the candidates of one
    class stands, so many of them are taken at once.
    """
    copies = np.zeros(len(present), dtype=np.int64)
    counts = before.astype(np.int64)
    tie = rng.permutation(len(present))
    reachable = present.any(axis=0)
    while (open_classes := np.flatnonzero(reachable & (counts < target))).size:
        rarest = open_classes[np.argmin(counts[open_classes])]
        having = np.flatnonzero(present[:, rarest])
        least = having[copies[having] == copies[having].min()]
        enough = present[least][:, counts >= target].sum(axis=1)
        order = least[np.lexsort((tie[least], enough))][: target - counts[rarest]]
        reached = counts + np.cumsum(present[order], axis=0) >= target
        news = np.flatnonzero((reached & (counts < target)).any(axis=1))
        taken = order[: news[0] + 1] if news.size else order
        copies[taken] += 1
        counts += present[taken].sum(axis=0)
    return copies
