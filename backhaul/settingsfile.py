"""Read settings from a YAML file; each problem is one line of the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from backhaul.errors import InputError
from backhaul.untrusted import one_line, read_bytes, understanding
from backhaul.yamltext import parse_yaml

M = TypeVar("M", bound=BaseModel)


def fields_of(path: Path) -> dict[str, Any]:
    """Return what a YAML file says, as keys and values.

    Raises:
        InputError: If it cannot be read, or is something else.
    """
    try:
        found = parse_yaml(read_bytes(path))
    except InputError as error:
        text = str(error)
        raise InputError(text if str(path) in text else f"{path}: {text}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected keys and values, got {type(found).__name__}")
    return found


def validated(
    path: Path,
    model: type[M],
    fields: dict[str, Any],
    what: str,
    overrides: tuple[str, ...] = (),
) -> M:
    """Return settings that were read from a file.

    Args:
        path: The file, for errors.
        model: What they are.
        fields: What the file says.
        what: What has such keys, in words, as "a study".
        overrides: Settings as ``a.b=value``, the value in YAML; they win over the file.

    Raises:
        InputError: If a key or a value is wrong; one line a problem.
    """
    for override in overrides:
        apply_override(fields, override)
    try:
        with understanding(path):
            return model.model_validate(fields)
    except ValidationError as error:
        lines = dict.fromkeys(_describe(path, what, each) for each in error.errors())
        raise InputError("\n".join(lines)) from None


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set one value in nested mappings and lists.

    Args:
        data: The mappings; they are changed.
        override: ``a.b=value``, the value in YAML; an item of a list is named by its number,
            from 0.

    Raises:
        InputError: If it is no such text, or ``a`` is no mapping, and no list with that item.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"--set {override}: expected KEY=VALUE, for example --set seed=3")
    *parents, last = key.split(".")
    owner: Any = data
    for parent in parents:
        place = _place(owner, parent, override)
        if isinstance(owner, dict) and owner.get(place) is None:
            owner[place] = {}
        owner = owner[place]
        if not isinstance(owner, dict | list):
            raise InputError(f"--set {override}: {parent} has no keys of its own")
    place = _place(owner, last, override)
    try:
        owner[place] = parse_yaml(text)
    except InputError:
        raise InputError(f"--set {override}: the value is not YAML") from None


def _place(owner: dict[str, Any] | list[Any], name: str, override: str) -> Any:
    """Return the key of a mapping, or the number of a list's item, that a word names."""
    if isinstance(owner, dict):
        return name
    if name in (numbers := [str(i) for i in range(len(owner))]):
        return numbers.index(name)
    raise InputError(
        f"--set {one_line(override)}: {one_line(name)}: expected the number of one of "
        f"{len(owner)} items, from 0"
    )


def _describe(path: Path, what: str, error: Any) -> str:
    key = one_line(".".join(map(str, error["loc"]))) or what
    message = one_line(error["msg"].removeprefix("Value error, "))
    match error["type"]:
        case "missing":
            return f"{path}: {key}: is missing"
        case "extra_forbidden":
            return f"{path}: {key}: is no key of {what}"
        case "union_tag_invalid":
            known = error["ctx"]["expected_tags"].replace("'", "")
            return f"{path}: {key}: {one_line(repr(error['ctx']['tag']))} is none of {known}"
    return f"{path}: {key}: {message}"
