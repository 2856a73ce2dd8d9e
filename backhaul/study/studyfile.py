"""Read a study or a pretraining from a YAML file; each problem is one line of the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from backhaul.campaign.configfile import apply_override
from backhaul.errors import InputError
from backhaul.study.pretraining import PretrainingConfig
from backhaul.study.settings import StudyConfig
from backhaul.untrusted import one_line, read_bytes, understanding, user_path
from backhaul.yamltext import parse_yaml

M = TypeVar("M", bound=BaseModel)


def load_study(path: Path, overrides: tuple[str, ...] = ()) -> StudyConfig:
    """Read a study from YAML; files of campaigns are found beside it.

    Args:
        path: The file.
        overrides: Settings as ``a.b=value``, the value in YAML; they win over the file.

    Raises:
        InputError: If a file, a key or a value is wrong; one line a problem.
    """
    fields = _fields(path)
    sets = fields.get("sets")
    if isinstance(sets, dict):
        fields["sets"] = {name: _campaign(path, name, given) for name, given in sets.items()}
    return _validated(path, StudyConfig, fields, overrides)


def load_pretraining(path: Path, overrides: tuple[str, ...] = ()) -> PretrainingConfig:
    """Read a pretraining from YAML.

    Args:
        path: The file.
        overrides: See `load_study`.

    Raises:
        InputError: If a file, a key or a value is wrong; one line a problem.
    """
    return _validated(path, PretrainingConfig, _fields(path), overrides)


def _validated(
    path: Path, model: type[M], fields: dict[str, Any], overrides: tuple[str, ...]
) -> M:
    for override in overrides:
        apply_override(fields, override)
    try:
        with understanding(path):
            return model.model_validate(fields)
    except ValidationError as error:
        lines = dict.fromkeys(_describe(path, each) for each in error.errors())
        raise InputError("\n".join(lines)) from None


def _campaign(study: Path, name: str, given: Any) -> Any:
    """Return the fields of the campaign that a set is, or is the file of."""
    if not isinstance(given, str):
        return given
    path = study.parent / user_path(given)
    if not path.is_file():
        raise InputError(f"{study}: sets.{one_line(str(name))}: {path}: is no file")
    return _fields(path)


def _fields(path: Path) -> dict[str, Any]:
    try:
        found = parse_yaml(read_bytes(path))
    except InputError as error:
        text = str(error)
        raise InputError(text if str(path) in text else f"{path}: {text}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected keys and values, got {type(found).__name__}")
    return found


def _describe(path: Path, error: Any) -> str:
    key = one_line(".".join(map(str, error["loc"]))) or "study"
    message = one_line(error["msg"].removeprefix("Value error, "))
    match error["type"]:
        case "missing":
            return f"{path}: {key}: is missing"
        case "extra_forbidden":
            return f"{path}: {key}: is no key of a study, or of a campaign in its sets"
        case "union_tag_invalid":
            known = error["ctx"]["expected_tags"].replace("'", "")
            return f"{path}: {key}: {one_line(repr(error['ctx']['tag']))} is none of {known}"
    return f"{path}: {key}: {message}"
