"""What lies in the folder of a study beside its table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backhaul.campaign.provenance import git_state, versions
from backhaul.errors import InputError
from backhaul.identity import content_digest
from backhaul.storage.objects import replace
from backhaul.study.settings import StudyConfig
from backhaul.untrusted import read_bytes

DIGITS = 12
"""Of the digest of versions."""


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
        "software": known.get("software", {}) | {digest: found},
        "starts": [*known.get("starts", []), start],
    }
    folder.mkdir(parents=True, exist_ok=True)
    replace(
        (folder / "study.json").resolve().as_posix(), json.dumps(content, indent=1).encode()
    )
    return digest


def read_study(folder: Path) -> dict[str, Any]:
    """Return what ``study.json`` holds; nothing if there is none.

    Raises:
        InputError: If it is none of ours.
    """
    place = folder / "study.json"
    if not place.exists():
        return {}
    try:
        content = json.loads(read_bytes(place))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{place}: expected the JSON of a study")
    return content
