"""Initial set, batches, holdout and bandwidth, from the number of labelled images."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from backhaul.campaign.proposal.facts import Facts
from backhaul.errors import InputError

LEAST_IMAGES = 30
"""Labelled images with which a campaign can be split, sampled and measured at all."""
INITIAL_UNITS = 5
"""Groups that the initial set should have: three to train with, and one each for the rest."""
INITIAL_SHARE, LEAST_INITIAL, MOST_INITIAL = 0.17, 15, 120
LEAST_BATCH, MOST_BATCH = 5, 250
SENT_SHARE = 0.4
BATCHES, HOLDOUT = 2, 1
TRAIN, VALID = 0.6, 0.2
SENT_TRAIN, SENT_VALID = 0.8, 0.1


@dataclass(frozen=True, slots=True)
class Sets:
    """How many images go where.

    Args:
        initial: Images of the initial set.
        batch: Images of a batch.
        batches: Batches that are sampled.
        sent: Images of a batch that may be sent.
        left: Images that are not used.
    """

    initial: int
    batch: int
    batches: int
    sent: int
    left: int

    @property
    def test(self) -> int:
        """Images of the common test set: of the initial set, and held out."""
        return round(self.initial * (1 - TRAIN - VALID)) + HOLDOUT * self.batch


def sets_for(facts: Facts, wanted: int = 0) -> Sets:
    """Return how many images go where.

    Groups are never divided, so with groups the initial set and the holdout may come out
    larger than asked for, by one group each; as much is left over for that.

    Args:
        facts: The data set.
        wanted: Images that the initial set should have at least; it has fewer where too few
            would be left for batches.

    Raises:
        InputError: If there are too few labelled images.
    """
    _require_enough(facts)
    n = facts.n_labelled - _slack(facts)
    least = _least_initial(facts)
    usual = max(min(round(n * INITIAL_SHARE), MOST_INITIAL), least)
    initial = max(usual, min(wanted, n - _least_batches(facts)))
    batches = BATCHES if n - initial >= (BATCHES + HOLDOUT) * LEAST_BATCH else 1
    batch = min((n - initial) // (batches + HOLDOUT), MOST_BATCH)
    return Sets(
        initial=initial,
        batch=batch,
        batches=batches,
        sent=max(round(batch * SENT_SHARE), 1),
        left=facts.n_labelled - initial - (batches + HOLDOUT) * batch,
    )


def can_be_divided(facts: Facts) -> bool:
    """Return whether the groups are small and many enough for an initial set and batches."""
    room = facts.n_labelled - _slack(facts) - _least_initial(facts)
    return room >= _least_batches(facts)


def _least_batches(facts: Facts) -> int:
    return (1 + HOLDOUT) * max(LEAST_BATCH, ceil(facts.n_labelled / facts.n_units))


def _slack(facts: Facts) -> int:
    return 2 * (facts.largest_unit - 1)


def _least_initial(facts: Facts) -> int:
    return max(LEAST_INITIAL, ceil(INITIAL_UNITS * facts.n_labelled / facts.n_units))


def _require_enough(facts: Facts) -> None:
    if facts.n_labelled < LEAST_IMAGES:
        raise InputError(
            f"{facts.n_labelled} labelled images: expected at least {LEAST_IMAGES}, to train "
            "with, to send from, and to measure with"
        )
    if not can_be_divided(facts):
        raise InputError(
            f"{facts.n_labelled} labelled images in {facts.n_units} groups, the largest of "
            f"{facts.largest_unit}: groups stay in one split, and these are too few"
        )
