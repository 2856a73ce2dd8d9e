"""One run, one config: a run is claimed by name and refused if its config differs."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.publish import Publish
from backhaul.campaign.recordfiles import RecordType
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from backhaul.learn.settings import Training
from backhaul.look.settings import Inference
from backhaul.storage.addresses import absolute
from backhaul.storage.conditional import read_or_none
from backhaul.storage.objects import exists_at, replace

CONFIG = RecordType("config", CampaignConfig)

_RESOURCES: Any = {
    "execution": True,
    "futility": True,
    "keep_checkpoints": True,
    "parallel": True,
    "publish": set(Publish.resources),
    "queue": True,
    "restarts": True,
    "store": True,
    "triggers": True,
    "training": set(Training.resources),
    "inference": set(Inference.resources),
}
"""What of a config cannot change a result."""
_OF_INBOXES: Any = _RESOURCES | {"data": set(InboxData.resources), "accept": True}
"""The same, where images arrive in an inbox: rules for models hold from the next hour on."""


def files_of(config: CampaignConfig) -> RunFiles:
    """Return the locations of a campaign's files; the campaign is opened."""
    return RunFiles(absolute(config.store), config.name)


def claim(config: CampaignConfig) -> RunFiles:
    """Claim the run that `config` describes, store the config, and return the run's files.

    If the data of a run could not be read, only its config is stored, and it may change.

    Raises:
        InputError: If a run of that name was made with another config, or by a newer version.
    """
    files = files_of(config)
    known = stored_config(config)
    mine = CONFIG.encode(config, files.root)
    if mine != known:  # what cannot change a result may have been set otherwise
        replace(files.config, mine)
    return files


def stored_config(config: CampaignConfig) -> bytes | None:
    """Return what is stored of the config of a run; None if there is no such run yet.

    Raises:
        InputError: If a run of that name was made with another config, or by a newer version.
    """
    files = files_of(config)
    known = read_or_none(files.config)
    if known is not None:
        differences = what_differs(CONFIG.fields(known, files.config), config)
        if differences and exists_at(files.beginning):
            raise InputError(
                f"{files.view.folder}: is a run with another config ({differences}); choose "
                "another name with --name"
            )
    return known


def what_differs(stored: dict[str, Any], config: CampaignConfig) -> str:
    """Return the fields in which a stored config differs from `config`, as text.

    Empty if it is the same campaign. The stored config is validated by the current model, so
    missing fields have their defaults; not so one that names code which `config` does not, as
    that would be imported.

    Args:
        stored: The fields that were stored.
        config: The campaign of today.
    """
    model = type(config)
    plain = _without_digests(stored)
    stored_fields = without_resources(plain)
    stored_fields = _below(stored_fields, str(stored.get("store", "")))
    if _code_in(plain) <= _code_in(config.model_dump(mode="json")):
        with suppress(ValidationError):  # a field is gone: the fields themselves tell
            stored_fields = _identity(model.model_validate(plain))
    return _differences(_identity(config), stored_fields)


def _code_in(value: Any) -> set[str]:
    """Return the modules that a config names or may name, as `UserCode` does."""
    match value:
        case dict():
            uses = value.get("uses") or []
            named = {str(module) for module in (uses if isinstance(uses, list) else [uses])}
            return named.union(*map(_code_in, value.values()))
        case list():
            return set().union(*map(_code_in, value))
        case str() if ":" in value and "/" not in value:
            return {value.rpartition(":")[0]}
    return set()


def _identity(config: CampaignConfig) -> dict[str, Any]:
    """Return the fields that can change a result, without digests of sources."""
    fields = config.model_dump(mode="json", exclude=_resources(config.data.kind))
    identity: dict[str, Any] = _below(_without_digests(fields), config.store)
    return identity


def _resources(kind: Any) -> Any:
    """Return what cannot change a result, by the kind of the data."""
    return _OF_INBOXES if kind == "inbox" else _RESOURCES


def without_resources(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a stored config that can change a result."""
    data = fields.get("data")
    resources = _resources(data.get("kind") if isinstance(data, dict) else None)
    kept = {}
    for key, value in fields.items():
        inner = resources.get(key)
        if isinstance(inner, set) and isinstance(value, dict):
            kept[key] = {name: item for name, item in value.items() if name not in inner}
        elif inner is not True:
            kept[key] = value
    return kept


def _without_digests(fields: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(
        json.dumps(fields), object_hook=lambda d: {k: v for k, v in d.items() if k != "digest"}
    )
    return plain


def _below(value: Any, store: str) -> Any:
    """Return the fields with places below the store made relative, as a store may be moved."""
    match value:
        case dict():
            return {key: _below(item, store) for key, item in value.items()}
        case list():
            return [_below(item, store) for item in value]
        case str():
            return value.removeprefix(f"{store}/")
    return value


def _differences(mine: dict[str, Any], stored: dict[str, Any], prefix: str = "") -> str:
    found = []
    for key in sorted(mine.keys() | stored.keys()):
        a, b = mine.get(key), stored.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found.append(_differences(a, b, f"{prefix}{key}."))
        elif a != b:
            found.append(f"{prefix}{key} was {b!r}, now {a!r}")
    return "; ".join(part for part in found if part)
