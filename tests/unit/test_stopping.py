from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.code import UserCode
from backhaul.learn.settings import (
    GlStopping,
    NoStopping,
    PqStopping,
    Stopping,
    UpStopping,
    UserStopping,
)
from backhaul.learn.stopping import (
    best_epoch,
    generalisation_loss,
    should_stop,
    training_progress,
)

UP = UpStopping(strip_len=2, successions=2)
CRITERIA: list[Stopping] = [
    NoStopping(),
    UP,
    UpStopping(strip_len=1, successions=1),
    GlStopping(alpha=5),
    PqStopping(alpha=0.75, strip_len=2),
]
LOSSES = st.lists(
    st.tuples(
        st.floats(0, 10) | st.just(math.nan) | st.just(math.inf),
        st.none() | st.floats(0, 10) | st.just(math.nan) | st.just(math.inf),
    ),
    max_size=12,
)


def first_stop(stopping: Stopping, valid: Sequence[float | None], train: float = 1.0) -> int:
    """Return the epoch, from 1, after which a training ends; 0 if it runs through."""
    for n in range(1, len(valid) + 1):
        if should_stop(stopping, [train] * n, valid[:n]):
            return n
    return 0


def slow_up(ends: list[float], successions: int) -> bool:
    """UP_s by Prechelt's recursion: UP_s(t) iff UP_{s-1}(t - k) and E(t) > E(t - k)."""
    if successions == 0:
        return True
    return len(ends) > 1 and ends[-1] > ends[-2] and slow_up(ends[:-1], successions - 1)


@given(
    valid=st.lists(st.integers(0, 4).map(float), max_size=24),
    strip_len=st.integers(1, 4),
    successions=st.integers(1, 4),
)
def test_up_follows_the_recursion(valid: list[float], strip_len: int, successions: int) -> None:
    stopping = UpStopping(strip_len=strip_len, successions=successions)
    at_end = len(valid) % strip_len == 0
    ends = valid[strip_len - 1 :: strip_len]
    expected = at_end and slow_up(ends, successions)
    assert should_stop(stopping, [1.0] * len(valid), valid) == expected


def test_up_stops_after_increases_in_a_row() -> None:
    assert first_stop(UP, [9, 3, 9, 4, 9, 5]) == 6
    assert first_stop(UP, [9, 3, 9, 4, 9, 2, 9, 3, 9, 4]) == 10
    assert first_stop(UP, [9, 3, 9, 3, 9, 3]) == 0


def test_defect_26_every_strip_has_its_full_length() -> None:
    one = UpStopping(strip_len=3, successions=1)
    assert first_stop(one, [1, 5, 5, 5, 5, 6]) == 6  # not epoch 1 against epoch 4
    assert first_stop(one, [1, 2, 3, 4, 5, 3]) == 0


def test_defect_26_the_best_epoch_is_known() -> None:
    assert best_epoch([3.0, 1.0, 2.0, 1.0]) == 1


def test_up_with_losses_every_second_epoch() -> None:
    assert first_stop(UP, [None, 3, None, 4, None, 5]) == 6


def test_gl_is_in_percent_of_the_lowest() -> None:
    assert generalisation_loss([4.0, 2.0, 2.1]) == pytest.approx(5.0)
    assert generalisation_loss([4.0, 2.0, 1.0]) == 0.0
    assert first_stop(GlStopping(alpha=5), [4.0, 2.0, 2.05, 2.2, 9.0]) == 4
    assert first_stop(GlStopping(alpha=5), [2.0, None, None]) == 0
    assert first_stop(GlStopping(alpha=5), [0.0, 0.1]) == 2


def test_pq_weighs_generalisation_loss_by_progress() -> None:
    strip = [1.1, 1.0, 0.9]
    assert training_progress(strip) == pytest.approx(1000 * (3.0 / (3 * 0.9) - 1))
    valid = [2.0, 2.0, 2.2]  # GL 10 %, progress 111 per mille: quotient 0.09
    assert should_stop(PqStopping(alpha=0.08, strip_len=3), strip, valid)
    assert not should_stop(PqStopping(alpha=0.1, strip_len=3), strip, valid)


def test_pq_looks_at_strip_ends_only() -> None:
    stopping = PqStopping(alpha=0.1, strip_len=3)
    assert first_stop(stopping, [1, 2, 1, 2, 2, 2]) == 6  # flat training: any loss stops
    assert first_stop(stopping, [2, 1.9, 1.8, 1.7]) == 0


def test_no_stopping_never_stops() -> None:
    assert first_stop(NoStopping(), [1, 2, 3, 4, 5, 6]) == 0


def test_criterion_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
class Patience:
    def __init__(self, epochs):
        self.epochs = epochs

    def stop(self, train_losses, valid_losses):
        return len(valid_losses) - valid_losses.index(min(valid_losses)) > self.epochs
"""
    (tmp_path / "patience_for_test.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    code = UserCode(use="patience_for_test:Patience", params={"epochs": 2})
    assert first_stop(UserStopping(criterion=code), [3.0, 1.0, 2.0, 2.0, 2.0]) == 4


@pytest.mark.parametrize("stopping", CRITERIA, ids=repr)
@given(losses=LOSSES)
def test_any_history_gives_an_answer(
    stopping: Stopping, losses: list[tuple[float, float | None]]
) -> None:
    train, valid = [a for a, _ in losses], [b for _, b in losses]
    answer = should_stop(stopping, train, valid)
    assert answer is should_stop(stopping, tuple(train), tuple(valid))
    if valid:
        best = valid[best_epoch(valid)]
        known = [v for v in valid if v is not None and math.isfinite(v)]
        assert best == min(known) if known else best is valid[-1]


def test_a_training_that_diverged_stops() -> None:
    diverged = [2.0, 1.0, *[math.nan] * 6]
    assert first_stop(UP, diverged) == 6
    assert first_stop(GlStopping(alpha=5), diverged) == 3
    assert should_stop(PqStopping(strip_len=2), [1.0, 1.0, math.nan, math.nan], diverged[:4])


def test_best_epoch_passes_over_unknown_losses() -> None:
    assert best_epoch([None, math.nan, 3.0, None, 2.0, math.nan]) == 4
    assert best_epoch([None, None]) == 1
    with pytest.raises(ValueError, match="at least one epoch"):
        best_epoch([])


def test_histories_must_be_of_the_same_epochs() -> None:
    with pytest.raises(ValueError, match="same epochs"):
        should_stop(UP, [1.0], [])
