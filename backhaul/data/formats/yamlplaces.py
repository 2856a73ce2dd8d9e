"""Where a data.yaml says that images lie, and where they are if it was written elsewhere.

A path is tried as it stands. Where nothing is there, as on another machine than that of the
export, what stands below the data set's folder under the last parts of the path is taken, if
there is one such place: ``/content/cars/train/images`` is ``train/images`` beside data.yaml.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backhaul.data.filenames import one_form, two_of
from backhaul.data.formats.datayaml import SUBSETS, DataYaml
from backhaul.data.formats.files import scan
from backhaul.data.formats.ondisk import Disk
from backhaul.data.formats.report import Problem, Severity
from backhaul.data.images import ImageReader, is_image
from backhaul.errors import InputError
from backhaul.untrusted import UnreadableFileError, one_line, open_text, understanding

_MOST_PATH = 4096  # characters of a line of a list
_MOST_KEPT = 10_000  # folders of which it is known what they mean
_SHOWN = 3
_MOST_PARTS = 20  # folders of a path of another machine that are tried


class NothingThereError(ValueError):
    """A path that leads to no images, or to several places, and why.

    Args:
        reason: Why.
        kind: The same for all paths of which it is one reason; None = the reason itself.
    """

    def __init__(self, reason: str, kind: str | None = None) -> None:
        super().__init__(reason)
        self.kind = kind or reason


@dataclass(frozen=True, slots=True)
class Places:
    """The places that the paths of one data.yaml may mean.

    Args:
        here: The folder of the data.yaml.
        base: The folder that its paths start from, which may be one of another machine.
        reader: Says where the data set may read.
        moved: Folders of another machine, and which are read in their place.
    """

    here: str
    base: str
    reader: ImageReader
    moved: dict[str, str] = field(default_factory=dict)
    _tails: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    _disk: Disk = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_disk", Disk(self.reader))

    def literal(self, paths: Sequence[str], folders: Sequence[str]) -> str | None:
        """Return what stands at one of `paths`, as they are written; None if nothing does.

        Args:
            paths: Absolute, or relative to one of `folders`.
            folders: Where to look.

        Raises:
            NothingThereError: If two different files or folders stand there.
        """
        return self._only([self._whole(path, folder) for path in paths for folder in folders])

    def is_at(self, place: str, path: str) -> bool:
        """Return whether `place` is where `path` says, in any Unicode form."""
        return one_form(place) == one_form(self._whole(path, self.base))

    def below(self, path: str) -> str | None:
        """Return what stands below the data set under the last parts of `path`, or None.

        Raises:
            NothingThereError: If two different files or folders do.
        """
        whole = self._whole(path.replace("\\", "/"), self.base)
        folder, _, name = whole.rpartition("/")
        if folder in self.moved:
            found = self._only([f"{self.moved[folder]}/{name}"])
            if found is not None:
                return found
        if folder not in self._tails:
            if len(self._tails) >= _MOST_KEPT:
                self._tails.clear()
            self._tails[folder] = self._folders_below(folder)
        for folders in self._tails[folder]:
            found = self._only([f"{each}/{name}" for each in folders])
            if found is not None:
                self.moved[folder] = found.rpartition("/")[0]
                return found
        return None

    def _folders_below(self, folder: str) -> tuple[list[str], list[str]]:
        """Return those folders of the data set that are there under last parts of `folder`.

        The second are the data set's own, where no part of `folder` is left.
        """
        parts = folder.strip("/").split("/")[-_MOST_PARTS:] if folder.strip("/") else []
        ends = ["/".join(parts[start:]) for start in range(len(parts))]
        inside = f"{self.base}/".startswith(f"{self.here}/")
        roots = sorted({self.here, self.base} if inside else {self.here})
        below = [f"{root}/{end}" for root in roots for end in ends]
        return list(filter(self._disk.has_folder, below)), roots

    def _whole(self, path: str, folder: str) -> str:
        return os.path.normpath(path if os.path.isabs(path) else f"{folder}/{path}")

    def _only(self, paths: Sequence[str]) -> str | None:
        there = {
            os.path.realpath(found): found
            for path in reversed(paths)
            for found in self._disk.at(path)
        }
        if len(there) > 1:
            first, second, *_ = reversed(there.values())
            reason = f"may be {two_of(first, second)}; expected one of them"
            raise NothingThereError(reason, kind="may be several")
        return next(iter(there.values()), None)


@dataclass(slots=True)
class _Found:
    """The images that a data.yaml names, and what was wrong or understood."""

    images: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    entries: dict[str, str] = field(default_factory=dict)
    _below: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def images_below(self, folder: str) -> tuple[str, ...]:
        """Return the images below a folder, which several keys may name."""
        if folder not in self._below:
            self._below[folder] = scan(Path(folder)).images
        return self._below[folder]

    def tell(
        self, path: str | Path, reason: str, severity: Severity, line: int | None = None
    ) -> None:
        self.problems.append(Problem(str(path), line, reason, severity))


def listed_images(data: DataYaml, reader: ImageReader) -> tuple[list[str], list[Problem]]:
    """Return the images that a data.yaml refers to, and what was wrong or understood.

    Args:
        data: The data.yaml.
        reader: Says where the data set may read.

    Raises:
        InputError: If a list cannot be read.
    """
    with understanding(data.path):
        places, found = _places(data, reader), _Found()
        for subset in SUBSETS:
            entries = data.content.get(subset) or []
            for entry in entries if isinstance(entries, list) else [entries]:
                where = f"{subset}: {one_line(str(entry))}" if _is_word(entry) else subset
                try:
                    _add_entry(data, places, entry, where, found)
                except NothingThereError as error:
                    found.tell(data.path, f"{where}: {error}", "error")
        return found.images, found.problems


def _is_word(value: object) -> bool:
    """Return whether a value of YAML may be a path: a text, or a folder called 2024."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _places(data: DataYaml, reader: ImageReader) -> Places:
    path = data.content.get("path") or ""
    if not _is_word(path):
        raise InputError(f"{data.path}: path: expected the path of a folder")
    here = data.path.parent.as_posix()
    return Places(here, os.path.normpath(f"{data.path.parent / str(path)}"), reader)


