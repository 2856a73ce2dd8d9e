"""Releases of groups among what is signed: what each says, and what was there before it.

The list says of each release which one all nodes of the group had before, signed with all else:
whoever can write into the store cannot make an operator go back to something of their choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TargetFile

from backhaul.errors import InputError, RefusedFileError
from backhaul.link.ledger import Ledger
from backhaul.node.budget import Budget
from backhaul.node.settings import FolderFrames, NodeConfig
from backhaul.node.updates.errors import RefusedError
from backhaul.node.updates.release import (
    PublishedFile,
    Release,
    model_place,
    probe_place,
    release_of,
    release_place,
    require_choice,
)
from backhaul.nodelayout import NAME
from backhaul.publication.repository import put_target, target_uri
from backhaul.storage.conditional import read_bounded
from backhaul.untrusted import UnreadableFileError
from backhaul.uplink.settings import FolderUplink

BEFORE = "backhaul-before"
"""In the custom part of a release's target: digest and length of the one before for all."""
LEAST_FRAME_BYTES = 1_000
"""A budget into which not even so much ever fits sends nothing."""
_DAMAGED = (LengthOrHashMismatchError, RefusedFileError, UnreadableFileError)
"""What is raised for a file that is not as it was signed, or cannot be read."""
_ANY_NODE = NodeConfig(
    node="any",
    frames=FolderFrames(path="any"),
    model="any",
    uplink=FolderUplink(kind="folder", folder="any"),
)


def release_at(root: str, targets: Mapping[str, TargetFile], group: str) -> Release | None:
    """Return the release of a group; None if there is none, or it is damaged.

    Args:
        root: Root of the store.
        targets: What is signed.
        group: The group.
    """
    target = targets.get(release_place(group))
    return None if target is None else _read(root, target)


def required_release(root: str, targets: Mapping[str, TargetFile], group: str) -> Release:
    """Return the release of a group, see `release_at`.

    Raises:
        InputError: If there is none, or it is damaged.
    """
    release = release_at(root, targets, group)
    if release is None:
        names = group_names(targets)
        if group not in names:
            others = ", ".join(names) or "no group"
            raise InputError(
                f"{group}: nothing is published for it, only for {others}: "
                "`backhaul models publish`"
            )
        raise InputError(f"{group}: its release is damaged: publish it again")
    return release


def require_group_name(group: str) -> None:
    """Do nothing if nodes may belong to a group of this name.

    Raises:
        InputError: If they may not.
    """
    if re.fullmatch(NAME, group) is None:
        raise InputError(f"{group!r}: is no name of a group")


def group_names(targets: Mapping[str, TargetFile]) -> list[str]:
    """Return the groups that something is published for."""
    return sorted(place.split("/")[1] for place in targets if place.startswith("groups/"))


def with_release(
    root: str, targets: Mapping[str, TargetFile], group: str, release: Release
) -> dict[str, TargetFile]:
    """Store the release of a group; return what is to be signed: all that a release names.

    Args:
        root: Root of the store.
        targets: What is signed until now, and the files of this release.
        group: The group.
        release: Its release.

    Raises:
        InputError: If a node that goes by it would choose nothing, or could not read it.
    """
    _require_choosing(release, group)
    _require_readable(release, group)
    place = release_place(group)
    target = put_target(root, place, data_of(release))
    if (before := _before(root, targets.get(place), target)) is not None:
        target.unrecognized_fields["custom"] = {BEFORE: before}
    return _used(root, {**targets, place: target})


def release_before(
    root: str, targets: Mapping[str, TargetFile], group: str
) -> tuple[Release, dict[str, TargetFile]]:
    """Return the release that all nodes of a group had before this one, and its files.

    Raises:
        InputError: If there was none, or it is no more in the store as it was signed.
    """
    place = release_place(group)
    known = _recorded(targets.get(place))
    if known is None:
        raise InputError(
            f"{group}: nothing else was published for all of its nodes before, or it is there "
            "again: publish another model, or --cohort 0 for no more nodes"
        )
    release = _read(root, TargetFile(known["length"], {"sha256": known["sha256"]}, place))
    if release is None:
        raise InputError(f"{group}: the release before is no more in the store as it was")
    return release, files_of(root, release)


