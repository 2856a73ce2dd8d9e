"""Turn the settings of the earlier tool into a campaign."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.legacy.cfgfile import INHERIT, Cfg, Entry, Parent
from backhaul.campaign.legacy.commented import commented, inline, nested
from backhaul.campaign.legacy.imageset import ListedSet, listed_set
from backhaul.campaign.legacy.network import network_rows
from backhaul.campaign.legacy.row import Row
from backhaul.campaign.legacy.rules import METHODS, MULTISCALE_PX, RULES
from backhaul.errors import InputError
from backhaul.learn.darknet import KNOWN, recognise
from backhaul.learn.settings import Training
from backhaul.untrusted import one_line, user_path

LISTS = {"initial_set": "initial", "sample_set": "sample"}
"""Parameters that may name a list of images, and what the folder made of it is called."""
REQUIRED = ("sample_set", "bandwidth")
MOST_MULTISCALE = 0.9
NOTES = {
    "methods": "the earlier tool's own; leave out what is not wanted",
    "batches.holdout_batches": "with 1, methods are ranked on a batch that nobody samples",
    "initial.images": "all of it",
}
"""Comments on fields that come from no parameter."""

MISSING = {
    "initial_set": "the initial set is drawn from sample_set; initial.images says how many"
}
"""Comments on missing parameters whose default needs an explanation."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated campaign, and how each parameter was translated.

    Args:
        yaml: Text of the config; behind each value stands where it came from.
        rows: A row for each parent, each parameter in the order of `RULES`, each option of the
            Darknet file, and each unknown parameter.
        sets: Data sets to be written, of those that were given as lists of images.
    """

    yaml: str
    rows: tuple[Row, ...]
    sets: tuple[ListedSet, ...] = ()


def translate(cfg: Cfg, name: str, folder: Path = Path()) -> Translation:
    """Return the campaign `name` that the settings of the earlier tool stand for.

    Args:
        cfg: The settings.
        name: Name of the campaign.
        folder: Where data sets that were given as lists are to be written.

    Raises:
        InputError: If a value is wrong, or one is missing without which there is no campaign.
    """
    entries = cfg.entries
    if missing := [key for key in REQUIRED if key not in entries]:
        raise InputError(f"{cfg.path}: {' and '.join(missing)} missing, without a default")
    values = {key: _value(entry) for key, entry in entries.items() if key in RULES}
    roots = {key: folder / f"{name}-{part}" for key, part in LISTS.items() if key in values}
    found = {key: _listed(entries[key], values, root) for key, root in roots.items()}
    sets = {key: listed for key, listed in found.items() if listed is not None}
    values |= {key: listed.root.as_posix() for key, listed in sets.items()}
    fields, origins = _fields(values, entries)
    tree = nested({"name": name, **fields})
    config = _checked(tree, origins)
    rows = [_inherited(parent) for parent in cfg.parents]
    for key in RULES:
        entry = entries.get(key)
        rows.append(_absent(key, config) if entry is None else _row(entry, values))
    model = entries.get("model_config")
    if model is not None and _is_darknet(model):
        rows += network_rows(_darknet(model), config)
    rows += [_unknown(entry) for key, entry in entries.items() if key not in RULES]
    rows = [_of_list(row) if row.key in sets else row for row in rows]
    text = "\n".join([*_header(cfg), *commented(tree, _notes(origins)), ""])
    return Translation(text, tuple(rows), tuple(sets.values()))


def _listed(entry: Entry, values: Mapping[str, Any], root: Path) -> ListedSet | None:
    """Return the data set that a list of images stands for; None if a folder was given."""
    try:
        return listed_set(values[entry.key], values.get("class_list"), root)
    except InputError as error:
        raise InputError(f"{entry.place}: {entry.key}: {error}") from None


def _of_list(row: Row) -> Row:
    why = "a list of images: the folder that is written names them, and holds none"
    return dataclasses.replace(row, why=why)


def _value(entry: Entry) -> Any:
    try:
        value = RULES[entry.key].read(entry.value)
    except ValueError as error:
        raise InputError(f"{entry.place}: {entry.key}: {error}") from None
    return _model(entry) if entry.key == "model_config" else value


def _model(entry: Entry) -> str:
    """Return the model that a Darknet file describes, or whose name or file was given."""
    if _is_darknet(entry):
        return recognise(_darknet(entry))
    name = entry.value.lower()
    return name if name in KNOWN else entry.value


def _is_darknet(entry: Entry) -> bool:
    return Path(entry.value).suffix.lower() not in ("", ".pt", ".yaml", ".yml")


def _darknet(entry: Entry) -> Path:
    """Return the Darknet file, named from the working directory or from the setting's file."""
    for folder in (Path(), entry.file.parent):
        path = folder / user_path(entry.value)
        if os.path.isfile(path):  # noqa: PTH113 - raises nothing for what is no name
            return path
    raise InputError(
        f"{entry.place}: model_config: {one_line(entry.value)}: no such file; expected a "
        "Darknet .cfg, or yolov3, yolov3-tiny or yolov3-spp by name"
    )