def _add_entry(
    data: DataYaml, places: Places, entry: object, where: str, found: _Found
) -> None:
    if not _is_word(entry):
        raise NothingThereError("expected the path of a folder or list of images")
    path = str(entry)
    beside = path.removeprefix("../")  # Roboflow writes ../train/images for what is beside it
    readings = (path,) if beside.startswith("..") else (path, beside)
    place = places.literal(readings, (places.base,))
    if place is None or not places.is_at(place, path):
        place = places.below(path)
        if place is None:
            raise NothingThereError(_nothing(path, places))
        _require_new(place, path, found)
        found.tell(data.path, f"{where}: is not there; {place} is read in its place", "note")
    found.entries.setdefault(os.path.realpath(place), path)
    _add_images(data, places, place, where, found)


def _nothing(path: str, places: Places) -> str:
    within = places.reader.within
    whole = os.path.normpath(path if os.path.isabs(path) else f"{places.base}/{path}")
    if not places.reader.may_read(whole):
        return (
            f"leads out of the data set in {within}, and no folder or list of images has the "
            "last parts of that path in it; correct or remove it"
        )
    return (
        f"no folder or list of images there, and none in {places.here} has the last parts of "
        "that path; correct or remove it"
    )


def _require_new(place: str, path: str, found: _Found) -> None:
    """Do nothing unless a folder is taken for two of another machine.

    The last two parts of both are alike where two keys name one folder in two ways.
    """
    other = found.entries.get(os.path.realpath(place), path)
    if _last_two(other) != _last_two(path):
        raise NothingThereError(f"is not there; {place} was read for {one_line(other)} already")


def _last_two(path: str) -> list[str]:
    return one_form(path).replace("\\", "/").rstrip("/").split("/")[-2:]


def _add_images(data: DataYaml, places: Places, place: str, where: str, found: _Found) -> None:
    if not os.path.isdir(place):
        _add_list(Path(place), places, found)
        return
    if _is_above(place, places.here):
        raise InputError(
            f"{data.path}: {place} holds the data set itself; expected a folder of images"
        )
    images = found.images_below(place)
    found.images += images
    if not images:
        found.tell(data.path, f"{where}: {place} holds no image", "warning")


def _is_above(place: str, folder: str) -> bool:
    there, here = os.path.realpath(place), os.path.realpath(folder)
    return there != here and os.path.commonpath((there, here)) == there


@dataclass(slots=True)
class _Lost:
    """The lines of a list that lead to no image for one reason; ``first`` is the first's."""

    number: int
    first: str
    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        self.count += 1
        if len(self.names) < _SHOWN and is_image(line):
            self.names.append(line)

    def __str__(self) -> str:
        named = ", ".join(self.names)
        if self.count == 1:
            return f"{named}: {self.first}, left out" if named else f"{self.first}, left out"
        more = ", ..." if named and self.count > len(self.names) else ""
        of_them = f" ({named}{more})" if named else ""
        return f"{self.count} lines{of_them}, left out; of the first: {self.first}"


def _add_list(path: Path, places: Places, found: _Found) -> None:
    """Add the images of a list, whose lines are relative to it or to the data set."""
    moved: dict[str, str] = {}
    lost: dict[str, _Lost] = {}
    n_before = len(found.images)
    for number, line in _lines(path):
        try:
            found.images.append(_image_of(line, path, places, moved))
        except NothingThereError as error:
            lost.setdefault(error.kind, _Lost(number, str(error))).add(line)
    for some in lost.values():
        found.tell(path, str(some), "warning", some.number)
    if moved:
        reason = (
            f"{len(moved)} lines name files that are not there, as "
            f"{next(iter(moved.values()))}; those with the last parts of these paths in "
            f"{places.here} are read in their place"
        )
        found.tell(path, reason, "note")
    n_found, n_missing = len(found.images) - n_before, sum(some.count for some in lost.values())
    if n_missing > n_found:
        reason = f"{n_missing} of {n_missing + n_found} lines lead to no image"
        found.tell(path, reason, "error")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a list that are not empty, with their number from 1."""
    with open_text(path) as file, understanding(path):
        number = 0
        while line := file.readline(_MOST_PATH):
            number += 1
            if len(line) == _MOST_PATH:
                reason = f"line {number} is too long, expected the path of an image"
                raise UnreadableFileError(path, reason)
            if line.strip():
                yield number, line.strip()


def _image_of(line: str, path: Path, places: Places, moved: dict[str, str]) -> str:
    folders = (path.parent.as_posix(), places.base)
    found = places.literal((line,), folders[:1] if line.startswith("./") else folders)
    if found is None:
        found = places.below(line)
        if found is not None and moved.setdefault(found, line) != line:
            raise NothingThereError("is not there, and another line has the same last parts")
    if found is None or not os.path.isfile(found) or not is_image(found):
        raise NothingThereError("no image there")
    return found
