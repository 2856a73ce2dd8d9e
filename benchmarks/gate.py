"""How often the gate of candidates errs, over simulated rounds of real detectors.

    python -m benchmarks.gate FOLDER [bca]

A large pool of images gives the true metric of each model. Each round draws a common set of its
own from it, and the gate decides by that alone. Models that are no better are two that swap
their detections image by image, by a fair coin: their true difference is 0, and each keeps its
own errors; or one whose detections are in some images those of a weaker one, in so many that
the pool says that both are equal. A better candidate is made so, too: one of two models sees in
some images as the weaker one does, so that the pool says `BETTER`. A candidate is trained from
the model before it, with more images, or apart from it. With `bca` another bound is tried, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import binomtest

from backhaul.arrays import BoolArray, FloatArray, IntArray
from backhaul.measure.gatesettings import Comparing, Gate
from backhaul.measure.paired import Resampled, resample
from backhaul.measure.ranking import AT_50, Matches, Ranking, match
from benchmarks.gatepool import Amounts, pool_at

ROUNDS = 200
SIZES = (300, 500, 800)
BETTER = 0.03
FIXED = 0.01
"""The difference from which Ianvs' example rule lets a model through."""
HALF = 0.5
SEED = 0
AMOUNTS = Amounts()
GATE = Gate(compare=Comparing(resamples=500))
"""The gate by its defaults, but for a quarter of the resamples."""


@dataclass(frozen=True, eq=False)
class Models:
    """What the models of a detector see in the pool, matched.

    Args:
        weak: Half way through its first training.
        rounds: At the end of it, then after each round.
    """

    weak: Matches
    rounds: Sequence[Matches]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two models of a round, in all images of the pool.

    Args:
        candidate: What the one sees.
        basis: What the one before it sees.
    """

    candidate: Matches
    basis: Matches

    def in_images(self, rows: IntArray) -> tuple[Ranking, Ranking]:
        """Return both in some images alone."""
        first, second = (at(each, rows).ranked(HALF) for each in (self.candidate, self.basis))
        return first, second

    @property
    def true_gain(self) -> float:
        """By how much the candidate's mAP50 is greater in the pool."""
        n = len(self.basis.n_truths)
        first, second = (
            each.score(np.ones((1, n)), "mAP50")[0] for each in self.in_images(np.arange(n))
        )
        return float(first - second)


@dataclass(frozen=True)
class Scenario:
    """Rounds of one kind.

    Args:
        name: What the candidate is, beside the model before it.
        gain: By how much the pool says that it is better.
        drawn: Returns the models of a round.
    """

    name: str
    gain: float
    drawn: Callable[[np.random.Generator], Pair]


Rule = Callable[[Resampled, Pair, IntArray], bool]
"""Whether a candidate is let through, by what was measured of it in the images of a round."""


def at(found: Matches, rows: IntArray) -> Matches:
    """Return the matches of these images, numbered anew."""
    edges = np.searchsorted(found.image, np.arange(len(found.n_truths) + 1))
    parts = [np.arange(edges[row], edges[row + 1]) for row in rows.tolist()]
    taken = np.concatenate(parts)
    return Matches(
        image=np.repeat(np.arange(len(rows)), [len(part) for part in parts]),
        class_id=found.class_id[taken],
        confidence=found.confidence[taken],
        is_hit=found.is_hit[taken],
        n_truths=found.n_truths[rows],
    )


def mixed(first: Matches, second: Matches, is_second: BoolArray) -> Matches:
    """Return the detections of one model, and in some images those of another."""
    own, other = ~is_second[first.image], is_second[second.image]
    image = np.concatenate([first.image[own], second.image[other]])
    order = np.argsort(image, kind="stable")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(first, name)[own], getattr(second, name)[other]])[order]
        for name in ("image", "class_id", "confidence", "is_hit")
    }
    return replace(first, **columns)


def equal(first: Matches, second: Matches, rng: np.random.Generator) -> Pair:
    """Return two models that are equally good: by a coin an image, each sees as the other."""
    coin = rng.random(len(first.n_truths)) < HALF
    return Pair(mixed(first, second, coin), mixed(first, second, ~coin))


def with_gain(pair: Pair, weaker: Matches, gain: float, rng: np.random.Generator) -> Pair:
    """Return a pair of which one model sees in some images as a weaker one.

    Args:
        pair: Two models.
        weaker: The weaker one.
        gain: By how much the candidate is then better in the pool, about.
        rng: Says in which images.
    """
    place = rng.random(len(weaker.n_truths))

    def of(share: float) -> Pair:
        if share >= 0:
            return replace(pair, basis=mixed(pair.basis, weaker, place < share))
        return replace(pair, candidate=mixed(pair.candidate, weaker, place < -share))

    low, high = -1.0, 1.0
    for _ in range(12):
        share = (low + high) / 2
        low, high = (share, high) if of(share).true_gain < gain else (low, share)
    return of(high)


