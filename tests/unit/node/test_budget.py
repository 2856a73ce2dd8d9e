"""What a node may send: over changes of the rules."""

from __future__ import annotations

import pytest

from backhaul.link.ledger import Ledger
from backhaul.link.settings import Allowance, Link
from backhaul.node.budget import Budget

NOON = 20_700 * 86_400.0 + 43_200
HOUR = Allowance(period="hour", bytes=1_000)
DAY = Allowance(period="day", bytes=1_000)
MONTH = Allowance(period="month", bytes=50_000)


def changed(before: list[Allowance], after: list[Allowance], used: int = 900) -> Budget:
    """Return what may go under new rules after so many bytes went under those before."""
    one, other = Link(allowances=before), Link(allowances=after)
    budget = Budget(one, Ledger())
    assert budget.allows(used, NOON)
    budget.count(used, NOON)
    return Budget(other, budget.ledger, one)


def room(budget: Budget, t: float) -> int:
    """Return the size of the largest file that may be begun at `t`."""
    return max((size for size in range(0, 60_001, 100) if budget.allows(size, t)), default=-1)


@pytest.mark.parametrize("before", [HOUR, MONTH])
def test_a_rule_of_other_periods_grants_as_usual(before: Allowance) -> None:
    budget = changed([before], [DAY])
    assert room(budget, NOON) == 1_000
    budget.count(1_000, NOON)
    assert room(budget, NOON + 3_600) <= 0
    assert room(budget, NOON + 86_400) == 1_000  # and not in a thousand years


@pytest.mark.parametrize("after", [[DAY, MONTH], [MONTH, DAY], [MONTH, HOUR, DAY]])
def test_a_new_rule_gives_no_month_back(after: list[Allowance]) -> None:
    budget = changed([MONTH], after, used=49_500)
    assert room(budget, NOON) == 500
    assert room(budget, NOON + 86_400) == 500


def test_what_was_used_stays_used_where_the_limit_changes() -> None:
    more = Allowance(period="month", bytes=60_000)
    assert room(changed([MONTH], [more], used=49_500), NOON) == 10_500
    less = Allowance(period="month", bytes=20_000)
    assert room(changed([MONTH], [less], used=49_500), NOON) == 0
    images = Allowance(period="day", images=3)
    assert room(changed([images], [DAY], used=900), NOON) == 1_000
