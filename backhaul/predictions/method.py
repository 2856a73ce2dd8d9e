"""The method that chooses, as a person names it, and whether the predictions are enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from backhaul.errors import InputError
from backhaul.sampling import Method, SamplingMethod, as_mapping
from backhaul.sampling.catalogue import entries
from backhaul.settingsfile import apply_override
from backhaul.untrusted import one_line
from backhaul.values.detections import Need
from backhaul.values.offers import Pool

Given: TypeAlias = str | Mapping[str, Any] | SamplingMethod
"""A method: its name, its settings with ``kind``, or itself."""

_ADAPTER: TypeAdapter[Any] = TypeAdapter(Method)
_COMPUTED: frozenset[Need] = frozenset({"descriptors"})
"""What is computed of the images themselves."""
_OVER_CLASSES = "bald"
"""Of the methods that need disagreement, the one that measures it over class scores."""
_WAYS: Mapping[Need, str] = {
    "scores": "the score of every class, which JSON and Parquet of ours can have",
    "features": "features of the detector, which JSON and Parquet of ours can have",
    "arrivals": "the sidecars of nodes' agents, which an inbox has",
    "disagreement": "the predictions of several checkpoints, one input each",
}


def method_of(given: Given, settings: Sequence[str] = ()) -> SamplingMethod:
    """Return a method that is checked.

    Args:
        given: The method.
        settings: Its settings as ``key=value``, the value in YAML.

    Raises:
        InputError: If there is no such method, or a setting of it is wrong.
    """
    if isinstance(given, SamplingMethod):
        return given
    whole = as_mapping(given)
    if not isinstance(whole, Mapping):
        raise InputError(f"method: expected a name or settings, got {type(given).__name__}")
    if settings:
        whole = dict(whole)
        for setting in settings:
            apply_override(whole, setting)
    try:
        method: SamplingMethod = _ADAPTER.validate_python(whole)
    except ValidationError as error:
        raise InputError(_reason(error, whole.get("kind"))) from None
    return method


def require_enough(method: SamplingMethod, pool: Pool) -> None:
    """Do nothing if there is all that a method needs.

    Args:
        method: The method.
        pool: The predicted objects, without what is computed of the images.

    Raises:
        InputError: If something is missing; the error says which methods do without it.
    """
    has, found = pool.has | _COMPUTED, pool.detections
    lacks = sorted(method.needs - has)
    over_classes = getattr(method, "utility", None) == _OVER_CLASSES
    if not lacks and over_classes and found.mutual_information is None:
        lacks = ["scores"]
    if not lacks:
        return
    missing = "; ".join(f"{n} ({_WAYS[n]})" if n in _WAYS else n for n in lacks)
    enough = [
        entry.method
        for entry in entries()
        if entry.needs is not None
        and entry.needs <= has
        and (entry.method != _OVER_CLASSES or found.mutual_information is not None)
    ]
    raise InputError(
        f"{method.label}: needs {missing}; these predictions are enough for {', '.join(enough)}"
    )


def _reason(error: ValidationError, kind: Any) -> str:
    first = error.errors(include_url=False)[0]
    message = one_line(first["msg"].removeprefix("Value error, "), 1_000)
    match first["type"]:
        case "union_tag_invalid":
            known = first["ctx"]["expected_tags"].replace("'", "")
            return f"method: {one_line(repr(first['ctx']['tag']))} is none of {known}"
        case "union_tag_not_found":
            return (
                "method: expected a name, or settings with kind (backhaul methods lists them)"
            )
    key = ".".join(str(part) for part in first["loc"] if part != kind) or "method"
    if first["type"] in ("missing", "extra_forbidden"):
        what = "is missing" if first["type"] == "missing" else "is no setting of it"
        return f"method {one_line(str(kind))}: {one_line(key)}: {what} (--set KEY=VALUE)"
    return f"method {one_line(str(kind))}: {one_line(key)}: {message}"
