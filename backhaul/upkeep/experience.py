"""Time and disk space that earlier rounds in a store took."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import RunRecords, runs_in
from backhaul.layout import CHECKPOINT, internal
from backhaul.storage.listing import listing

TRAINING, TRIAL = "training", "trial"


class Experience(BaseModel):
    """Time and disk space of rounds of comparable runs: same model, same image size.

    Args:
        runs: Names of these runs.
        seconds_per_image: To train with one image, in one epoch.
        seconds_beside: All the rest of a round.
        checkpoint_bytes: Mean size of a checkpoint; None if none of them is left.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: tuple[str, ...]
    seconds_per_image: float
    seconds_beside: float
    checkpoint_bytes: float | None


def experience_of(config: CampaignConfig) -> Experience | None:
    """Measure the rounds of this run or, without any, of comparable runs in its store.

    Args:
        config: The campaign, opened.

    Returns:
        None if there is no such run.
    """
    found = [run for run in runs_in(config.store) if _is_comparable(run, config)]
    own = [run for run in found if run.files.name == config.name]
    for candidates in (own, found):
        trained = [run for run in candidates if any(r.training for r in run.rounds)]
        if trained:
            return _told_by(trained, config.store)
    return None


def _is_comparable(run: RunRecords, config: CampaignConfig) -> bool:
    of_run = run.config.get("training", {})
    of_config = config.training.model_dump(mode="json")
    return all(of_run.get(key) == of_config[key] for key in ("model", "img_size", "detector"))


def _told_by(runs: Iterable[RunRecords], root: str) -> Experience:
    rounds = [each for run in runs for each in run.rounds]
    trainings = [each.training for each in rounds if each.training is not None]
    looked_at = sum(t.epochs * t.n_train for t in trainings)
    checkpoints = {c.artifact.uri for t in trainings for c in t.checkpoints}
    sizes = [
        file.size_bytes
        for file in listing(internal(root, "objects"))
        if file.uri.endswith(CHECKPOINT) and file.uri in checkpoints
    ]
    known = [seconds for each in rounds if (seconds := _beside(each)) is not None]
    return Experience(
        runs=tuple(run.files.name for run in runs),
        seconds_per_image=sum(t.seconds for t in trainings) / max(looked_at, 1),
        seconds_beside=sum(known) / len(known) if known else 0.0,
        checkpoint_bytes=sum(sizes) / len(sizes) if sizes else None,
    )


def _beside(record: RoundRecord) -> float | None:
    """Return the seconds of a round outside its epochs; None if its training was cached.

    Trials do not count, as they are estimated by their own epochs.
    """
    if record.training is None:
        return None
    if not any(t.stage == TRAINING and not t.cached for t in record.timings):
        return None
    whole = sum(t.seconds for t in record.timings if not t.cached and t.stage != TRIAL)
    return max(whole - record.training.seconds, 0.0)
