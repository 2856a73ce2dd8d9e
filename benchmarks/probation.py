"""How many bad models a probation catches, and how many good ones pass.

``python -m benchmarks.probation RUN`` takes the folder of a run with all its checkpoints. Each
looks at the run's common test set, and each frame is scored. Many probations are then played
with frames drawn from these with replacement: the model before is a checkpoint three quarters
up in F1, and the new one mixes, frame by frame, a checkpoint that is worse with one that is
better, so that its mean differs by what is asked.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from backhaul.arrays import FloatArray
from backhaul.campaign.publish import Probation
from backhaul.campaign.runrecords import RunRecords, required_runs
from backhaul.errors import InputError
from backhaul.layout import run_at
from backhaul.look.fusion import fuse
from backhaul.look.look import predictor_of
from backhaul.look.protocol import PredictionSettings
from backhaul.measure.framescore import frame_scores
from backhaul.measure.matching import benchmark
from backhaul.measure.probation import compare
from backhaul.storage.imagefiles import localise
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import read_value
from backhaul.storage.scratch import scratch_folder
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.images import ImageSet

DIFFERENCES = (-0.2, -0.1, -0.05, -0.02, 0.0, 0.02)
N_PLAYS, SEED = 2_000, 0
MOST_CHECKPOINTS = 24
"""Of a run, evenly spread over its training."""
EXPLORED = (0.05, 0.1, 0.2)
"""Probabilities with which windows draw frames, in the plays with uneven weights."""


def main(run: str) -> None:
    """Score all checkpoints of a run, play probations, and print a table."""
    files = run_at(run)
    if files is None:
        raise InputError(f"{run}: expected the folder of a run in its store")
    scores = scores_of(required_runs(files)[0])
    means = np.sort(scores.mean(axis=1))
    settings = Probation()
    table = Table(
        *("differs by", "weights", "spread", "caught", "on the way", "after frames", "passed"),
        title=f"{N_PLAYS} probations of {settings.frames} frames, from {scores.shape[1]} "
        f"frames and {len(scores)} checkpoints of F1 {means[0]:.2f} to {means[-1]:.2f}",
    )
    above = float(means[-1] - means[before_in(means)])
    for difference in (each for each in DIFFERENCES if each <= above):
        for is_uneven in (False, True):
            table.add_row(*_row(scores, difference, settings, is_uneven=is_uneven))
    Console().print(table)


def scores_of(records: RunRecords) -> FloatArray:
    """Return F1 of checkpoints in each frame of the common test set, (checkpoints, frames)."""
    looking, setting = records.looking, records.required_setting
    images = read_value(ImageSet, setting.common).labelled()
    every = [c for each in records.rounds for c in each.new_checkpoints]
    picked = np.unique(np.linspace(0, len(every) - 1, MOST_CHECKPOINTS).round().astype(int))
    rows = []
    with scratch_folder() as folder:
        settings = PredictionSettings(
            img_size=looking.training.img_size,
            conf_thres=looking.inference.conf_thres,
            nms_thres=looking.inference.nms_thres,
        )
        local = localise(images, folder).local()
        for each in (every[at] for at in picked.tolist()):
            path = local_object(each.artifact, folder)
            weights = LocalCheckpoint(each.epoch, path, each.artifact.content_digest)
            raw = predictor_of(None).predict(local, (weights,), settings, lambda *_: None)
            fused = fuse(raw, (each.epoch,), looking.inference.iou_thres)
            seen = benchmark(fused, images, looking.evaluation.iou_thres)
            rows.append(frame_scores(seen, images.ids, looking.evaluation.pos_thres))
    return np.array(rows)


def before_in(means: FloatArray) -> int:
    """Return which of the checkpoints, from the worst to the best, is the model before."""
    return len(means) * 3 // 4


def differences_of(scores: FloatArray, difference: float) -> FloatArray:
    """Return, for each frame, the differences of the worse and the better model, and the share.

    Args:
        scores: F1, shape (models, frames).
        difference: What the mixture differs by from the model before, on average.

    Returns:
        Rows of the worse and the better model, and in the third the share of the worse.
    """
    means = scores.mean(axis=1)
    order = np.argsort(means)
    before = order[before_in(means)]
    target = means[before] + difference
    others = [each for each in order if each != before]
    low = max((e for e in others if means[e] <= target), key=lambda e: means[e])
    high = min((e for e in others if means[e] >= target), key=lambda e: means[e])
    gap = means[high] - means[low]
    share = 1.0 if not gap else (means[high] - target) / gap
    own = scores[before]
    return np.stack([scores[low] - own, scores[high] - own, np.full(len(own), share)])


def _row(
    scores: FloatArray, difference: float, settings: Probation, *, is_uneven: bool
) -> list[str]:
    worse, better, share = differences_of(scores, difference)
    rng = np.random.default_rng(SEED)
    outcomes: Counter[str] = Counter()
    until, spread = [], []
    for _ in range(N_PLAYS):
        at = rng.integers(0, len(worse), settings.frames)
        d = np.where(rng.random(len(at)) < share[at], worse[at], better[at])
        weight = 1 / rng.choice(EXPLORED, len(at)) if is_uneven else np.ones(len(at))
        found = compare(
            weight,
            d,
            most=settings.frames,
            margin=settings.margin,
            alpha=settings.alpha,
        )
        outcomes[found.outcome] += 1
        spread.append(d.std())
        until += [found.n] if found.outcome == "worse" else []
    passed = outcomes["not worse"]
    return [
        f"{difference:+.2f}",
        "uneven" if is_uneven else "even",
        f"{np.mean(spread):.2f}",
        _share(N_PLAYS - passed),
        _share(outcomes["worse"]),
        f"{np.median(until):.0f}" if until else "-",
        _share(passed),
    ]


def _share(hits: int) -> str:
    low, high = binomtest(hits, N_PLAYS).proportion_ci(method="wilson")
    return f"{hits / N_PLAYS:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
