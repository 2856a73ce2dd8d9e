"""What a proposal goes by: a data set in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class of a data set.

    Args:
        name: Its name.
        n_images: Images that contain it.
        n_objects: All its objects.
        side: Side of its median object (root of its area), as a fraction of the longer side of
            its image; None without objects.
    """

    name: str
    n_images: int
    n_objects: int
    side: float | None


@dataclass(frozen=True, slots=True)
class Facts:
    """A data set in the numbers that a campaign is made by.

    Args:
        n_labelled: Labelled images.
        n_unlabelled: The others, which a simulated campaign has no use for.
        n_units: Labelled images or, where some belong together, groups of them.
        largest_unit: Images of the largest group, at least 1.
        classes: In the order of their ids.
    """

    n_labelled: int
    n_unlabelled: int
    n_units: int
    largest_unit: int
    classes: tuple[ClassFacts, ...]

    @property
    def n_objects(self) -> int:
        """Objects of all classes."""
        return sum(each.n_objects for each in self.classes)

    @property
    def grouped(self) -> bool:
        """Whether some images belong together."""
        return self.n_units < self.n_labelled

    def without_groups(self) -> Facts:
        """Return the same with each image standing for itself."""
        return replace(self, n_units=self.n_labelled, largest_unit=1)


def facts_of(images: ImageSet) -> Facts:
    """Return what a proposal goes by.

    Args:
        images: The data set.
    """
    labelled = images.labelled()
    sizes = _unit_sizes(labelled)
    return Facts(
        n_labelled=len(labelled),
        n_unlabelled=len(images) - len(labelled),
        n_units=len(sizes),
        largest_unit=int(sizes.max(initial=1)),
        classes=_classes(labelled),
    )


def _unit_sizes(images: ImageSet) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    group = images.table["group"]
    of_groups = group.value_counts().to_numpy(dtype=np.int64)
    return np.concatenate([of_groups, np.ones(int(group.isna().sum()), dtype=np.int64)])


def _classes(images: ImageSet) -> tuple[ClassFacts, ...]:
    table = images.table
    labels = Labels.concat(table["labels"])
    size_px = table[["width", "height"]].to_numpy(dtype=np.float64)
    of_object = np.repeat(np.arange(len(table)), [len(each) for each in table["labels"]])
    longer = size_px.max(axis=1)[of_object] if len(of_object) else np.zeros(0)
    side = np.sqrt((labels.xywhn[:, 2:] * size_px[of_object]).prod(axis=1)) / longer
    in_images = images.presence().sum(axis=0).tolist()
    found = []
    for number, name in enumerate(images.class_names):
        own = side[labels.class_id == number]
        median = float(np.median(own)) if len(own) else None
        found.append(ClassFacts(name, in_images[number], len(own), median))
    return tuple(found)
