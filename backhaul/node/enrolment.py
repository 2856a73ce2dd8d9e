"""Enrol a node on a bare machine: from a token to files that it runs by."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from backhaul.errors import InputError
from backhaul.node.settings import NodeConfig
from backhaul.settingsfile import fields_of, validated
from backhaul.untrusted import user_path
from backhaul.uplink.keys import key_text
from backhaul.uplink.privatefile import write_private
from backhaul.uplink.token import Token

NODE, KEYS, ROOT, MODEL = "node.yaml", "keys", "root.json", "model.onnx"
BEFORE = ".before"
_TOKENS = ("node", "folder", "uplink", "updates", "model", "frames")
"""Settings that a section of its own has, or that the token decides."""
_FRAMES = """\
# Where frames come from: take the # from one of these, and fill it in.
# frames: {kind: folder, path: /var/frames}          # what something else writes
# frames: {kind: camera, address: 0, rate: 0.1}      # /dev/video0, a frame every ten seconds
# frames: {kind: camera, address: "rtsp://me:{password}@cam/1", password_variable: CAMERA}
"""


def settings_of(token: Token, folder: Path, frames: str | None) -> dict[str, Any]:
    """Return the settings of a node as its token says, with all paths in a folder.

    Args:
        token: The token.
        folder: The folder, absolute.
        frames: Folder that its frames come from; None = as the token says, if it does.
    """
    given = token.settings
    model = str(given.get("model", ""))
    uplink = token.uplink.model_dump(exclude_defaults=True, exclude_none=True)
    found: dict[str, Any] = {
        "node": token.node,
        "folder": str(folder / "node"),
        "model": model if Path(model).is_absolute() else str(folder / MODEL),
        "uplink": {"kind": "s3", **uplink, "keys_file": str(folder / KEYS)},
    }
    if frames is not None:
        found["frames"] = {"kind": "folder", "path": frames}
    elif "frames" in given:
        found["frames"] = given["frames"]
    if token.root is not None:
        trust = {"root": str(folder / ROOT), "group": token.group}
        updates = given.get("updates") or {}
        found["updates"] = {**updates, **trust} if isinstance(updates, dict) else updates
    return found | {name: value for name, value in given.items() if name not in _TOKENS}


def require_settings(token: Token, what: str) -> None:
    """Do nothing if a node can run by the settings of a token, once it has frames.

    Args:
        token: The token.
        what: What they are from, for errors.

    Raises:
        InputError: If a setting is wrong, or none that this version knows; a line each.
    """
    if token.root is None and token.settings.get("updates") is not None:
        raise InputError(f"{what}: updates: expected root.json of `backhaul models keys`, too")
    if token.root is not None:
        try:
            Metadata[Root].from_bytes(token.root.encode())
        except RepositoryError:
            raise InputError("--root: expected root.json of `backhaul models keys`") from None
    frames = {"frames": {"kind": "folder", "path": "frames"}}
    fields = frames | settings_of(token, Path("/"), None)
    validated(Path(what), NodeConfig, fields, "a node")


def node_text(token: Token, folder: Path, frames: str | None) -> str:
    """Return NODE.yaml, with a comment above each section."""
    fields = settings_of(token, folder, frames)
    updates = {"updates": fields.pop("updates")} if "updates" in fields else {}
    chosen = {"frames": fields.pop("frames")} if "frames" in fields else {}
    uplink, model = {"uplink": fields.pop("uplink")}, {"model": fields.pop("model")}
    own = {name: fields.pop(name) for name in ("node", "folder")}
    today = datetime.now(UTC)
    sections = [
        f"# The node {token.node}, enrolled on {today:%Y-%m-%d}. All settings: docs/node.md\n"
        "# folder is its own: what waits, and its journal.\n" + _yaml(own),
        "# Where frames come from.\n" + _yaml(chosen) if chosen else _FRAMES,
        "# What looks at them: a file of `backhaul export-model`.\n" + _yaml(model),
        "# Where home is. Home may give new keys: the node replaces the file itself.\n"
        + _yaml(uplink),
    ]
    if updates:
        sections.append("# Who may publish models and policies for it.\n" + _yaml(updates))
    if fields:
        sections.append("# How it chooses, and what it may send.\n" + _yaml(fields))
    return "\n".join(sections)


def first_files(token: Token, folder: Path) -> dict[Path, str]:
    """Return the files of a new node, but node.yaml: what it trusts, and its keys.

    A file that already says the same, as of a call that was cut off, may be there.

    Raises:
        InputError: If one of them is there and says something else, or node.yaml is there.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder")
    if (folder / NODE).exists():
        raise InputError(
            f"{folder / NODE}: is there already; --again replaces the keys of an enrolled node"
        )
    files = {folder / KEYS: key_text(token.keys.keys, token.sealing)}
    if token.root is not None:
        files = {folder / ROOT: token.root, **files}
    for file, text in files.items():
        if _text_in(file) not in ("", text):
            raise InputError(f"{file}: is there already; move it away first")
    return files


def other_files(token: Token, folder: Path) -> dict[Path, str]:
    """Return the files of an enrolled node that a token replaces: its keys, and whom it trusts.

    Raises:
        InputError: If the folder has no such node, or it sends elsewhere.
    """
    path = folder / NODE
    fields = fields_of(path)
    fields.setdefault("frames", {"kind": "folder", "path": "frames"})  # not filled in yet
    config = validated(path, NodeConfig, fields, "a node")
    if config.node != token.node:
        raise InputError(f"{path}: is of {config.node}, and the token of {token.node}")
    if config.uplink.kind != "s3" or config.uplink.keys_file is None:
        raise InputError(f"{path}: uplink.keys_file: expected the file to replace")
    ours, theirs = config.uplink, token.uplink
    for name in ("endpoint", "bucket", "prefix"):
        if getattr(ours, name) != getattr(theirs, name):
            raise InputError(
                f"{path}: uplink.{name}: is {getattr(ours, name)}, and in the token "
                f"{getattr(theirs, name)}"
            )
    files = {user_path(config.uplink.keys_file): key_text(token.keys.keys, token.sealing)}
    if token.root is not None and config.updates is not None:
        files[user_path(config.updates.root)] = token.root
    return files


def write_files(files: dict[Path, str]) -> list[Path]:
    """Write files that only their owner may read; return those that have changed.

    What was there stays beside them, with ``.before`` at its end.
    """
    before = {file: _text_in(file) for file in files}
    changed = [file for file, text in files.items() if text != before[file]]
    for file in changed:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if before[file]:
            write_private(file.with_name(file.name + BEFORE), before[file])
        write_private(file, files[file])
    return changed


def _text_in(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""


def _yaml(fields: dict[str, Any]) -> str:
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=100)
