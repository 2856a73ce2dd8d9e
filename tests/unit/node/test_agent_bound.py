from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from backhaul.node.bound import most_value
from backhaul.node.frame import Frame
from backhaul.node.happenings import Effect, Write
from backhaul.node.trace import Trace
from tests.nodeworld import world

HOUR = 3_600.0


def outages(rng: np.random.Generator, rate: float) -> Trace:
    """Return a link whose rate changes every ten minutes, and that is down now and then."""
    begins = np.arange(0.0, 10 * HOUR, 600.0)
    rates = rate * rng.choice([0.0, 0.3, 1.0, 2.0], size=len(begins))
    rates[-1] = rate
    return Trace(begins, rates)


@pytest.mark.parametrize("seed", range(4))
def test_bound_is_that_of_a_linear_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    captured = np.sort(rng.uniform(0, HOUR, 25))
    size, value = rng.integers(100, 5_000, 25).astype(np.float64), rng.uniform(0, 1, 25)
    link, end = outages(rng, 8.0), HOUR * 0.9
    here = captured < end
    late = (captured[:, None] <= captured[None, :]) * size  # row k: frames from the k-th on
    room = [link.carried(end) - link.carried(t) for t in captured.tolist()]
    best = linprog(
        -value,
        A_ub=late[here] * here,
        b_ub=np.array(room)[here],
        bounds=[(0, int(h)) for h in here],
    )
    ours = most_value(captured, size, value, link, end)
    assert ours == pytest.approx(-best.fun, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_value_arrived_is_near_the_bound_at_every_cut(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    captured = np.sort(rng.uniform(0, 4 * HOUR, 600))
    link = outages(rng, 400.0)
    frames: list[Frame] = []

    def note(effect: Effect) -> None:
        if isinstance(effect, Write):
            frames.append(effect.kept.frame)

    node = world(
        tmp_path, captured, link, before=note, made={"mean_bytes": 30_000.0, "seed": seed}
    )
    node.start()
    node.heap.run(5 * HOUR)
    times = np.array([frame.captured_s for frame in frames])
    size = np.array([float(frame.size_bytes) for frame in frames])
    value = np.array([frame.value for frame in frames])
    arrived = np.array([node.home.arrived.get(frame.digest, np.inf) for frame in frames])
    assert len(frames) == 600
    for cut in np.linspace(HOUR / 2, 5 * HOUR, 19).tolist():
        most = most_value(times, size, value, link, cut)
        in_flight = value[np.isfinite(arrived)].max()
        assert value[arrived <= cut].sum() + in_flight >= 0.95 * most, cut / HOUR