def _fields(
    values: Mapping[str, Any], entries: Mapping[str, Entry]
) -> tuple[dict[str, Any], dict[str, Entry]]:
    """Return fields by dotted name, and the setting that each came from."""
    fields: dict[str, Any] = {"data.kind": "folder", "data.format": "yolo"}
    origins: dict[str, Entry] = {}
    for key, rule in RULES.items():
        for here in rule.here if key in values else ():
            fields[here] = _here(key, values)
            origins[here] = entries[key]
    if "initial_set" in values:
        fields |= {"initial.images": None, "initial.data.format": "yolo"}
        if "class_list" in values:
            fields["initial.data.names"] = values["class_list"]
            origins["initial.data.names"] = entries["class_list"]
    if fields.get("stopping.kind") != "up":
        for unused in ("stopping.strip_len", "stopping.successions"):
            fields.pop(unused, None)
    fields["batches.holdout_batches"] = 0
    fields["methods"] = list(METHODS)
    return fields, origins


def _here(key: str, values: Mapping[str, Any]) -> Any:
    """Return the value of a parameter as the value of a campaign field."""
    value = values[key]
    match key:
        case "early_stop":
            return "up" if value else "none"
        case "parallel":
            return 2 if value else 1
        case "multiscale":
            side = values.get("img_size", Training().img_size)
            most = min(MULTISCALE_PX / side, MOST_MULTISCALE)
            return math.floor(most * 1e4) / 1e4 if value else 0.0  # up would add a stride
        case _:
            return value


def _checked(tree: Mapping[str, Any], origins: Mapping[str, Entry]) -> CampaignConfig:
    """Validate the campaign; errors name the file and line that a value comes from."""
    try:
        return CampaignConfig.model_validate(tree)
    except ValidationError as error:
        raise InputError("\n".join(_problems(error, origins))) from None


def _problems(error: ValidationError, origins: Mapping[str, Entry]) -> Iterator[str]:
    for item in error.errors():
        words = [str(part) for part in item["loc"] if part not in ("folder", "up", "none")]
        field = ".".join(words)
        message = item["msg"].removeprefix("Value error, ")
        if field in origins:
            entry = origins[field]
            yield f"{entry.place}: {entry.key}: {message}, got {one_line(entry.value)!r}"
            continue
        prefix = f"{field}." if field else ""
        named = [origins.get(prefix + word) for word in re.findall(r"[\w.]+", message)]
        givers = ", ".join(
            f"{e.place}: {e.key} = {one_line(e.value)}" for e in named if e is not None
        )
        yield f"{field}: {message}".removeprefix(": ") + (f" ({givers})" if givers else "")


def _inherited(parent: Parent) -> Row:
    entry = parent.entry
    found = (
        "beside that file, not in the working directory"
        if parent.beside
        else ("in the working directory")
    )
    why = f"in {entry.place}; found {found}"
    return Row(INHERIT, entry.value, "mapped", f"read {parent.path}", why)


def _absent(key: str, config: CampaignConfig) -> Row:
    """Return the row of a parameter that was not given."""
    fields = RULES[key].here
    defaults = [f"{field} = {inline(_value_of(config, field))}" for field in fields]
    why = MISSING.get(
        key, "the default of this tool holds" if fields else "it has no field here"
    )
    return Row(key, "", "missing", ", ".join(defaults), why)


def _value_of(config: CampaignConfig, field: str) -> Any:
    """Return the value of a field; None where the part that would have it is not there."""
    value: Any = config.model_dump(mode="json")
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _row(entry: Entry, values: Mapping[str, Any]) -> Row:
    key, rule = entry.key, RULES[entry.key]
    here = ", ".join(rule.here)
    if not rule.here:
        return Row(key, entry.value, "refused", "", rule.changed)
    if key in ("strip_len", "successions") and not values.get("early_stop", False):
        return Row(key, entry.value, "refused", here, "without early_stop nothing stops early")
    target = f"{here} = {inline(_here(key, values))}"
    return Row(key, entry.value, "changed" if rule.changed else "mapped", target, rule.changed)


def _unknown(entry: Entry) -> Row:
    close = difflib.get_close_matches(entry.key, RULES, 1)
    why = f"{entry.place}: no such parameter" + (f"; is {close[0]} meant?" if close else "")
    return Row(entry.key, entry.value, "refused", "", why)


def _header(cfg: Cfg) -> Iterator[str]:
    above = "".join(f", which inherits from {parent.path}" for parent in cfg.parents)
    yield f"# Imported from {cfg.path}{above}."
    yield "# Behind a value: the parameter it came from, its file and line, its comment there."


def _notes(origins: Mapping[str, Entry]) -> dict[str, str]:
    """Return the comment behind each field: the setting it came from, and its comment there."""
    notes = dict(NOTES)
    for field, origin in origins.items():
        comment = f": {origin.comment}" if origin.comment else ""
        notes[field] = f"{origin.key}, {origin.place}{comment}"
    return notes
