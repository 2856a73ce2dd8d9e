"""Read a campaign from a YAML file; each problem becomes one line of the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError
from backhaul.untrusted import UnreadableFileError, one_line, read_bytes, understanding
from backhaul.yamltext import parse_yaml

_MOST_MESSAGE = 1_000  # characters
_MOST_LINES = 100


def load_config(path: Path, overrides: tuple[str, ...] = ()) -> CampaignConfig:
    """Read a campaign from YAML.

    Args:
        path: The file.
        overrides: Settings as ``a.b=value``, the value in YAML; they win over the file.

    Raises:
        InputError: If the file, a key or a value is wrong; one line a problem.
    """
    try:
        data = parse_yaml(read_bytes(path))
    except UnreadableFileError:
        raise
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected keys and values, got {type(data).__name__}")
    for override in overrides:
        _apply(data, override)
    try:
        with understanding(path):
            return CampaignConfig.model_validate(data)
    except ValidationError as error:
        wrong = error.errors()
        lines = [_describe(path, item) for item in wrong[:_MOST_LINES]]
        more = [f"... and {len(wrong) - _MOST_LINES} more"] if len(wrong) > _MOST_LINES else []
        raise InputError("\n".join([*lines, *more])) from None


def _apply(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"--set {override}: expected KEY=VALUE, for example --set seed=3")
    *parents, last = key.split(".")
    for parent in parents:
        if data.get(parent) is None:
            data[parent] = {}
        data = data[parent]
        if not isinstance(data, dict):
            raise InputError(f"--set {override}: {parent} has no keys of its own")
    try:
        data[last] = parse_yaml(text)
    except InputError:
        raise InputError(f"--set {override}: the value is not YAML") from None


def _describe(path: Path, error: Any) -> str:
    key = one_line(".".join(str(part) for part in error["loc"])) or "config"
    message = one_line(error["msg"].removeprefix("Value error, "), _MOST_MESSAGE)
    match error["type"]:
        case "missing":
            return f"{path}: {key}: is missing; set it in the file or with --set {key}=..."
        case "extra_forbidden":
            return f"{path}: {key}: is no key of a campaign (see configs/reference.yaml)"
        case "union_tag_not_found":
            return f"{path}: {key}.kind: is missing (see configs/reference.yaml)"
        case "union_tag_invalid":
            known = error["ctx"]["expected_tags"].replace("'", "")
            return f"{path}: {key}: {one_line(repr(error['ctx']['tag']))} is none of {known}"
    if not error["loc"]:
        return f"{path}: {message}"  # of the whole config, which is too long to repeat
    return f"{path}: {key}: {message}, got {one_line(repr(error['input']))}"
