"""Hard-example filters of Sedna and Ianvs as sampling methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from backhaul.campaign.legacy.rules import number
from backhaul.campaign.sedna.taken import read
from backhaul.errors import InputError
from backhaul.sampling.filtered import HardExampleSampling
from backhaul.untrusted import one_line

DEFAULT = "IBT"
"""The filter that Sedna takes if none is named."""


class Filter(NamedTuple):
    """A filter here: its kind, its parameters by their names there, and what is empty."""

    kind: str
    parameters: Mapping[str, str]
    judges_detections: bool


FILTERS = {
    "Threshold": Filter("threshold", {"threshold": "threshold"}, True),
    "CrossEntropy": Filter("cross-entropy", {"threshold_cross_entropy": "threshold"}, True),
    "IBT": Filter(
        "ibt", {"threshold_img": "threshold_img", "threshold_box": "threshold_box"}, True
    ),
    "Random": Filter("random", {"random_ratio": "ratio"}, False),
    "CloudOnly": Filter("cloud-only", {}, False),
    "EdgeOnly": Filter("edge-only", {}, False),
}
"""By their names there, all that judge images; BertRouter judges texts."""


def method_of(name: str, parameters: Mapping[str, str], file: object) -> dict[str, Any]:
    """Return a filter as an entry of ``methods``, which judges as it does there.

    Args:
        name: Its name there.
        parameters: Texts of its parameters, by their names there.
        file: Where they were written, for errors.

    Raises:
        InputError: If there is no such filter or parameter, or it has no such value.
    """
    known = FILTERS.get(name)
    if known is None:
        raise InputError(
            f"{file}: hard_example_mining {one_line(name)!r}: expected one of "
            f"{', '.join(FILTERS)}; one of your own is a method of your own"
        )
    found: dict[str, Any] = {"kind": known.kind}
    for key, text in parameters.items():
        if key not in known.parameters:
            names = ", ".join(known.parameters) or "none"
            raise InputError(f"{file}: {name}: no parameter {one_line(key)!r}: it has {names}")
        found[known.parameters[key]] = read(f"{name}.{key}", text, number, file)
    if known.judges_detections:
        found["undetected"] = "easy"
    method = {"kind": "hard-example", "filter": found}
    try:
        HardExampleSampling.model_validate(method)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{file}: {name}: {first['loc'][-1]}: {first['msg']}") from None
    return method


WHY = (
    "images without a detection are easy, as there, so what is missed whole is never sent; "
    "`undetected: hard` mends it. docs/results.md has it beside `diverse` and chance"
)


def policy_of(method: Mapping[str, Any]) -> dict[str, Any]:
    """Return how nodes choose by a filter, as ``policies`` of NODE.yaml have it."""
    name = str(method["filter"]["kind"])
    return {"policies": [{"kind": "window", "name": name, "explore": 0.0, "method": method}]}
