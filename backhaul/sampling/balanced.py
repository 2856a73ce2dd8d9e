"""Send images of all predicted classes alike, those of rare classes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from backhaul.arrays import IntArray
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.sightings import by_name
from backhaul.sampling.spending import fitting
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import positions
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class RareFirstSampling(SamplingMethod):
    """One image of each predicted class in turn, the rarest class first.

    A class is as frequent as the images in which it was detected. Of a class each image is as
    likely as another, and one that was taken for a rarer class is not taken again. Images
    without a detection come last.
    """

    kind: Literal["rare-first"] = "rare-first"

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the images in turns of classes, those that still fit.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.
        """
        rows = by_name(pool)[rng.permutation(len(pool))]
        names = [pool.image_id[row] for row in rows.tolist()]
        found = pool.detections
        class_of = dict(_in_turns(found.class_id, positions(found.image_id, names)))
        seen = np.array([*class_of], dtype=np.int64)
        order = np.concatenate([seen, np.setdiff1d(np.arange(len(pool)), seen)])
        size_bytes = pool.size_bytes[rows[order]]
        sent = fitting(size_bytes, bandwidth)
        reason = [
            f"class {class_of[number]}" if number in class_of else "undetected"
            for number in order[sent].tolist()
        ]
        chosen = [names[number] for number in order[sent].tolist()]
        return self.selection(chosen, size_bytes[sent], np.ones(len(sent)), reason)


def _in_turns(class_id: IntArray, image: IntArray) -> Iterator[tuple[int, int]]:
    """Yield each image, by ascending number within a class, and the class whose turn it was."""
    names, of = np.unique(class_id, return_inverse=True)
    n_images = image.max(initial=0) + 1
    of, image = np.divmod(np.unique(of * n_images + image), n_images)
    size = np.bincount(of, minlength=len(names))
    queues = np.split(image, np.cumsum(size)[:-1])
    rarest_first = np.argsort(size, kind="stable").tolist()
    waiting = [(int(names[k]), iter(queues[k].tolist())) for k in rarest_first]
    taken: set[int] = set()
    while waiting:
        left = []
        for name, images in waiting:
            if (number := next((i for i in images if i not in taken), None)) is not None:
                taken.add(number)
                left.append((name, images))
                yield number, name
        waiting = left
