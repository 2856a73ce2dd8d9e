"""What a window may carry, for the choice at the end of the one before."""

import pytest

from backhaul.link.ledger import Ledger
from backhaul.link.settings import Link
from backhaul.node.budget import Budget


@pytest.mark.parametrize("late_s", [0.0, 0.02, 5.0])
def test_who_wakes_late_counts_no_allowance_twice(late_s: float) -> None:
    allowances = [{"period": "hour", "bytes": 80_000, "images": 9}]
    link = Link.model_validate({"window_s": 3_600, "allowances": allowances})
    budget = Budget(link, Ledger())
    budget.count(80_000, 0.0, images=9)
    assert budget.of_window(10 * 3_600 + late_s) == (9, 80_000)


def test_who_wakes_late_has_the_rate_of_the_whole_window() -> None:
    budget = Budget(Link(uplink_kbit_s=8, window_s=100), Ledger())
    assert budget.of_window(1_060.0) == (None, 100_000)
