"""How many augmented copies a small training set gets."""

from __future__ import annotations

from backhaul.campaign.proposal.facts import Facts

ENOUGH = 160
"""Images of an epoch from which on copies are not needed."""


def training_images(facts: Facts, originals: int, images_per_class: int) -> int:
    """Return how many images there are after copies were made, as far as can be expected.

    Args:
        facts: The data set, which says how often images contain the classes.
        originals: Images that are trained on.
        images_per_class: What `augmentation.images_per_class` says.
    """
    share = [each.n_images / facts.n_labelled for each in facts.classes if each.n_images]
    missing = [max(images_per_class - originals * part, 0.0) for part in share]
    together = max(sum(share), 1.0)  # a copy brings all classes of its image nearer
    return originals + round(max(max(missing, default=0.0), sum(missing) / together))


def images_per_class(facts: Facts, originals: int) -> int | None:
    """Return the target of augmentation with which an epoch has about `ENOUGH` images.

    Args:
        facts: The data set.
        originals: Images that are trained on.

    Returns:
        None if there are enough without copies.
    """
    if originals >= ENOUGH or not facts.n_objects:
        return None
    targets = range(1, ENOUGH + 1)
    fitting = [t for t in targets if training_images(facts, originals, t) <= ENOUGH]
    return max(fitting, default=1)
