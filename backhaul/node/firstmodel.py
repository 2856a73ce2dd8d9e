"""The model that a node begins with, of what home publishes: signed, and as it will update."""

from __future__ import annotations

import shutil
from pathlib import Path

from backhaul.node.updates.errors import RefusedError
from backhaul.node.updates.release import MOST_BYTES, model_place, release_of, release_place
from backhaul.node.updates.settings import Updates
from backhaul.node.updates.shelf import Shelf
from backhaul.node.updates.source import Published
from backhaul.untrusted import read_bytes, user_path
from backhaul.uplink.home import Home


def bring_model(home: Home, updates: Updates, folder: Path, model: Path) -> str | None:
    """Let the model that is published for a group be there; None if nothing is published.

    It lies where updates look for it as well, so that it does not come a second time.

    Args:
        home: Home.
        updates: Whom the node trusts, and its group.
        folder: Its folder.
        model: The file that it is to begin with.

    Returns:
        What people call the model.

    Raises:
        UnreachedError: If home was not reached.
        RefusedError: If what is there is not signed, or too large.
        OSError: If the disk does not take it.
    """
    incoming = folder / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    published = Published(home, read_bytes(user_path(updates.root)), folder / "trusted")
    if not published.refresh():
        return None
    target = published.target(release_place(updates.group))
    if target is None:
        return None
    if target.length > MOST_BYTES:
        raise RefusedError(f"its release has {target.length:,} bytes")
    published.fetch(target, incoming / "release")
    release = release_of((incoming / "release").read_bytes())
    file = release.model
    if file.bytes > updates.most_model_bytes:
        raise RefusedError(
            f"its model has {file.bytes:,} bytes, expected at most {updates.most_model_bytes:,}"
        )
    target = published.target(model_place(file.sha256))
    if target is None or file.sha256 not in target.hashes.values():
        raise RefusedError("its release names a model that nobody signed")
    kept = Shelf(folder / "models").model_file(file.sha256)
    published.fetch(target, kept)
    draft = model.with_name(f".{model.name}.new")
    shutil.copyfile(kept, draft)
    draft.replace(model)
    return release.name
