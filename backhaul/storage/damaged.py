"""What is damaged in a store counts as missing: it is moved out of the way, and kept."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from backhaul.errors import StoreError
from backhaul.layout import damaged_place
from backhaul.storage.addresses import is_local
from backhaul.storage.places import filesystem, patiently

LOG = logging.getLogger(__name__)


def set_aside(uri: str, reason: str) -> None:
    """Move a damaged file or folder of a store to where damaged ones are kept, and log it.

    Where that is not possible, as in a store that is only read, it stays.

    Args:
        uri: Where it is, below a store's inner folder.
        reason: What is wrong with it.
    """
    kept = damaged_place(uri, f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    try:
        _move(uri, kept)
    except FileNotFoundError:  # another process did it
        return
    except (OSError, StoreError) as error:
        LOG.warning("%s: %s; it cannot be set aside: %s", uri, reason, error)
        return
    LOG.warning("%s: %s: it counts as missing, and is kept as %s", uri, reason, kept)


@patiently
def _move(uri: str, target: str) -> None:
    if is_local(uri):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(uri).rename(target)
        return
    fs, path = filesystem(uri)
    fs.copy(path, filesystem(target)[1])
    with suppress(FileNotFoundError):
        fs.rm_file(path)
