"""Where triggers, gate and hot update of a job are in the loop here."""

from __future__ import annotations

from collections.abc import Mapping

from backhaul.campaign.legacy.rules import number
from backhaul.campaign.sedna.taken import Taken, Verdict, read, taken, told
from backhaul.errors import InputError
from backhaul.untrusted import one_line

OPERATORS = {
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "=": "==",
    "ne": "!=",
    "le": "<=",
    "lt": "<",
}
"""Words for operators, and the sign of each."""
SIGNS = (">", ">=", "==", "!=", "<=", "<")

SAMPLES = "num_of_samples"
"""The one metric that a training trigger can have."""

MINUTES_A_DAY = 24 * 60


def trigger_of_training(fields: Mapping[str, str], file: object) -> list[Taken]:
    """Return what becomes of ``trainSpec.trigger``.

    Args:
        fields: Its fields.
        file: Where they were written, for errors.

    Raises:
        InputError: If a value cannot be understood.
    """
    found = []
    where = "trainSpec.trigger"
    if (period := fields.get("checkPeriodSeconds")) is not None:
        found.append(
            told(
                f"{where}.checkPeriodSeconds", period, "changed", "schedule of `hourly`", ASKED
            )
        )
    if "timer.start" in fields or "timer.end" in fields:
        ends = [clock(f"{where}.timer", fields.get(f"timer.{k}", ""), file) for k in ENDS]
        found.append(told(f"{where}.timer", "-".join(ends), *TIMER))
    if "condition.threshold" in fields:
        found.append(_condition(fields, where, file))
    return found


def _condition(fields: Mapping[str, str], where: str, file: object) -> Taken:
    """Return what becomes of the number of samples that a training waits for."""
    sign, least, text = _compared(fields, where, file)
    if fields.get("condition.metric") != SAMPLES or sign not in (">", ">=", "=="):
        why = (
            f"only {SAMPLES} is known there, and the trigger never fires; nothing to carry over"
        )
        return told(f"{where}.condition", text, "refused", "", why)
    n_samples = max(int(least) + (sign == ">"), 1)
    return taken(f"{where}.condition", text, {"batches.sampling_batch": n_samples}, SAMPLED)


def gate(fields: Mapping[str, str], file: object) -> list[Taken]:
    """Return what becomes of ``deploySpec.trigger``.

    Args:
        fields: Its fields.
        file: Where they were written, for errors.

    Raises:
        InputError: If a value cannot be understood.
    """
    where = "deploySpec.trigger"
    found = [
        told(f"{where}.{key}", fields[key], *JUDGED_AT_ONCE)
        for key in ("checkPeriodSeconds", "timer.start", "timer.end")
        if key in fields
    ]
    if "condition.threshold" in fields:
        _, _, text = _compared(fields, where, file)
        found.append(told(f"{where}.condition", text, *GATE))
    return found


def hot_update(fields: Mapping[str, str]) -> list[Taken]:
    """Return what becomes of ``deploySpec.model``."""
    return [
        told(f"deploySpec.model.{key}", fields[key], *HOT_UPDATE[key])
        for key in HOT_UPDATE
        if key in fields
    ]


def _compared(fields: Mapping[str, str], where: str, file: object) -> tuple[str, float, str]:
    """Return sign and threshold of a condition, and the condition as a text."""
    given = fields.get("condition.operator", "")
    sign = OPERATORS.get(given, given)
    if sign not in SIGNS:
        known = ", ".join([*OPERATORS, *SIGNS])
        raise InputError(
            f"{file}: {where}.condition.operator: {one_line(given)!r} is none of {known}"
        )
    threshold = read(f"{where}.condition", fields["condition.threshold"], number, file)
    return sign, threshold, f"{fields.get('condition.metric', '')} {sign} {threshold:g}"


def clock(key: str, text: str, file: object) -> str:
    """Return a time of the day as HH:MM.

    YAML reads 20:00 as 1200, in base 60, but 02:00 as a text.

    Raises:
        InputError: If it is none.
    """
    hours, _, minutes = text.partition(":")
    if text.isdecimal() and len(text) <= len(str(MINUTES_A_DAY)):
        total = int(text)
    elif hours.isdecimal() and minutes.isdecimal() and len(text) <= len("00:00"):
        total = int(hours) * 60 + int(minutes)
    else:
        total = MINUTES_A_DAY
    if total >= MINUTES_A_DAY:
        raise InputError(f"{file}: {key}: {one_line(text)!r}: expected a time such as 02:00")
    return f"{total // 60:02}:{total % 60:02}"


ENDS = ("start", "end")
ASKED = "triggers are asked whenever `hourly` starts, as often as you schedule it"
SAMPLED = (
    "images of a batch: that many arrive, then a round is played; there, samples that somebody "
    "has labelled"
)
JUDGED_AT_ONCE: Verdict = ("refused", "", "a model is judged as soon as its round ends")
TIMER: Verdict = ("refused", "", "not carried over yet")
GATE: Verdict = ("refused", "", "not carried over yet")
HOT_UPDATE: dict[str, Verdict] = {
    "hotUpdateEnabled": (
        "changed",
        "`updates` in NODE.yaml",
        "nodes with `updates` fetch signed models, try them, swap and go back by themselves",
    ),
    "pollPeriodSeconds": ("changed", "updates.every_s in NODE.yaml", "seconds, about"),
}
