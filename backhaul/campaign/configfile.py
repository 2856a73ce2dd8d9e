"""Read a campaign from a YAML file; each problem becomes one line of the error."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError
from backhaul.settingsfile import apply_override
from backhaul.untrusted import UnreadableFileError, one_line, read_bytes, understanding
from backhaul.yamltext import parse_yaml

_MOST_MESSAGE = 1_000  # characters
_MOST_LINES = 100
_NO_KEY = "extra_forbidden"
_REQUIRED: dict[str, Any] = {
    "name": "campaign",
    "data": {"kind": "digits"},
    "bandwidth": {"images": 1},
    "methods": ["true-random"],
}
"""What stands for a required key that is missing or wrong, so that others can be looked at."""


def load_config(path: Path, overrides: tuple[str, ...] = ()) -> CampaignConfig:
    """Read a campaign from YAML.

    Args:
        path: The file.
        overrides: Settings as ``a.b=value``, the value in YAML; they win over the file.

    Raises:
        InputError: If the file, a key or a value is wrong; one line a problem.
    """
    settled = settle(path, overrides)
    if settled.wrong:
        more = len(settled.wrong) - _MOST_LINES
        lines = [*settled.wrong[:_MOST_LINES], *([f"... and {more} more"] if more > 0 else [])]
        raise InputError("\n".join(lines))
    return settled.config


@dataclass(frozen=True, slots=True)
class Settled:
    """A campaign as far as its file can be understood.

    Args:
        config: The campaign; in place of what is wrong stand defaults.
        wrong: A line for each wrong key or value.
        replaced: Top-level keys of which something was wrong.
    """

    config: CampaignConfig
    wrong: tuple[str, ...]
    replaced: frozenset[str]


def settle(path: Path, overrides: tuple[str, ...] = ()) -> Settled:
    """Read a campaign and all that is wrong with its keys and values.

    What is wrong is left out and the rest is looked at again, so that one wrong key does not
    hide another.

    Args:
        path: The file.
        overrides: See `load_config`.

    Raises:
        InputError: If the file, or an override, cannot be understood at all.
    """
    data = _fields(path, overrides)
    wrong: dict[str, None] = {}
    replaced: set[str] = set()
    changed: set[str] = set()
    while True:
        try:
            with understanding(path):
                config = CampaignConfig.model_validate(data)
        except ValidationError as error:
            found = [each for each in error.errors() if not _is_of_literal(each)]
            told = [each for each in found if not _is_by_change(each, data, changed)]
            wrong |= dict.fromkeys(_describe(path, item, data) for item in told)
            changed |= {_key(each, data) for each in found if each["type"] != _NO_KEY}
            replaced |= _leave_out(data, found)
        else:
            return Settled(config, tuple(wrong), frozenset(replaced))


def _fields(path: Path, overrides: tuple[str, ...]) -> dict[str, Any]:
    try:
        data = parse_yaml(read_bytes(path))
    except UnreadableFileError:
        raise
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected keys and values, got {type(data).__name__}")
    for override in overrides:
        apply_override(data, override)
    return data


def _leave_out(data: dict[str, Any], found: list[Any]) -> set[str]:
    """Take out of `data` what is wrong, required keys replaced; return the top-level keys."""
    keys = {str(item["loc"][0]) for item in found if item["loc"]}
    owners = [way[-1] for item in found if (way := _way(data, item["loc"]))]
    for item in found:
        if not item["loc"]:  # of the whole config: the keys that the message names
            named = set(re.findall(r"\w+", item["msg"])) & data.keys() or set(data)
            owners += [(data, key) for key in named]
            keys |= named
    of_lists = {(id(owner), key): (owner, key) for owner, key in owners}
    for owner, key in sorted(of_lists.values(), key=lambda place: str(place[1]).zfill(9))[::-1]:
        del owner[key]
    for key, value in _REQUIRED.items():
        if not data.get(key):
            data[key] = copy.deepcopy(value)
            keys.add(key)
    return keys


def _way(data: dict[str, Any], loc: tuple[str | int, ...]) -> list[tuple[Any, Any]]:
    """Return the owners and keys on the way along `loc` that are there.

    Pydantic puts the kind of a part before its keys; it is no key, also if one is called so.
    """
    owner: Any = data
    way: list[tuple[Any, Any]] = []
    in_kind = False
    for part in loc:
        if not in_kind and isinstance(owner, dict) and part == owner.get("kind"):
            in_kind = True
            continue
        known = isinstance(owner, dict) and part in owner
        if known or (isinstance(owner, list) and part in range(len(owner))):
            way.append((owner, part))
            owner, in_kind = owner[part], False
    return way


def _is_of_literal(error: Any) -> bool:
    """Return whether a value is not one word, where it may be code of a user's as well."""
    return any(str(part).startswith("literal[") for part in error["loc"])


def _is_by_change(error: Any, data: dict[str, Any], changed: set[str]) -> bool:
    """Return whether a problem may be there only as a wrong value was left out.

    Args:
        error: The problem.
        data: The campaign, without what is wrong.
        changed: Keys whose value was left out; that of no key at all changes nothing.
    """
    if error["type"] == "missing":
        return bool(changed)
    if error["type"] not in ("value_error", "union_tag_not_found"):
        return False
    if not error["loc"]:
        return not {key.split(".")[0] for key in changed}.isdisjoint(
            re.findall(r"\w+", error["msg"])
        )
    place = _key(error, data)
    return any(key == place or key.startswith(f"{place}.") for key in changed)


def _describe(path: Path, error: Any, data: dict[str, Any]) -> str:
    key = one_line(_key(error, data)) or "config"
    message = one_line(error["msg"].removeprefix("Value error, "), _MOST_MESSAGE)
    match error["type"]:
        case "missing":
            return f"{path}: {key}: is missing; set it in the file or with --set {key}=..."
        case str(kind) if kind == _NO_KEY:
            return f"{path}: {key}: is no key of a campaign (see configs/reference.yaml)"
        case "union_tag_not_found":
            return f"{path}: {key}.kind: is missing (see configs/reference.yaml)"
        case "union_tag_invalid":
            known = error["ctx"]["expected_tags"].replace("'", "")
            return f"{path}: {key}: {one_line(repr(error['ctx']['tag']))} is none of {known}"
    if not error["loc"]:
        return f"{path}: {message}"  # of the whole config, which is too long to repeat
    return f"{path}: {key}: {message}, got {one_line(repr(error['input']))}"


def _key(error: Any, data: dict[str, Any]) -> str:
    """Return the key of a wrong value as it is written: without the kinds on the way to it."""
    parts = [str(key) for _, key in _way(data, error["loc"])]
    if error["type"] == "missing":
        parts.append(str(error["loc"][-1]))
    return ".".join(parts)
