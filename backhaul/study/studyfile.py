"""Read a study or a pretraining from a YAML file; each problem is one line of the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backhaul.errors import InputError
from backhaul.settingsfile import fields_of, validated
from backhaul.study.pretraining import PretrainingConfig
from backhaul.study.settings import StudyConfig
from backhaul.untrusted import one_line, user_path

_STUDY = "a study, or of a campaign in its sets"


def load_study(path: Path, overrides: tuple[str, ...] = ()) -> StudyConfig:
    """Read a study from YAML; files of campaigns are found beside it.

    Args:
        path: The file.
        overrides: Settings as ``a.b=value``, the value in YAML; they win over the file.

    Raises:
        InputError: If a file, a key or a value is wrong; one line a problem.
    """
    fields = fields_of(path)
    sets = fields.get("sets")
    if isinstance(sets, dict):
        fields["sets"] = {name: _campaign(path, name, given) for name, given in sets.items()}
    return validated(path, StudyConfig, fields, _STUDY, overrides)


def load_pretraining(path: Path, overrides: tuple[str, ...] = ()) -> PretrainingConfig:
    """Read a pretraining from YAML.

    Args:
        path: The file.
        overrides: See `load_study`.

    Raises:
        InputError: If a file, a key or a value is wrong; one line a problem.
    """
    return validated(path, PretrainingConfig, fields_of(path), "a pretraining", overrides)


def _campaign(study: Path, name: str, given: Any) -> Any:
    """Return the fields of the campaign that a set is, or is the file of."""
    if not isinstance(given, str):
        return given
    path = study.parent / user_path(given)
    if not path.is_file():
        raise InputError(f"{study}: sets.{one_line(str(name))}: {path}: is no file")
    return fields_of(path)
