"""The run that a command was given: in its store, or a folder that came without it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from backhaul.campaign.finding import Finding
from backhaul.campaign.importing import run_folders
from backhaul.campaign.runrecords import runs_of
from backhaul.cli.address import resolved
from backhaul.errors import InputError
from backhaul.layout import RunFiles, View, run_at
from backhaul.report.campaign import Campaign, imported_campaign, stored_campaign
from backhaul.report.shrinking import Fetch
from backhaul.storage.places import require_bucket
from backhaul.untrusted import user_path


@dataclass(frozen=True)
class StoredPlace:
    """A run of a store, or the campaign of several seeds of that name."""

    files: RunFiles

    @property
    def address(self) -> str:
        """Where people look for it."""
        return _shown(self.files.view.folder)

    def read(self) -> Campaign:
        """Return what it holds."""
        return stored_campaign(self.files)

    def make(self) -> str:
        """Write its files again; return where its page is."""
        from backhaul.report.again import make_view

        return _shown(make_view(self.files, remote_pictures(self._blocks())))

    def keep(self, finding: Finding) -> tuple[str, ...]:
        """Keep a finding, and write the page with it; return the files."""
        from backhaul.analysis.writing import keep_finding
        from backhaul.report import write_report

        files = keep_finding(self.files, finding)
        page = write_report(self.read(), remote_pictures(self._blocks()))
        return tuple(map(_shown, (*files, page)))

    def _blocks(self) -> tuple[str, ...]:
        return tuple(b for records in runs_of(self.files) for b in records.beginning.blocks)


@dataclass(frozen=True)
class FolderPlace:
    """The folder of a run, or of several seeds, that came without its store."""

    folder: Path

    @property
    def address(self) -> str:
        """The folder."""
        return str(self.folder)

    def read(self) -> Campaign:
        """Return what it holds."""
        return imported_campaign(self.folder)

    def make(self) -> str:
        """Write its pages again; return where that of the whole is."""
        from backhaul.report import write_report

        for part in dict.fromkeys((*run_folders(self.folder), self.folder)):
            page = write_report(imported_campaign(part), remote_pictures(()))
        return page

    def keep(self, finding: Finding) -> tuple[str, ...]:
        """Write a finding into the folder, and the page with it; return the files."""
        from backhaul.analysis.writing import write_finding
        from backhaul.report import write_report

        files = write_finding(View(self.folder.as_posix()), finding)
        return (*files, write_report(self.read(), remote_pictures(())))


def find_run(name: str) -> StoredPlace | FolderPlace:
    """Return the run that `name` is, is the folder of, or the address of.

    Raises:
        InputError: If there is none, or no such block.
    """
    if "://" in name:
        address = resolved(name.rstrip("/"))
        require_bucket(address)
        places = [run_at(address)]
    else:
        user_path(name)
        places = [run_at(folder) for folder in (name, f"runs/{name}")]
    for files in places:
        if files is not None and runs_of(files):
            return StoredPlace(files)
    for folder in () if "://" in name else (Path(name), Path("runs") / name):
        if run_folders(folder):
            return FolderPlace(folder)
    found = "is a file" if "://" not in name and Path(name).is_file() else "no run there"
    raise InputError(
        f"{name}: {found}: expected the name of a run (a folder in runs/), its folder, or its "
        "address in a store"
    )


def find_stored(name: str) -> RunFiles:
    """Return where the files of the run lie that `name` is, in its store.

    Raises:
        InputError: If there is none, or it came without its store.
    """
    place = find_run(name)
    if isinstance(place, FolderPlace):
        raise InputError(
            f"{place.address}: expected in its store, which has its records, checkpoints and "
            "images"
        )
    return place.files


def remote_pictures(blocks: Iterable[str]) -> Fetch:
    """Return what reads images in object stores for a page.

    Args:
        blocks: Addresses that name blocks, by which their keys are found, where a Prefect
            server is.
    """

    @cache
    def reader() -> Fetch:
        from backhaul.report.remotepictures import RemotePictures

        _open(blocks)
        return RemotePictures()

    def fetch(uri: str) -> bytes | None:
        return reader()(uri)  # which is imported when the first one is met

    return fetch


def _open(blocks: Iterable[str]) -> None:
    named = tuple(blocks)
    if not named:
        return
    from prefect.settings import PREFECT_API_URL

    from blocks.opening import take_up_keys

    if PREFECT_API_URL.value():
        take_up_keys(named)


def _shown(place: str) -> str:
    """Return a place as it is shown: relative to the working directory, if it lies there."""
    return place.removeprefix(f"{Path.cwd().as_posix()}/")
