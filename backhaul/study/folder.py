"""What lies in the folder of a study beside its table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.campaign.provenance import git_state, versions
from backhaul.errors import InputError
from backhaul.identity import content_digest
from backhaul.storage.objects import replace
from backhaul.study.settings import StudyConfig
from backhaul.untrusted import one_line, read_bytes

DIGITS = 12
"""Of the digest of versions."""


class StudyFile(BaseModel):
    """What of ``study.json`` outlives a start.

    Args:
        software: Versions of packages, by the digest that rows have.
        starts: When, with which software and from which commit, the first start first.
    """

    model_config = ConfigDict(frozen=True)

    software: dict[str, dict[str, str]] = {}
    starts: tuple[dict[str, Any], ...] = ()


def note_start(folder: Path, config: StudyConfig) -> str:
    """Note config and software of a start in ``study.json``; those of earlier starts stay.

    Args:
        folder: The folder of the study.
        config: The study.

    Returns:
        The digest of the versions, under which ``software`` has them.
    """
    found = versions()
    digest = content_digest(found)[:DIGITS]
    known = read_study(folder)
    git = git_state()
    start = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": digest,
        "commit": git.commit,
        "dirty": git.dirty,
    }
    content = {
        "config": config.as_written,
        "software": known.software | {digest: found},
        "starts": [*known.starts, start],
    }
    folder.mkdir(parents=True, exist_ok=True)
    replace(
        (folder / "study.json").resolve().as_posix(), json.dumps(content, indent=1).encode()
    )
    return digest


def read_study(folder: Path) -> StudyFile:
    """Return what ``study.json`` holds; nothing if there is none.

    Raises:
        InputError: If it is none of ours.
    """
    place = folder / "study.json"
    if not place.exists():
        return StudyFile()
    try:
        return StudyFile.model_validate_json(read_bytes(place))
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        where = f"{place}: {one_line(key)}" if key else f"{place}"
        raise InputError(f"{where}: expected the JSON of a study") from None