def scenarios(detectors: Sequence[Models], rng: np.random.Generator) -> Iterator[Scenario]:
    """Yield the kinds of rounds that detectors can be put together to.

    Args:
        detectors: Two detectors.
        rng: Says in which images the weaker detections are.
    """
    first, second = detectors[:2]
    for kind, pair in (
        ("trained from it", Pair(first.rounds[-1], first.rounds[-2])),
        ("trained apart", Pair(first.rounds[-1], second.rounds[-1])),
    ):
        swapped = partial(equal, pair.candidate, pair.basis)
        yield Scenario(f"no better, {kind}", 0.0, swapped)
        for name, gain in (("no better, weakened", 0.0), ("better", BETTER)):
            made = with_gain(pair, first.weak, gain, rng)
            yield Scenario(f"{name}, {kind}", made.true_gain, partial(_always, made))


def _always(pair: Pair, rng: np.random.Generator) -> Pair:
    return pair


def by_gate(found: Resampled, pair: Pair, rows: IntArray) -> bool:
    """Let through what the gate does."""
    return found.lower_bound(GATE.compare.alpha) > GATE.min_gain


def by_difference(found: Resampled, pair: Pair, rows: IntArray) -> bool:
    """Let through what is better by a fixed difference, as Ianvs' example does."""
    return found.gain >= FIXED


def by_bca(found: Resampled, pair: Pair, rows: IntArray) -> bool:
    """Let through by the BCa bound (Efron and Tibshirani 1993, 14.3): the gate might use it."""
    gains = found.candidates - found.bases
    n = len(rows)
    first, second = pair.in_images(rows)
    without = 1 - np.eye(n)
    left_out: FloatArray = first.score(without, "mAP50") - second.score(without, "mAP50")
    influence = left_out.mean() - left_out
    spread = float(np.sum(influence**2)) ** 1.5
    acceleration = float(np.sum(influence**3)) / (6 * spread) if spread else 0.0
    bias = ndtri(np.clip(np.mean(gains < found.gain), 1e-9, 1 - 1e-9))
    z = bias + ndtri(GATE.compare.alpha)
    return float(np.quantile(gains, ndtr(bias + z / (1 - acceleration * z)))) > GATE.min_gain


RULES: Mapping[str, Rule] = {
    "gate": by_gate,
    f"{FIXED:g} or more": by_difference,
}
BCA = "by BCa"


def passed(
    scenario: Scenario,
    n_images: int,
    rounds: int,
    rng: np.random.Generator,
    rules: Mapping[str, Rule] = RULES,
) -> dict[str, int]:
    """Return how many of the rounds each rule lets through, each on images of its own."""
    counts = dict.fromkeys(rules, 0)
    n_pool = len(scenario.drawn(rng).basis.n_truths)
    for _ in range(rounds):
        pair = scenario.drawn(rng)
        rows = rng.choice(n_pool, n_images, replace=False)
        how = GATE.compare
        found = resample(
            *pair.in_images(rows), np.ones(n_images), how.metric, how.resamples, rng
        )
        for name, rule in rules.items():
            counts[name] += rule(found, pair, rows)
    return counts


def told(count: int, rounds: int) -> str:
    """Return a share of the rounds, with Wilson's 95 % interval."""
    low, high = binomtest(count, rounds).proportion_ci(method="wilson")
    return f"{count / rounds:6.1%} ({low:.1%} to {high:.1%})"


def main(
    folder: Path,
    rounds: int = ROUNDS,
    sizes: Sequence[int] = SIZES,
    amounts: Amounts = AMOUNTS,
    rules: Mapping[str, Rule] = RULES,
) -> dict[tuple[str, int], dict[str, int]]:
    """Print and return how many candidates are let through, by kind of round and images."""
    pool, detectors = pool_at(folder, amounts)
    models = []
    for number, each in enumerate(detectors):
        own = [match(raw, pool, AT_50) for raw in (each.weak, *each.models)]
        models.append(Models(own[0], own[1:]))
        ones = np.ones((1, len(pool)))
        reached = [f"{one.ranked(HALF).score(ones, 'mAP50')[0]:.3f}" for one in own]
        print(f"detector {number}: mAP50 {', '.join(reached)}")
    print(f"{'candidate':38}{'gain':>8}{'images':>8}  " + "".join(f"{n:26}" for n in rules))
    found = {}
    for scenario in scenarios(models, np.random.default_rng(SEED)):
        for n_images in sizes:
            rng = np.random.default_rng([SEED, n_images])
            counts = passed(scenario, n_images, rounds, rng, rules)
            found[scenario.name, n_images] = counts
            shares = "".join(f"{told(count, rounds):26}" for count in counts.values())
            line = f"{scenario.name:38}{scenario.gain:+8.3f}{n_images:8d}  {shares}"
            print(line, flush=True)
    return found


if __name__ == "__main__":
    more: dict[str, Rule] = {BCA: by_bca} if "bca" in sys.argv[2:] else {}
    main(Path(sys.argv[1]), rules={**RULES, **more})
