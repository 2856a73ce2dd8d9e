"""Selection of the checkpoints that form an ensemble."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backhaul.values.checkpoints import Checkpoint


def ensemble(
    checkpoints: Sequence[Checkpoint], count: int, first_epoch_fraction: float = 0.0
) -> tuple[Checkpoint, ...]:
    """Return the checkpoints that form the ensemble, in the order of `checkpoints`.

    Args:
        checkpoints: Those there are, with distinct epochs, at least one.
        count: Most checkpoints of the ensemble, >= 1.
        first_epoch_fraction: Checkpoints before this fraction of the last epoch are left out.
    """
    epochs = [checkpoint.epoch for checkpoint in checkpoints]
    chosen = ensemble_epochs(epochs, count, first_epoch_fraction)
    return tuple(checkpoint for checkpoint in checkpoints if checkpoint.epoch in chosen)


def ensemble_epochs(
    available: Sequence[int], count: int, first_epoch_fraction: float = 0.0
) -> tuple[int, ...]:
    """Return the epochs of the ensemble, ascending, equally spaced, and ending with the last.

    Args:
        available: Epochs that have a checkpoint, in any order, at least one.
        count: Checkpoints of the ensemble, >= 1; all are taken if there are fewer, and 1 takes
            the last.
        first_epoch_fraction: Checkpoints before this fraction of the last epoch are left out,
            in [0, 1); 0.4 as in Geifman, Uziel and El-Yaniv (2019), averaged early stopping.

    Raises:
        ValueError: If nothing is available or `count` is below 1.

    Example:
        >>> ensemble_epochs(range(1, 51), 3)
        (1, 25, 50)
    """
    if not available or count < 1:
        raise ValueError(
            f"expected checkpoints and a count >= 1, got {len(available)} and {count}"
        )
    epochs = np.unique(np.asarray(available, dtype=np.int64))
    epochs = epochs[epochs >= first_epoch_fraction * epochs[-1]]
    back = np.linspace(0, epochs.size - 1, min(count, epochs.size))  # steps back from the last
    return tuple(epochs[::-1][np.floor(back + 0.5).astype(np.int64)][::-1].tolist())