def has_one_before(target: TargetFile | None) -> bool:
    """Return whether the list says of a release what all nodes of its group had before."""
    return _recorded(target) is not None


def files_of(root: str, release: Release) -> dict[str, TargetFile]:
    """Return the files that a release names, which are in the store as they were published.

    Raises:
        InputError: If one is not.
    """
    named = {
        model_place(release.model.sha256): release.model,
        probe_place(release.probe.sha256): release.probe,
    }
    return {where: _there(root, where, file) for where, file in named.items()}


def data_of(release: Release) -> bytes:
    """Return a release as it is published.

    What nobody set is left out, so that agents that do not know it yet can take the release.
    """
    return release.model_dump_json(exclude_unset=True).encode()


def digest_of(release: Release) -> str:
    """Return the digest by which nodes name a release."""
    return str(TargetFile.from_data("any", data_of(release), ["sha256"]).hashes["sha256"])


def with_cohort(release: Release, cohort: float) -> Release:
    """Return a release for another share of the nodes."""
    return release.model_copy(update={"cohort": cohort})


def _require_choosing(release: Release, group: str) -> None:
    try:
        node = require_choice(_ANY_NODE, release)
    except RefusedError as error:
        raise InputError(f"{group}: {error.reason.removeprefix('its release: ')}") from None
    if not Budget(node.link, Ledger()).ever_allows(LEAST_FRAME_BYTES):
        raise InputError(
            f"{group}: budget.allowances: expected room for a frame, at least "
            f"{LEAST_FRAME_BYTES:,} bytes in each"
        )


def _require_readable(release: Release, group: str) -> None:
    try:
        is_same = release_of(data_of(release)) == release
    except RefusedError:
        is_same = False
    if not is_same:  # JSON has no infinity
        raise InputError(f"{group}: expected finite numbers alone in policies and budget")


def _before(root: str, old: TargetFile | None, new: TargetFile) -> dict[str, Any] | None:
    """Return what the list says of the release before a new one."""
    was, now = None if old is None else _read(root, old), _read(root, new)
    kept = recorded = _recorded(old)
    if old is not None and was is not None and now is not None:
        is_other = with_cohort(was, 1.0) != with_cohort(now, 1.0)
        if was.cohort == 1 and is_other:
            kept = {"sha256": old.hashes["sha256"], "length": old.length}
    # After going back there is nothing before: else whoever does so twice brings it again.
    its_own = any(each and each["sha256"] == new.hashes["sha256"] for each in (recorded, kept))
    return None if its_own else kept


def _recorded(target: TargetFile | None) -> dict[str, Any] | None:
    custom = None if target is None else target.custom
    return None if custom is None else custom.get(BEFORE)


def _read(root: str, target: TargetFile) -> Release | None:
    try:
        return release_of(_whole(root, target))
    except (RefusedError, *_DAMAGED):
        return None


def _whole(root: str, target: TargetFile) -> bytes:
    """Return what was signed; no more is read of what lies there than that has."""
    data = read_bounded(target_uri(root, target), target.length) or b""
    target.verify_length_and_hashes(data)
    return data


def _there(root: str, place: str, file: PublishedFile) -> TargetFile:
    target = TargetFile(file.bytes, {"sha256": file.sha256}, place)
    try:
        _whole(root, target)
    except _DAMAGED:
        raise InputError(
            f"{target_uri(root, target)}: is gone or damaged: publish the older model again"
        ) from None
    return target


def _used(root: str, every: dict[str, TargetFile]) -> dict[str, TargetFile]:
    """Return the releases, and the files that one of them names."""
    names = group_names(every)
    used = {release_place(name) for name in names}
    for name in names:
        release = release_at(root, every, name)
        if release is None:  # damaged: what it named is not known
            return every
        used |= {model_place(release.model.sha256), probe_place(release.probe.sha256)}
    return {place: target for place, target in every.items() if place in used}
