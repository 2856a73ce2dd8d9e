"""What is left of allowances whose rules have changed."""

from __future__ import annotations

from backhaul.link.clock import Clock
from backhaul.link.ledger import Balance, Ledger, Meter
from backhaul.link.settings import Allowance, Link


def taken_over(ledger: Ledger, before: Link | None, link: Link) -> Ledger:
    """Return what is left of the allowances of a link, by what was left of those before.

    What was used of a period stays used, so that a new rule gives no month back. A rule whose
    periods had none before begins with all that it may have. Numbers of periods are never taken
    for those of others: an hour's number is a day far in the future, which would never come.

    Args:
        ledger: What was left.
        before: The link that it is of; None = it was not kept, and `link` if that can be.
        link: The link from now on.
    """
    rules, balances = link.allowances, ledger.balances
    if before is None:
        return ledger if len(balances) == len(rules) else Ledger()
    if not balances or before == link:
        return ledger
    known = list(zip(before.allowances, balances, strict=True))
    fresh = Meter(Clock(link), Ledger()).ledger.balances
    return Ledger(
        balances=tuple(
            _of(rule, whole, _take(known, rule, before, link))
            for rule, whole in zip(rules, fresh, strict=True)
        )
    )


def _take(
    known: list[tuple[Allowance, Balance]], rule: Allowance, before: Link, link: Link
) -> tuple[Allowance, Balance] | None:
    """Take out the rule before that has the same periods, with its balance."""
    for each in known:
        if _periods(each[0], before) == _periods(rule, link):
            known.remove(each)
            return each
    return None


def _periods(rule: Allowance, link: Link) -> tuple[object, ...]:
    """Return what tells when the periods of a rule begin."""
    if rule.period == "month":
        return (rule.period, rule.month_begins)
    if rule.period == "window":
        return (rule.period, link.begins_hour, link.window_s)
    return (rule.period,)


def _of(rule: Allowance, whole: Balance, found: tuple[Allowance, Balance] | None) -> Balance:
    if found is None:
        return whole
    old, left = found
    return Balance(
        period=left.period,
        images=_left(rule.images, old.images, left.images, rule.carry_over),
        bytes=_left(rule.bytes, old.bytes, left.bytes, rule.carry_over),
    )


def _left(
    grant: int | None, before: int | None, left: float | None, carry_over: float
) -> float | None:
    """Return what is left of a limit that has become another; None = there is none."""
    if grant is None or before is None or left is None:
        return grant
    return max(min(left + grant - before, grant * (1 + carry_over)), 0.0)
