"""Names of what nodes tell home, and get from it: their part of the layout of a store."""

from __future__ import annotations

import re

from backhaul.layout import arrival_place, internal

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
"""Names of nodes, and of groups, as a regular expression."""
_TOLD = re.compile(
    rf"(?P<node>{NAME})/(?P<kind>sidecars|windows)/"
    r"\d{1,12}-[0-9a-f]{16}\.json(\.gz)?"
)


def published_place(root: str, name: str) -> str:
    """Return the address of a file in the folder ``published``, which nodes read."""
    return f"{root}/published/{name}"


def inbox_awaiting(root: str) -> str:
    """Return the address of the list of pictures whose sidecars are waited for."""
    return arrival_place(root, "awaiting.json")


def told_folder(root: str) -> str:
    """Return the folder for what agents tell beside pictures, as ``NODE/KIND/NAME``."""
    return f"{root}/nodes"


def wants_name(node: str) -> str:
    """Return the name of what home asks of a node: frames, a report, and to take new keys."""
    return f"nodes/{node}/wants.json"


def report_name(node: str) -> str:
    """Return the name of what a node reports of itself when home asks."""
    return f"nodes/{node}/report.json.gz"


def enrolled_name(node: str) -> str:
    """Return the name of what says that a node was enrolled, and when."""
    return f"nodes/{node}/enrolled.json"


def told_by(name: str) -> tuple[str, str] | None:
    """Return the node and the kind of a file in that folder; None for any other file.

    Example:
        >>> told_by("cam-1/windows/0000000007-00112233445566aa.json")
        ('cam-1', 'windows')
    """
    found = _TOLD.fullmatch(name)
    return None if found is None else (found["node"], found["kind"])


def told_place(root: str, name: str) -> str:
    """Return where a file of that folder is kept once it was read."""
    return arrival_place(root, f"told/{name}")


def sidecar_place(root: str, node: str, image_id: str) -> str:
    """Return the address of what a node told about an image."""
    return arrival_place(root, f"sidecars/{node}/{image_id[:2]}/{image_id}.json")


def windows_entry(root: str, number: int) -> str:
    """Return the address of an entry of the table of the nodes' windows."""
    return arrival_place(root, f"windows/{number:08d}.parquet")


def windows_pending(root: str) -> str:
    """Return the address of the entry of that table that is being written."""
    return arrival_place(root, "windows/pending.json")


def windows_reference(root: str, node: str) -> str:
    """Return the address of what a node saw in its first windows with each model."""
    return arrival_place(root, f"windows/reference/{node}.json")


def status_place(root: str, node: str) -> str:
    """Return the address of what a node says of itself."""
    return f"{told_folder(root)}/{node}/status.json"


def rollouts_folder(root: str) -> str:
    """Return the folder of the rollouts of all groups."""
    return internal(root, "fleet/rollouts")


def rollout_place(root: str, group: str) -> str:
    """Return the address of the rollout of a group."""
    return f"{rollouts_folder(root)}/{group}.json"


def problems_place(root: str) -> str:
    """Return the address of the problems of nodes that were told."""
    return internal(root, "fleet/problems.json")
