"""All that home knows of a node, and what the node says when it is asked, as one archive."""

from __future__ import annotations

import gzip
import io
import json
import math
import secrets
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from backhaul.fleet.nodes import read_node
from backhaul.fleet.wants import ask, require_name, wants_for
from backhaul.node.requests import MOST_REPORT_BYTES
from backhaul.nodelayout import (
    published_place,
    report_name,
    told_by,
    told_folder,
    told_place,
)
from backhaul.storage.conditional import read_bounded
from backhaul.storage.listing import Stored, listing
from backhaul.untrusted import UnreadableFileError, one_line

MOST_WINDOWS = 50
_MOST_UNPACKED_BYTES = 4_000_000
_MOST_BYTES = 1_000_000
_MOST_LINE = 500
POLL_S = 5.0
"""Seconds between two looks for an answer."""


def ask_report(root: str, node: str) -> str:
    """Ask a node how it is, in detail; return which time that is.

    Raises:
        InputError: If no node has such a name.
    """
    question = secrets.token_hex(8)
    ask(root, node, ask=question)
    return question


def has_told(root: str, node: str) -> bool:
    """Return whether a node has ever told how it is.

    Raises:
        InputError: If no node can have such a name.
    """
    require_name(node)
    return read_node(root, node, time.time(), math.inf) is not None


def wait_for_report(
    root: str, node: str, question: str, wait_s: float, sleep: Callable[[float], None]
) -> bool:
    """Return whether a node has answered, after waiting for it for some time.

    Args:
        root: Root of the store.
        node: Its name.
        question: Which time it was asked.
        wait_s: Most seconds to wait.
        sleep: Waits so many seconds.
    """
    for left in reversed(range(math.ceil(wait_s / POLL_S) + 1)):
        if (report := read_report(root, node)) is not None and report["question"] == question:
            return True
        if left:
            sleep(POLL_S)
    return False


def read_report(root: str, node: str) -> dict[str, Any] | None:
    """Return what a node said last when it was asked; None = nothing that can be read."""
    place = f"{root}/{report_name(node)}"
    try:
        data = read_bounded(place, MOST_REPORT_BYTES)
        if data is None:
            return None
        with gzip.open(io.BytesIO(data)) as file:  # it may unpack to any size
            found = json.loads(file.read(_MOST_UNPACKED_BYTES))
    except (UnreadableFileError, OSError, EOFError, zlib.error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "question" in found else None


def files_of(root: str, node: str) -> dict[str, str]:
    """Return the files of an archive, by name. All that nodes wrote is escaped.

    Args:
        root: Root of the store.
        node: Its name.

    Raises:
        InputError: If no node has such a name.
        StoreError: If the store cannot be used.
    """
    wants = wants_for(root, node)
    if "keys" in wants:
        wants["keys"] = "sealed, left out"
    view = read_node(root, node, time.time(), math.inf)
    status = None if view is None or view.status is None else view.status.model_dump()
    files = {
        "view.json": _json(None if view is None else asdict(view) | {"status": status}),
        "wants.json": _json(wants),
    }
    for name, file in {
        **dict(_windows(root, node)),
        **dict(_releases(root, status)),
    }.items():
        files[name] = _json(_parsed(file))
    report = read_report(root, node)
    if report is not None:
        log = report.pop("log", [])
        lines = log if isinstance(log, list) else []
        files["report.json"] = _json(report)
        files["log.txt"] = "".join(f"{one_line(str(each), _MOST_LINE)}\n" for each in lines)
    return files


def archive(node: str, files: dict[str, str], now_s: float) -> bytes:
    """Return files as tar, compressed by gzip, in a folder named like the node."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in sorted(files.items()):
            data = text.encode()
            entry = tarfile.TarInfo(f"{node}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(now_s), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _windows(root: str, node: str) -> Iterator[tuple[str, Stored]]:
    """Yield the last summaries of windows, those included that were not taken in yet."""
    places = (told_folder(root), told_place(root, "").rstrip("/"))
    found = {
        file.uri.rpartition("/")[2]: file
        for place in places
        for file in listing(f"{place}/{node}/windows")
        if told_by(file.uri.removeprefix(f"{place}/")) == (node, "windows")
    }
    for name in sorted(found)[-MOST_WINDOWS:]:
        yield f"windows/{name}", found[name]


def _releases(root: str, status: dict[str, Any] | None) -> Iterator[tuple[str, Stored]]:
    """Yield the release that a node goes by, and the newest of its group, or of all groups."""
    place = published_place(root, "targets/groups")
    groups: dict[str, list[Stored]] = {}
    for file in listing(place):
        parts = file.uri.removeprefix(f"{place}/").split("/")
        if len(parts) == 2 and parts[1].endswith(".release.json"):  # noqa: PLR2004 - GROUP/FILE
            groups.setdefault(parts[0], []).append(file)
    told = status or {}
    digest, own = told.get("release", ""), told.get("group", "")
    for group, files in groups.items():
        if own not in ("", group):
            continue
        yield f"published/{group}/newest.json", max(files, key=lambda file: file.modified)
        for file in files:
            if digest and file.uri.rpartition("/")[2].startswith(digest):
                yield f"published/{group}/in-use.json", file


def _parsed(file: Stored) -> Any:
    try:
        data = read_bounded(file.uri, _MOST_BYTES)
        return None if data is None else json.loads(data)
    except (UnreadableFileError, ValueError, RecursionError) as error:
        return {"cannot be read": one_line(str(error))}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"
