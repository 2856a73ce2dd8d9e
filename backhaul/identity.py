"""Canonical form of values: equal content gives equal text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, get_origin, runtime_checkable

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from backhaul.code import UserCode
from backhaul.settings import Neutral

FIRST_REVISION = 1

ALWAYS: Any = object()
"""In place of a neutral value: the field has none, and enters every key."""


@runtime_checkable
class Keyed(Protocol):
    """A value that defines its own contribution to cache keys."""

    def key_form(self) -> Any:
        """Return data that are equal for equal content."""


def canonical(value: Any) -> Any:
    """Return `value` as plain JSON data in which equal content is equal text.

    Of a model enter the fields that differ from their neutral value, so a field that is added
    with a default, and a default that changes, leave the form of older settings as it was. The
    model's ``resources``, such as a device or a number of threads, never enter: they do not say
    what is computed, only with what. Its ``revision``, if it has one, enters from 2 on.

    Raises:
        TypeError: If the value has no canonical form; pass an `Artifact` or exclude the input.
    """
    match value:
        case Keyed():
            return canonical(value.key_form())
        case BaseModel():
            return fields_in_keys(value)
        case dict():
            return {str(key): canonical(item) for key, item in sorted(value.items())}
        case list() | tuple():
            return [canonical(item) for item in value]
        case Path():
            return value.as_posix()
        case None | str() | bool() | int() | float():
            return value
    raise TypeError(f"{type(value).__name__} has no canonical form")


def fields_in_keys(model: BaseModel) -> dict[str, Any]:
    """Return the canonical form of a model, see `canonical`."""
    declared = type(model).model_fields
    resources = getattr(type(model), "resources", ())
    found = {n: canonical(item) for n, item in model if n not in resources}
    form = {n: item for n, item in found.items() if item != neutral_value(declared[n])}
    revision = getattr(model, "revision", FIRST_REVISION)
    return form if revision == FIRST_REVISION else form | {"revision": revision}


def neutral_value(field: FieldInfo) -> Any:
    """Return the canonical form of a field's neutral value: `Neutral`, or its default.

    `ALWAYS` for a field without default, and for one that tells alternatives apart.
    """
    for note in field.metadata:
        if isinstance(note, Neutral):
            return canonical(note.value)
    if field.is_required() or _is_kind(field):
        return ALWAYS
    return canonical(field.get_default(call_default_factory=True))


def _is_kind(field: FieldInfo) -> bool:
    alternatives = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return len(alternatives) == 1


def content_digest(value: Any) -> str:
    """Return 32 hexadecimal digits that are equal for equal content."""
    text = json.dumps(canonical(value), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def code_digest(code: UserCode | None) -> str:
    """Return the digest of a user's code; empty for none."""
    return "" if code is None else content_digest(code)
