"""Turn the settings of the earlier tool into a campaign."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from backhaul.config import CampaignConfig, Training
from backhaul.detector.darknet import read_sections, recognise
from backhaul.errors import InputError
from backhaul.legacy.cfgfile import Entry
from backhaul.legacy.rules import METHODS, MULTISCALE_PX, RULES

REQUIRED = ("sample_set", "bandwidth")
MOST_MULTISCALE = 0.9
NETWORK = {
    "learning_rate": "training.lr0",
    "momentum": "training.momentum",
    "decay": "training.weight_decay",
}
"""Options of a Darknet file's [net] and the fields they resemble; optimizers differ."""

NOTES = {
    "methods": "the earlier tool's own; leave out what is not wanted",
    "batches.holdout_batches": "with 1, methods are ranked on a batch that nobody samples",
    "initial.images": "all of it",
}
"""What is said of fields that came from no parameter."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one parameter.

    Args:
        key: The parameter.
        value: Its text; empty where it was missing.
        fate: ``mapped``, ``changed`` (it means something else here), ``refused`` (it cannot be
            honoured) or ``missing`` (the default of this tool holds).
        here: The fields it became, or the field whose default holds.
        why: What differs, or what to do.
    """

    key: str
    value: str
    fate: Literal["mapped", "changed", "refused", "missing"]
    here: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Translation:
    """A campaign, and what became of each parameter.

    Args:
        yaml: Text of the config; behind each value stands where it came from.
        rows: A row a parameter, in the order of `RULES`, then unknown ones.
    """

    yaml: str
    rows: tuple[Row, ...]


def translate(entries: Mapping[str, Entry], name: str) -> Translation:
    """Return the campaign `name` that the settings of the earlier tool stand for.

    Raises:
        InputError: If a value is wrong, or one is missing without which there is no campaign.
    """
    for key in REQUIRED:
        if key not in entries:
            raise InputError(f"{key}: is missing, and has no default")
    values = {key: _value(entry) for key, entry in entries.items() if key in RULES}
    fields, origins = _fields(values, entries)
    config = _nested({"name": name, **fields})
    _check(config, origins)
    rows = [_row(key, entries.get(key), values) for key in RULES]
    rows += list(_network(entries.get("model_config")))
    rows += [_unknown(entry) for key, entry in entries.items() if key not in RULES]
    return Translation("\n".join(_lines(config, origins)) + "\n", tuple(rows))


def _value(entry: Entry) -> Any:
    try:
        value = RULES[entry.key].read(entry.value)
    except ValueError as error:
        raise InputError(f"{entry.place}: {entry.key}: {error}") from None
    return _model(entry) if entry.key == "model_config" else value


def _model(entry: Entry) -> str:
    """Return the model that a Darknet file describes, or whose name was given."""
    return recognise(_darknet(entry)) if entry.value.endswith(".cfg") else entry.value


def _darknet(entry: Entry) -> Path:
    """Return the Darknet file, named from the working directory or from the setting's file."""
    for folder in (Path(), entry.file.parent):
        if (path := folder / Path(entry.value).expanduser()).is_file():
            return path
    raise InputError(
        f"{entry.place}: model_config: {entry.value}: no such file; expected a Darknet .cfg, "
        "or yolov3, yolov3-tiny or yolov3-spp by name"
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
    if fields.get("stopping.kind") != "up":
        for unused in ("stopping.strip_len", "stopping.successions"):
            fields.pop(unused, None)
    fields["batches.holdout_batches"] = 0
    fields["methods"] = list(METHODS)
    return fields, origins


def _here(key: str, values: Mapping[str, Any]) -> Any:
    """Return what the value of a parameter is as a field of a campaign."""
    value = values[key]
    match key:
        case "early_stop":
            return "up" if value else "none"
        case "parallel":
            return 2 if value else 1
        case "multiscale":
            side = values.get("img_size", Training().img_size)
            return round(min(MULTISCALE_PX / side, MOST_MULTISCALE), 4) if value else 0.0
        case _:
            return value


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as a tree, parts in the order of a campaign."""
    tree: dict[str, Any] = {}
    for dotted, value in fields.items():
        *parents, last = dotted.split(".")
        part = tree
        for parent in parents:
            part = part.setdefault(parent, {})
        part[last] = value
    return {key: tree[key] for key in CampaignConfig.model_fields if key in tree}


def _check(config: Mapping[str, Any], origins: Mapping[str, Entry]) -> None:
    """Refuse what no campaign can be, by the file and line that said so."""
    try:
        CampaignConfig.model_validate(config)
    except ValidationError as error:
        raise InputError("\n".join(_problems(error, origins))) from None


def _problems(error: ValidationError, origins: Mapping[str, Entry]) -> Iterator[str]:
    for item in error.errors():
        words = [str(part) for part in item["loc"] if part not in ("folder", "up", "none")]
        field = ".".join(words)
        message = item["msg"].removeprefix("Value error, ")
        origin = origins.get(field) or next(
            (entry for here, entry in origins.items() if here.startswith(f"{field}.")), None
        )
        if origin is None:
            yield f"{field}: {message}".removeprefix(": ")
        else:
            yield f"{origin.place}: {origin.key}: {message}, got {origin.value!r}"


def _row(key: str, entry: Entry | None, values: Mapping[str, Any]) -> Row:
    rule = RULES[key]
    here = ", ".join(rule.here)
    if entry is None:
        return Row(key, "", "missing", here, "the default of this tool holds")
    if not rule.here:
        return Row(key, entry.value, "refused", "", rule.changed)
    if key in ("strip_len", "successions") and not values.get("early_stop", False):
        return Row(key, entry.value, "refused", here, "without early_stop nothing stops early")
    target = f"{here} = {_inline(_here(key, values))}"
    return Row(key, entry.value, "changed" if rule.changed else "mapped", target, rule.changed)


def _network(entry: Entry | None) -> Iterator[Row]:
    """Yield what the Darknet file says about training, which is of the config here."""
    if entry is None or not entry.value.endswith(".cfg"):
        return
    _, options = read_sections(_darknet(entry))[0]
    for option, field in NETWORK.items():
        if option in options:
            why = f"in {entry.value}; set {field} if it is wanted"
            yield Row(f"[net] {option}", options[option], "refused", "", why)


def _inline(value: Any) -> str:
    """Return a value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).splitlines()[0]


def _unknown(entry: Entry) -> Row:
    close = difflib.get_close_matches(entry.key, RULES, 1)
    why = f"{entry.place}: no such parameter" + (f"; is {close[0]} meant?" if close else "")
    return Row(entry.key, entry.value, "refused", "", why)


def _lines(
    tree: Mapping[str, Any], origins: Mapping[str, Entry], prefix: str = "", indent: str = ""
) -> Iterator[str]:
    """Yield the lines of the YAML; behind a value stands the setting it came from."""
    for key, value in tree.items():
        field = f"{prefix}{key}"
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _lines(value, origins, f"{field}.", f"{indent}  ")
            continue
        text = f"{key}: {_inline(value)}"
        origin = origins.get(field)
        note = NOTES.get(field, "")
        if origin is not None:
            note = f"{origin.key}, {origin.place}"
            note += f": {origin.comment}" if origin.comment else ""
        yield f"{indent}{text}" + (f"  # {note}" if note else "")
