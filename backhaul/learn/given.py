"""Find the checkpoint files of a user's from which a campaign starts."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict

from backhaul.errors import InputError, StoreError
from backhaul.layout import CHECKPOINT_NAME, INITIAL
from backhaul.learn.settings import Start
from backhaul.storage.places import filesystem, patiently


class GivenCheckpoint(BaseModel):
    """A checkpoint file that the user provides.

    Args:
        uri: Where it is stored.
        epoch: Epochs behind it.
        fingerprint: What the file system says of its content: it changes when the file does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    epoch: int
    fingerprint: str


def find_checkpoints(start: Start) -> tuple[GivenCheckpoint, ...]:
    """Return the checkpoint to start from and older ones in its folder, oldest first.

    Older ones have the same prefix, or are of the initial training. If `start` gives another
    epoch than the file's name, the epochs of the other files are unknown: they are left out.

    Raises:
        InputError: If there is no such file, or nothing says how many epochs are behind it.
    """
    place = f"start.checkpoint: {start.checkpoint}"
    fs, path = filesystem(start.checkpoint)
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    beside = _list(fs, folder, place)
    if name not in beside:
        raise InputError(f"{place}: no such file")
    numbered = CHECKPOINT_NAME.fullmatch(name)
    if start.epoch is None and numbered is None:
        raise InputError(
            f"{place}: its name does not end in _ckpt_EPOCH.pt: set start.epoch, or --epoch, "
            "to the number of epochs behind it"
        )
    epoch = start.epoch or int(numbered["epoch"] if numbered else 0)
    named_so = numbered is not None and int(numbered["epoch"]) == epoch
    older = _older(beside, numbered["method"], epoch) if numbered and named_so else {}
    return tuple(
        GivenCheckpoint(
            uri=fs.unstrip_protocol(f"{folder}/{file}"),
            epoch=number,
            fingerprint=fs.ukey(f"{folder}/{file}"),
        )
        for number, file in [*sorted(older.items()), (epoch, name)]
    )


def _list(fs: Any, folder: str, place: str) -> set[str]:
    """Return the names of the files in a folder, or under a prefix of an object store."""
    try:
        names = patiently(fs.ls)(folder, detail=False)
        return {PurePosixPath(name).name for name in names}
    except FileNotFoundError:
        raise InputError(f"{place}: no such folder or bucket") from None
    except (OSError, StoreError) as error:
        raise InputError(f"{place}: cannot be listed: {error}") from None


def _older(names: set[str], prefix: str, epoch: int) -> dict[int, str]:
    """Return the files of earlier epochs, those of `prefix` before the initial training's."""
    matches = [m for name in sorted(names) if (m := CHECKPOINT_NAME.fullmatch(name))]
    files = {
        int(m["epoch"]): m.string
        for p in (INITIAL, prefix)
        for m in matches
        if m["method"] == p
    }
    return {number: file for number, file in files.items() if number < epoch}
