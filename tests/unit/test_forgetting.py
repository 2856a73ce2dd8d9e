"""Backward transfer and forgetting, against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.analysis.forgetting import forgetting_finding
from backhaul.analysis.series import ForgettingPlan, Played, Schedule
from backhaul.arrays import FloatArray
from backhaul.measure.forgetting import backward_transfer, forgetting
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint

NONE = np.nan
SCORES = np.array(
    [
        [0.8, NONE, NONE, NONE],
        [0.6, 0.5, NONE, NONE],
        [0.9, 0.7, 0.4, NONE],
        [0.7, 0.4, 0.1, 0.3],
    ]
)


def test_by_hand() -> None:
    # after 1: 0.6 - 0.8; after 2: (0.1 + 0.2) / 2; after 3: (-0.1 - 0.1 - 0.3) / 3
    np.testing.assert_allclose(backward_transfer(SCORES), [NONE, -0.2, 0.15, -0.5 / 3])
    # after 2: (0.8 - 0.9 + 0.5 - 0.7) / 2; after 3: (0.9 - 0.7 + 0.7 - 0.4 + 0.4 - 0.1) / 3
    np.testing.assert_allclose(forgetting(SCORES), [NONE, 0.2, -0.15, 0.8 / 3])


def test_a_test_that_was_never_measured_does_not_count() -> None:
    known = SCORES.copy()
    known[:, 1] = NONE
    np.testing.assert_allclose(backward_transfer(known), [NONE, -0.2, 0.1, -0.2])
    np.testing.assert_allclose(forgetting(known), [NONE, 0.2, -0.1, 0.25])
    assert np.isnan(backward_transfer(np.full((3, 3), NONE))).all()
    assert np.isnan(forgetting(np.full((1, 1), 0.5))).all()


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_as_the_papers_write_them(n: int, seed: int) -> None:
    every = np.random.default_rng(seed).random((n, n))
    scores = np.where(np.tri(n, dtype=bool), every, NONE)
    last = n - 1
    if not last:
        return
    changes = [scores[last, j] - scores[j, j] for j in range(last)]
    losses = [max(scores[j:last, j]) - scores[last, j] for j in range(last)]
    assert backward_transfer(scores)[last] == pytest.approx(np.mean(changes))
    assert forgetting(scores)[last] == pytest.approx(np.mean(losses))
    assert (forgetting(scores)[1:] >= -backward_transfer(scores)[1:] - 1e-12).all()


def played(method: str, batch: int | None, epoch: int) -> Played:
    past = (Checkpoint(epoch=epoch, artifact=Artifact(uri="x", sha256=str(epoch))),)
    return Played(method, batch, past)


def test_each_model_is_measured_on_what_was_learned_so_far() -> None:
    rounds = [played("init", None, 3), played("iqr", 0, 4), played("iqr", 1, 5)]
    points = ForgettingPlan().points(rounds, Schedule(2, 1))
    assert [(point.epoch, dict(point.sets)) for point in points] == [
        (3, {"init": ("init",)}),
        (4, {"init": ("init",), "batch0_test": ("iqr0_test",)}),
        (
            5,
            {"init": ("init",), "batch0_test": ("iqr0_test",), "batch1_test": ("iqr1_test",)},
        ),
    ]


def table(matrix: FloatArray) -> pd.DataFrame:
    """Return what was measured of a method, and of the control arm, which has no own tests."""
    rows: list[tuple[str, int | None, int, str, float]] = [("init", None, 3, "init", 0.8)]
    for batch, own in enumerate(matrix[1:]):
        names = ["init", *(f"batch{b}_test" for b in range(batch + 1))]
        rows += [
            ("iqr", batch, 4 + batch, *pair) for pair in zip(names, own.tolist(), strict=False)
        ]
        rows.append(("no-new-data", batch, 4 + batch, "init", 0.5))
    names = ["method", "batch", "epoch", "test_set", "mAP50"]
    return pd.DataFrame(rows, columns=names).astype({"batch": "Int64"})


def test_the_finding_has_the_matrix_and_what_follows_from_it() -> None:
    found = forgetting_finding(table(SCORES), ForgettingPlan())
    rows = found.table.set_index(["method", "batch"])
    own = rows.loc["iqr"]
    assert own["n_tests"].tolist() == [1, 2, 3]
    assert own["backward_transfer"].tolist() == pytest.approx([-0.2, 0.15, -0.5 / 3])
    assert own["forgetting"].tolist() == pytest.approx([0.2, -0.15, 0.8 / 3])
    matrix = own[["init", "batch0_test", "batch1_test", "batch2_test"]].astype(float)
    np.testing.assert_allclose(matrix, SCORES[1:])
    control = rows.loc["no-new-data"]
    assert control["n_tests"].tolist() == [1, 1, 1]
    assert control["backward_transfer"].tolist() == pytest.approx([-0.3] * 3)
    assert control["forgetting"].tolist() == pytest.approx([0.3] * 3)
    curve, *_ = found.charts
    assert curve.series[0].x == ("init", "batch0", "batch1", "batch2")
    assert curve.series[0].y == pytest.approx((0.8, 0.6, 0.9, 0.7))


def test_before_any_batch_there_is_nothing_to_forget() -> None:
    found = forgetting_finding(table(SCORES[:1]), ForgettingPlan(metric="mAP50"))
    assert found.rows == ()
