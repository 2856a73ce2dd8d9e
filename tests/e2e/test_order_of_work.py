"""What must not change a campaign: the order of its work, its processes, and their hashes."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from tests.e2e.conftest import TINY
from tests.e2e.sent import check_what_was_sent

pytestmark = [pytest.mark.prefect, pytest.mark.train]


def test_the_bandwidth_is_spent_and_never_exceeded(fixed: Any) -> None:
    check_what_was_sent(fixed.run, TINY["bandwidth"]["images"])


def test_order_of_work_processes_and_hashes_do_not_matter(
    fixed: Any, new_place: Callable[[str], Any]
) -> None:
    place = new_place("elsewhere")
    config = place.config("tiny", parallel=1, batches__count=1, control=False)
    ended = place.process("run", config, hash_seed="12345")
    assert ended.code == 0, ended.err
    run = place.run("tiny")
    names = sorted(path.name for path in (run.folder / "output").glob("*0_*.txt"))
    assert len(names) == 2 * 4
    for name in [*names, "init_train.txt", "init_valid.txt", "init_test.txt", "sample0.txt"]:
        assert run.listed(name) == fixed.run.listed(name), name
    for method in ("iqr", "true-random"):
        name = f"{method}0_selection.csv"
        here, there = (
            pd.read_csv(r.folder / "output" / name).drop(columns="file")
            for r in (run, fixed.run)
        )
        pd.testing.assert_frame_equal(here, there)
    for prefix in ("init", "iqr0", "true-random0"):
        assert run.checkpoint_digests(prefix) == fixed.run.checkpoint_digests(prefix), prefix
