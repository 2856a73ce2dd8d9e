"""The share of what a node sends that chance draws, whenever its camera has frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backhaul.arrays import FloatArray
from backhaul.link.settings import Link
from backhaul.node.frame import Frame
from backhaul.node.happenings import Effect, Note, Write
from backhaul.node.policies import StreamPolicy, WindowPolicy
from backhaul.node.trace import Trace
from backhaul.sampling import TrueRandomSampling
from tests.nodeworld import world

WINDOW_S, PER_WINDOW, N_WINDOWS, MEAN_BYTES = 600.0, 60, 40, 8_000.0
SHARE, FITS = 0.4, 0.5
"""Of what may be sent, chance draws so much; so much of what is seen may be sent."""


FAST = Trace(np.zeros(1), np.full(1, 1e9))


def link_of_half() -> Link:
    """Return a link whose windows carry half of what is seen in one."""
    may = int(PER_WINDOW * MEAN_BYTES * np.exp(0.6**2 / 2) * FITS)
    allowances = [{"period": "window", "bytes": may}]
    return Link.model_validate({"window_s": WINDOW_S, "allowances": allowances})


def explored(folder: Path, captured_s: FloatArray) -> FloatArray:
    """Return whether chance drew each frame, in order of time, from the second window on."""
    frames: list[Frame] = []

    def note(effect: Effect) -> None:
        if isinstance(effect, Write):
            frames.append(effect.kept.frame)

    policy = StreamPolicy(utility="confidence", diversity="none", suppress=False, explore=SHARE)
    node = world(
        *(folder, captured_s, FAST), before=note, link=link_of_half(), policies=(policy,)
    )
    node.start()
    node.heap.run(float(captured_s[-1]) + 1)
    later = [f for f in frames if f.captured_s > captured_s[0] + WINDOW_S]
    return np.array([frame.why == "explored" for frame in later], dtype=np.float64)


def test_what_a_method_and_chance_choose_goes_over_the_link(tmp_path: Path) -> None:
    """Both together choose what windows carry: nothing piles up, as chance takes its part."""
    chosen: dict[str, str] = {}

    def note(effect: Effect) -> None:
        if isinstance(effect, Write) and effect.kept.frame.why == "explored":
            chosen[effect.kept.frame.digest] = "explored"
        if isinstance(effect, Note) and effect.frame.why == "valued":
            chosen[effect.frame.digest] = "valued"

    method = TrueRandomSampling()
    policy = WindowPolicy(name="w", method=method, suppress=False, explore=SHARE)
    captured_s = every(1)
    node = world(
        *(tmp_path, captured_s, FAST), before=note, link=link_of_half(), policies=(policy,)
    )
    node.start()
    node.heap.run(float(captured_s[-1]) + WINDOW_S)
    of_chance = sum(why == "explored" for why in chosen.values())
    arrived = len(node.home.arrived)
    assert of_chance / len(captured_s) == pytest.approx(SHARE * FITS, abs=0.03)
    assert arrived == pytest.approx(FITS * len(captured_s), rel=0.1)
    assert len(chosen) - arrived < PER_WINDOW


def every(n: int) -> FloatArray:
    """Return times of frames that come in one of so many windows."""
    begins = np.arange(N_WINDOWS) * n * WINDOW_S
    within = np.linspace(1, WINDOW_S - 1, PER_WINDOW)
    return np.asarray((begins[:, None] + within[None, :]).ravel(), dtype=np.float64)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_chance_draws_its_share_where_most_windows_are_empty(tmp_path: Path, n: int) -> None:
    drawn = explored(tmp_path, every(n))
    assert len(drawn) > PER_WINDOW * (N_WINDOWS - 2)
    assert abs(drawn.mean() - SHARE * FITS) < 0.03
