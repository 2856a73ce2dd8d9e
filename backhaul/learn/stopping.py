"""When to stop training: criteria of Prechelt (1998), "Early stopping - but when?"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from backhaul.learn.settings import (
    GlStopping,
    NoStopping,
    PqStopping,
    Stopping,
    UpStopping,
    UserStopping,
)


def should_stop(
    stopping: Stopping, train_losses: Sequence[float], valid_losses: Sequence[float | None]
) -> bool:
    """Return whether the criterion is met at the end of the last epoch.

    It depends on nothing but the history, so a training that was killed and goes on stops where
    it would have stopped. A loss that is not a number counts as infinitely bad.

    Args:
        stopping: The criterion.
        train_losses: Mean training loss of each epoch, from the run's first, shape (n,).
        valid_losses: Validation loss at the end of each epoch, None where it was not measured,
            shape (n,).

    Raises:
        ValueError: If the two histories differ in length.
    """
    if len(train_losses) != len(valid_losses):
        lengths = f"{len(train_losses)} and {len(valid_losses)}"
        raise ValueError(f"expected losses of the same epochs, got {lengths}")
    match stopping:
        case NoStopping():
            return False
        case UpStopping():
            return _rises(valid_losses, stopping.strip_len, stopping.successions)
        case GlStopping():
            return generalisation_loss(valid_losses) > stopping.alpha
        case PqStopping():
            if not train_losses or len(train_losses) % stopping.strip_len:
                return False
            progress = training_progress(train_losses[-stopping.strip_len :])
            return generalisation_loss(valid_losses) > stopping.alpha * progress
        case UserStopping():
            code = stopping.criterion
            with code.running():
                return bool(code.load()(**code.params).stop(train_losses, valid_losses))


def best_epoch(valid_losses: Sequence[float | None]) -> int:
    """Return the index of the lowest known loss, the earliest of equals.

    Where no loss is known, that is the last epoch.

    Raises:
        ValueError: If there is no epoch.
    """
    if not valid_losses:
        raise ValueError("expected at least one epoch")
    losses = [_comparable(loss) for loss in valid_losses]
    lowest = min(losses)
    return losses.index(lowest) if lowest < math.inf else len(losses) - 1


def generalisation_loss(valid_losses: Sequence[float | None]) -> float:
    """Return GL(t), the per cent by which the last loss exceeds the lowest so far, >= 0.

    It is 0 where the last epoch was not validated.
    """
    if not valid_losses or valid_losses[-1] is None:
        return 0.0
    last = _comparable(valid_losses[-1])
    lowest = min(_comparable(loss) for loss in valid_losses)
    if last == lowest:
        return 0.0
    return 100.0 * (last / lowest - 1.0) if lowest > 0 else math.inf


def training_progress(strip: Sequence[float]) -> float:
    """Return P_k(t), the per mille by which a strip's mean loss exceeds its lowest, >= 0.

    A strip with a loss that is not a finite number made no progress.
    """
    if not all(math.isfinite(loss) for loss in strip):
        return 0.0
    lowest = min(strip)
    mean = math.fsum(strip) / len(strip)
    if mean == lowest:
        return 0.0
    return 1000.0 * (mean / lowest - 1.0) if lowest > 0 else math.inf


def _rises(valid_losses: Sequence[float | None], strip_len: int, successions: int) -> bool:
    """Return whether each of the last `successions` strips ended higher than the previous."""
    if len(valid_losses) % strip_len:
        return False
    ends = [_comparable(loss) for loss in valid_losses[strip_len - 1 :: strip_len]]
    ends = ends[-successions - 1 :]
    if len(ends) <= successions:
        return False
    return all(later > earlier or later == math.inf for earlier, later in pairwise(ends))


def _comparable(loss: float | None) -> float:
    return math.inf if loss is None or math.isnan(loss) else loss
