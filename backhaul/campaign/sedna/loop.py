"""Where triggers, gate and hot update of a job are in the loop here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

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
    where = "trainSpec.trigger"
    found = [told(f"{where}.{key}", fields[key], *ASKED) for key in (PERIOD,) if key in fields]
    conditions = [*_hours(fields, where, file), *_samples(fields, where, file)]
    if "condition.threshold" in fields:
        sign, _, text = _compared(fields, where, file)
        is_of_samples = fields.get("condition.metric") == SAMPLES
        if not any(each["kind"] == "labelled" for each in conditions):
            verdict = AT_FEW if is_of_samples else NEVER
            found.append(told(f"{where}.condition", text, *verdict))
        elif sign == "==":
            found.append(told(f"{where}.condition", text, *AT_LEAST))
    if not conditions:
        return found
    whole = conditions[0] if len(conditions) == 1 else _all_of(conditions)
    given = {f"triggers.{key}": value for key, value in whole.items()}
    if (n_images := conditions[-1].get("images")) is not None:
        given["batches.sampling_batch"] = n_images
    text = " and ".join(_words(each) for each in conditions)
    return [*found, taken(where, text, given, FIRED)]


def _hours(fields: Mapping[str, str], where: str, file: object) -> list[dict[str, Any]]:
    """Return the condition that a timer is; none without."""
    if not {"timer.start", "timer.end"} & fields.keys():
        return []
    times = [(fields.get(f"timer.{key}"), without) for key, without in ENDS.items()]
    start, end = (
        clock(f"{where}.timer", text, file) if text else without for text, without in times
    )
    return [{"kind": "window", "hours": [f"{start}-{end}"]}]


def _samples(fields: Mapping[str, str], where: str, file: object) -> list[dict[str, Any]]:
    """Return the condition on labelled images that one on samples is; none of any other."""
    if "condition.threshold" not in fields:
        return []
    sign, least, _ = _compared(fields, where, file)
    if fields.get("condition.metric") != SAMPLES or sign not in (">", ">=", "=="):
        return []
    n_samples = math.floor(least) + 1 if sign == ">" else math.ceil(least)
    return [{"kind": "labelled", "images": max(n_samples, 1)}]


def _all_of(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": "all", "conditions": conditions}


def _words(condition: Mapping[str, Any]) -> str:
    if condition["kind"] == "window":
        return f"timer {condition['hours'][0]}"
    return f"{SAMPLES} >= {condition['images']}"


def gate(fields: Mapping[str, str], label: str, file: object) -> list[Taken]:
    """Return what becomes of ``deploySpec.trigger``.

    Args:
        fields: Its fields.
        label: Label of the arm whose models are judged.
        file: Where they were written, for errors.

    Raises:
        InputError: If a value cannot be understood.
    """
    where = "deploySpec.trigger"
    found = [
        told(f"{where}.{key}", fields[key], *JUDGED_AT_ONCE)
        for key in (PERIOD, "timer.start", "timer.end")
        if key in fields
    ]
    if "condition.threshold" in fields:
        sign, least, text = _compared(fields, where, file)
        metric = fields.get("condition.metric", "").partition("[")[0]
        known = metric.endswith(DELTA)
        found.append(
            accepted(f"{where}.condition", text, metric.removesuffix(DELTA), least, label)
            if known and sign in GAINS
            else told(f"{where}.condition", text, *NO_GAIN)
        )
    return found


def accepted(key: str, text: str, metric: str, least: float, label: str) -> Taken:
    """Return a rule that a model has to gain so much, as the gate here.

    Args:
        key: Name of the setting.
        text: The rule as a text.
        metric: What has to gain, by its name there.
        least: The least gain.
        label: Label of the arm whose models are judged.
    """
    given = {
        "accept.kind": "gate",
        "accept.compare.metric": METRICS.get(metric.lower(), "mAP50"),
        "accept.min_gain": least,
        "publish.method": label,
    }
    return taken(key, text, given, BOUNDED)


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


ENDS = {"start": "00:00", "end": "24:00"}
"""Ends of a timer, and what they are where they are not given: those of the day."""
PERIOD = "checkPeriodSeconds"
DELTA = "_delta"
GAINS = (">", ">=")
METRICS = {"f1": "F1", "f1_score": "F1"}
"""Metrics there that the gate compares by, with their names here; for others, mAP50 does."""

ASKED: Verdict = (
    "changed",
    "schedule of `hourly`",
    "triggers are asked whenever `hourly` starts, as often as you schedule it",
)
FIRED = (
    "a batch is full once so many arrive, and is played once so many have labels; times are "
    "UTC unless `timezone` says whose"
)
NEVER: Verdict = (
    "refused",
    "",
    f"only {SAMPLES} is known there, so it never fires; here a timer beside it fires alone",
)
AT_FEW: Verdict = (
    "refused",
    "",
    "no condition here holds while samples are few; here a timer beside it fires alone",
)
AT_LEAST: Verdict = (
    "changed",
    "triggers",
    "there at that number alone, which may be passed between two looks; here from it on",
)
BOUNDED = (
    "the lower end of an interval of the gain has to be above it, where the difference of two "
    "numbers had to; of mAP50, mAP50-95 or F1"
)
NO_GAIN: Verdict = (
    "refused",
    "accept",
    "no least gain over the model before; see min_gain, floors and class_drop",
)
JUDGED_AT_ONCE: Verdict = ("refused", "", "a model is judged as soon as its round ends")
UPDATED = (
    "`hourly` publishes what was accepted, signed, for the first nodes and then for all; nodes "
    "try it, swap, and go back by themselves"
)
HOT_UPDATE: dict[str, Verdict] = {
    "hotUpdateEnabled": ("changed", "publish.signing, `updates` in NODE.yaml", UPDATED),
    "pollPeriodSeconds": ("changed", "updates.every_s in NODE.yaml", "seconds, about"),
}
