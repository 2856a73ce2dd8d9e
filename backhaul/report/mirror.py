"""A run's folder that lies in an object store, as a folder of this machine for a while."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from backhaul.campaign.rundata import run_folders
from backhaul.errors import InputError
from backhaul.report import write_report
from backhaul.report.remotepictures import RemotePictures
from backhaul.storage.localcopies import fetch
from backhaul.storage.objects import put_file
from backhaul.storage.places import filesystem, is_local, patiently, require_bucket

TRANSFERS = 8
LEFT_OUT = re.compile(r"(seed\d+/)?(checkpoints|logs/tensorboard)/.*")
"""Files of a run that nobody needs for its page or for an analysis."""


@contextmanager
def mirrored(address: str) -> Iterator[Path]:
    """Yield the run's folder at `address` as a local one; what changes in it goes back.

    A folder of this machine is yielded as it is. Of one in an object store there is a copy,
    without checkpoints and event files. Files that are new or changed are put back at the end
    of the block, none if it fails; nothing is removed.

    Raises:
        InputError: If nothing lies there. Errors of the block name `address`, not the copy.
    """
    if is_local(address):
        yield Path(address)
        return
    names = _files_below(address)
    if not names:
        raise _no_run(address)
    with tempfile.TemporaryDirectory(prefix="backhaul-") as place:
        folder = Path(place) / address.rpartition("/")[2]
        _each(lambda name: _fetch(f"{address}/{name}", folder, name), names)
        before = _digests(folder)
        try:
            yield folder
        except InputError as error:
            raise type(error)(str(error).replace(str(folder), address)) from None
        after = _digests(folder)
        changed = [name for name in after if after[name] != before.get(name)]
        _each(lambda name: put_file(folder / name, f"{address}/{name}"), changed)


def write_page(address: str) -> None:
    """Write ``report.html`` of the run, or of the several seeds, whose folder is at `address`.

    Raises:
        InputError: If no run is there.
    """
    with mirrored(address) as folder:
        write_report(folder, RemotePictures())


def runs_at(address: str) -> tuple[str, ...]:
    """Return the folders of single runs: `address` itself, or its ``seed<k>``, by number.

    Raises:
        InputError: If there is no ``run.json`` in any of them.
    """
    if is_local(address):
        runs = [str(folder) for folder in run_folders(Path(address))]
    else:
        names = _files_below(address)
        seeds = (re.fullmatch(r"seed(\d+)/run\.json", name) for name in names)
        numbers = sorted(int(match[1]) for match in seeds if match)
        runs = [address] if "run.json" in names else [f"{address}/seed{k}" for k in numbers]
    if not runs:
        raise _no_run(address)
    return tuple(runs)


def _no_run(address: str) -> InputError:
    return InputError(f"{address}: no run there: expected a folder with run.json")


def _files_below(address: str) -> list[str]:
    require_bucket(address)
    names = patiently(_list)(address)
    return [name for name in names if not LEFT_OUT.fullmatch(name)]


def _list(address: str) -> list[str]:
    fs, path = filesystem(address)
    found = fs.find(path, detail=True)
    start = f"{path}/"
    return sorted(
        name.removeprefix(start)
        for name, entry in found.items()
        if entry["type"] == "file" and name.startswith(start) and not name.endswith("/")
    )


def _fetch(uri: str, folder: Path, name: str) -> None:
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{uri}: is no name of a file in a run's folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    fetch(uri, target)


def _each(call: Callable[[str], None], names: Iterable[str]) -> None:
    with ThreadPoolExecutor(TRANSFERS) as threads:
        for _ in threads.map(call, names):
            pass


def _digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file below `folder`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
