"""How often the gate errs, in a small simulation of made-up models; see `benchmarks.gate`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from backhaul.measure.ranking import AT_50, match
from benchmarks.gate import Models, Scenario, passed, scenarios
from tests.scored import scenes, seen_by

N_POOL, N_IMAGES, ROUNDS = 1_000, 100, 40
SKILLS = (0.25, 0.5, 0.6)
UNLIKELY = 0.001


@pytest.fixture(scope="module")
def simulated() -> dict[str, Scenario]:
    """Rounds of two made-up detectors, by what the candidate is."""
    rng = np.random.default_rng(0)
    pool = scenes(rng, N_POOL, n_classes=2)
    detectors = []
    for _ in range(2):
        weak, *rounds = (match(seen_by(rng, pool, skill), pool, AT_50) for skill in SKILLS)
        detectors.append(Models(weak, rounds))
    return {each.name: each for each in scenarios(detectors, rng)}


@pytest.mark.parametrize("kind", ["trained from it", "trained apart"])
def test_a_model_that_is_no_better_is_rarely_let_through(
    simulated: dict[str, Scenario], kind: str
) -> None:
    scenario = simulated[f"no better, {kind}"]
    counts = passed(scenario, N_IMAGES, ROUNDS, np.random.default_rng(1))
    assert counts["gate"] <= binom.ppf(1 - UNLIKELY, ROUNDS, 0.05)
    assert counts["0.01 or more"] > 2 * counts["gate"]


def test_the_truth_of_made_models_is_as_wished(simulated: dict[str, Scenario]) -> None:
    for name, scenario in simulated.items():
        wished = 0.03 if name.startswith("better") else 0.0
        assert scenario.gain == pytest.approx(wished, abs=0.005)
        if not name.startswith("no better, trained"):
            made = scenario.drawn(np.random.default_rng(2))
            assert made.true_gain == pytest.approx(scenario.gain)
