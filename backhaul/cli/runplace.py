"""Where the run is that a command was given: a folder, or an address in an object store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from backhaul.campaign.rundata import run_folders
from backhaul.cli.prefect import flows_at_hand
from backhaul.errors import InputError
from backhaul.report.pictures import Fetch

BLOCK = "block://"


@dataclass(frozen=True)
class RunPlace:
    """A run that is there, or one of several seeds.

    Args:
        address: Its folder, or its s3:// address.
        folder: Its files on this machine: that folder, or a copy for as long as it is open.
    """

    address: str
    folder: Path

    def address_of(self, path: Path) -> str:
        """Return where a file or folder of the run is, of which `path` may be a copy."""
        below = path.relative_to(self.folder).as_posix()
        return self.address if below == "." else f"{self.address}/{below}"


def find_run(name: str) -> str:
    """Return the folder of a run or its s3:// address; `name` is it, or its name below runs/.

    Whether a run is at an address is only seen once it is opened.

    Raises:
        InputError: If there is none, or no such block.
    """
    if "://" in name:
        return _resolved(name.rstrip("/"))
    for folder in (Path(name), Path("runs") / name):
        if run_folders(folder):
            return str(folder)
    raise _no_run(name)


@contextmanager
def run_at(name: str) -> Iterator[RunPlace]:
    """Open the run that `name` is, is the folder of or the address of.

    What is written into the folder of one in an object store is there after the block.

    Raises:
        InputError: If there is none.
    """
    address = find_run(name)
    with _local(address) as folder:
        if not run_folders(folder):
            raise _no_run(name)
        yield RunPlace(address, folder)


def remote_pictures(folder: Path) -> Fetch:
    """Return what reads images in object stores for the page of the run in `folder`.

    Where the tasks are not installed, as on a node, the page shows none of them.
    """

    @cache
    def reader() -> Fetch:
        try:
            from backhaul.report.remotepictures import RemotePictures
        except ModuleNotFoundError as error:
            if error.name != "tasks":
                raise
            return lambda uri: None
        _open_blocks(folder)
        return RemotePictures()

    def fetch(uri: str) -> bytes | None:
        return reader()(uri)  # which is imported when the first one is met

    return fetch


def _open_blocks(folder: Path) -> None:
    """Take up the keys of the blocks that a run read its images by, where a server has them."""
    from prefect.settings import PREFECT_API_URL

    from blocks.opening import resolve

    for run in run_folders(folder):
        blocks = json.loads((run / "run.json").read_text()).get("blocks", [])
        for address in blocks if PREFECT_API_URL.value() else []:
            resolve(address)


def _no_run(name: str) -> InputError:
    return InputError(f"{name}: no run there: expected a folder with run.json, or its name")


@contextmanager
def _local(address: str) -> Iterator[Path]:
    if "://" not in address:
        yield Path(address)
        return
    with flows_at_hand():
        from backhaul.report.mirror import mirrored
    with mirrored(address) as folder:
        yield folder


def _resolved(address: str) -> str:
    with flows_at_hand():
        from prefect.settings import PREFECT_API_URL

        from blocks.opening import resolve
    if address.startswith(BLOCK) and not PREFECT_API_URL.value():
        raise InputError(
            f"{address}: is a block of a Prefect server: set PREFECT_API_URL, or give its "
            "s3:// address, with the keys in AWS_ACCESS_KEY_ID and so on"
        )
    return resolve(address)
