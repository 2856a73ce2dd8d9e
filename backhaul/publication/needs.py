"""What a campaign needs to publish its versions: is it there?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from backhaul.campaign.publish import Publish
from backhaul.data.images import is_image
from backhaul.errors import InputError
from backhaul.health.faults import Fault, faults_of
from backhaul.publication.keys import read_keys


def missing_for(publish: Publish | None, *, here: bool) -> Iterator[Fault]:
    """Yield what is missing for the publication of versions.

    Args:
        publish: How they reach nodes; None = they do not.
        here: Whether hours run on this machine; else what is missing may lie where they do.
    """
    severity: Literal["error", "warning"] = "error" if here else "warning"
    if publish is None or publish.signing is None:
        return
    try:
        read_keys(Path(publish.signing).expanduser())
    except InputError as error:
        for fault in faults_of("publish.signing", error):
            yield Fault(fault.key, fault.text, severity)
    for key in ("probe", "labelled"):
        folder: str | None = getattr(publish, key)
        if folder is not None and not _has_image(Path(folder).expanduser()):
            yield Fault(f"publish.{key}", f"{folder}: expected images, found none", severity)


def _has_image(folder: Path) -> bool:
    return any(path.is_file() and is_image(path.name) for path in folder.rglob("*"))
