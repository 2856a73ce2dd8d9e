"""Label images that wait by a simulated annotator, who knows the truth."""

from __future__ import annotations

import numpy as np

from backhaul.annotation.annotator import Annotator, annotate
from backhaul.annotation.taking import Given
from backhaul.annotation.waiting import WaitingImage
from backhaul.errors import InputError
from backhaul.randomness import generator
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

SOURCE = "simulated"


def truth_of(known: ImageSet, class_names: tuple[str, ...]) -> dict[str, Labels]:
    """Return the labels of a data set in the class list of a run, by image_id.

    Args:
        known: The data set; of images without labels nothing is known.
        class_names: The class list of the run.

    Raises:
        InputError: If the data set has a class that the run has not.
    """
    missing = [name for name in known.class_names if name not in class_names]
    if missing:
        raise InputError(
            f"class {missing[0]!r} of the data set is not of the run: {', '.join(class_names)}"
        )
    ids = np.array([class_names.index(name) for name in known.class_names], dtype=np.int64)
    labelled = known.labelled()
    return {
        image_id: Labels(ids[labels.class_id], labels.xywhn)
        for image_id, labels in zip(labelled.ids, labelled.table["labels"], strict=True)
    }


def label_by_simulation(
    image: WaitingImage,
    truth: Labels,
    shown: Labels | None,
    annotator: Annotator,
    n_classes: int,
    seed: int,
) -> Given:
    """Return what the simulated annotator makes of an image: the same, whatever the others are.

    Args:
        image: The image, which waits for labels.
        truth: What is in it.
        shown: The boxes of the model to begin with; None = an empty image.
        annotator: How the annotator works.
        n_classes: Length of the class list.
        seed: Seed of the errors.
    """
    rng = generator(seed, "annotator", image.file.image_id)
    answer = annotate(truth, shown, annotator, n_classes, rng)
    return Given(
        image=image,
        labels=answer.labels,
        source=SOURCE,
        shown=shown,
        annotator=f"simulated-{seed}",
        seconds=answer.seconds,
    )
