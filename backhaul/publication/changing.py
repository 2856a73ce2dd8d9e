"""Change single settings of what is published for a group, by key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from backhaul.errors import InputError
from backhaul.node.updates.release import Budget, Release
from backhaul.untrusted import one_line
from backhaul.yamltext import parse_yaml

Json = dict[str, Any]
_POLICIES, _BUDGET, _COHORT = "policies", "budget", "cohort"


def settings_of(release: Release) -> dict[str, Any]:
    """Return what can be set of a release, by key; None = as each node has it."""
    found: dict[str, Any] = {}
    for policy in release.policies or ():
        found |= dict(_leaves(f"{_POLICIES}.{policy.name}", policy))
    found |= dict(_leaves(_BUDGET, release.budget or Budget()))
    return {**found, _COHORT: release.cohort}


def changed_settings(before: Release, after: Release) -> list[tuple[str, Any, Any]]:
    """Return the keys whose values differ between two releases, with both values."""
    was, now = settings_of(before), settings_of(after)
    keys = dict.fromkeys((*was, *now))
    return [(k, was.get(k), now.get(k)) for k in keys if was.get(k) != now.get(k)]


def with_settings(release: Release, changes: Sequence[str]) -> Release:
    """Return a release with other settings.

    Args:
        release: The release.
        changes: Settings as ``KEY=VALUE``, the value in YAML.

    Raises:
        InputError: If a key or a value is wrong; one line a problem.
    """
    fields = release.model_dump(exclude_unset=True)
    known = settings_of(release)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not key:
            raise InputError(f"{change}: expected KEY=VALUE, for example cohort=0.5")
        _put(fields, key, _value(key, text), known)
    try:
        return Release.model_validate(fields)
    except ValidationError as error:
        names = [policy["name"] for policy in fields.get(_POLICIES) or ()]
        lines = dict.fromkeys(_explained(each, names, known) for each in error.errors())
        raise InputError("\n".join(lines)) from None


def _leaves(prefix: str, part: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, value in part:
        key = f"{prefix}.{name}"
        if isinstance(value, BaseModel):
            yield from _leaves(key, value)
        else:
            yield key, value


def _value(key: str, text: str) -> Any:
    try:
        return parse_yaml(text)
    except InputError:
        raise InputError(f"{key}: the value is not YAML") from None


def _put(fields: Json, key: str, value: Any, known: Mapping[str, Any]) -> None:
    first, *rest = key.split(".")
    if first == _COHORT and not rest:
        fields[_COHORT] = value
        return
    if first == _BUDGET and rest:
        fields[_BUDGET] = _with(fields.get(_BUDGET) or {}, rest, value, key)
        return
    policies = list(fields.get(_POLICIES) or ())
    if first == _POLICIES and not policies:
        raise InputError(
            f"{key}: no policies are published, each node has its own: publish some with "
            "`backhaul models publish --policy`"
        )
    # The name of a policy may have dots.
    of = [p for p in policies if key.startswith(f"{_POLICIES}.{p['name']}.")]
    if first != _POLICIES or not of:
        raise InputError(_unknown(key, known))
    policy = max(of, key=lambda p: len(p["name"]))
    below = key.removeprefix(f"{_POLICIES}.{policy['name']}.").split(".")
    changed = _with(policy, below, value, key)
    fields[_POLICIES] = [changed if p is policy else p for p in policies]


def _with(fields: Json, path: Sequence[str], value: Any, key: str) -> Json:
    first, *rest = path
    if not rest:
        return {**fields, first: value}
    inner = fields.get(first)
    if not isinstance(inner, dict | None):
        raise InputError(f"{key}: {first} has no keys of its own")
    return {**fields, first: _with(inner or {}, rest, value, key)}


def _unknown(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, 3, 0.5)
    expected = " or ".join(near) or "policies.NAME.FIELD, budget.FIELD or cohort"
    return f"{key}: is no key; expected {expected}"


def _explained(error: Any, names: Sequence[str], known: Mapping[str, Any]) -> str:
    place = list(error["loc"])
    if place[0] == _POLICIES and len(place) > 1:  # a number, and by which kind it was read
        place[1:3] = [names[place[1]]]
    key = one_line(".".join(map(str, place)))
    if error["type"] == "extra_forbidden":
        return one_line(_unknown(key, known))
    return f"{key}: {one_line(error['msg'].removeprefix('Value error, '))}"
