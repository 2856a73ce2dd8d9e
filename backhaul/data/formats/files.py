"""The files of a data set, and which label file belongs to which image by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backhaul.data.filenames import IN_ANOTHER_FORM, one_form
from backhaul.data.formats.report import Problem, Severity, worst_first
from backhaul.data.images import IMAGE_SUFFIXES
from backhaul.errors import InputError
from backhaul.storage.folders import plain_place, walk_folders
from backhaul.untrusted import MOST_TABLE_BYTES, UnreadableFileError, open_file, read_text

NAMES_FILES = ("classes.txt", "obj.names", "_darknet.labels")
MOST_LINES = 100_000
"""Of the labels of one image."""
MOST_WRONG = 10_000
"""Wrong lines of one file that are named one by one."""
_MOST_CLASSES, _MOST_NAME = 100_000, 200
LABEL_SUFFIXES = frozenset(
    {".txt", ".xml", ".json", ".yaml", ".yml", ".csv", ".names", ".labels", ".data"}
)
"""Suffixes, in lower case, of files other than images that belong to a data set."""
_LABEL_OF_ONE = (".txt", ".xml")
_FOREIGN, _FOREIGN_AN_IMAGE = 100_000, 10
_SHOWN = 3
_NO_DISKS = ("proc", "sys")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files below a folder, as sorted absolute paths.

    Paths are strings: 200,000 of them are common, and as `Path` take five times the memory.
    """

    root: Path
    images: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]]

    def of(self, *suffixes: str) -> tuple[str, ...]:
        """Return the files, images apart, with one of `suffixes` (lower case, with the dot)."""
        return tuple(path for suffix in suffixes for path in self.others.get(suffix, ()))

    def require_images(self) -> None:
        """Do nothing if there are images.

        Raises:
            InputError: If there are none.
        """
        if not self.images:
            raise InputError(f"{self.root}: no image (jpg, jpeg, png, bmp or webp) found")


def scan(root: Path) -> Listing:
    """Return the files below `root`; links are followed, hidden files and folders are not.

    Raises:
        InputError: If `root` is no folder or has so many files that are no images that it is
            no data set, or the name of a file is no UTF-8 text.
    """
    _require_place(root)
    images: list[str] = []
    others: dict[str, list[str]] = {}
    foreign = 0
    for path in _files(root):
        suffix = stem_and_suffix(path)[1].lower()
        if suffix in IMAGE_SUFFIXES:
            images.append(path)
            continue
        others.setdefault(suffix, []).append(path)
        foreign += suffix not in LABEL_SUFFIXES
        if foreign > _FOREIGN + _FOREIGN_AN_IMAGE * len(images):
            raise InputError(
                f"{root}: expected the folder of a data set: it has {len(images):,} images, "
                f"and {foreign:,} files that are neither images nor labels"
            )
    return Listing(
        Path(plain_place(root)),
        tuple(sorted(images)),
        {suffix: tuple(sorted(paths)) for suffix, paths in others.items()},
    )


def _require_place(root: Path) -> None:
    if not os.path.isdir(root):  # noqa: PTH112 - raises nothing where the name is no name
        raise InputError(f"{root}: expected the folder of a data set")
    if os.path.realpath(root).split("/")[1] in _NO_DISKS:
        raise InputError(f"{root}: expected the folder of a data set, on a disk")


def _files(root: Path) -> Iterator[str]:
    """Yield all files, and folders that are named like the labels of an image."""
    for place, names in walk_folders(plain_place(root)):
        if place.endswith(_LABEL_OF_ONE):
            yield _require_utf8(place)
        for name in names:
            if not name.startswith("."):  # such as ._photo.jpg of macOS, which is no image
                yield _require_utf8(f"{place}/{name}")


def _require_utf8(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(f"{path!a}: its name is no UTF-8 text; rename it") from None
    return path


def stem_and_suffix(path: str) -> tuple[str, str]:
    """Return `path` without its suffix, and the suffix.

    Example:
        >>> stem_and_suffix("/a.b/photo.1.jpeg")
        ('/a.b/photo.1', '.jpeg')
    """
    dot = path.rfind(".")  # as os.path.splitext, in half the time: a set has many files
    if dot < 0 or not path[path.rfind("/") + 1 : dot].strip("."):
        return path, ""
    return path[:dot], path[dot:]


def with_folder(path: str, folder: str, other: str) -> str | None:
    """Return `path` with its last folder named `folder` renamed; None if it has none.

    Args:
        path: Path with ``/`` as separator.
        folder: Name of the folder to rename.
        other: Its new name.

    Example:
        >>> with_folder("/images/my images/images/train/a.jpg", "images", "labels")
        '/images/my images/labels/train/a.jpg'
    """
    *folders, name = path.split("/")
    if folder not in folders:
        return None
    last = len(folders) - 1 - folders[::-1].index(folder)
    return "/".join([*folders[:last], other, *folders[last + 1 :], name])


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names in a file with one class name a line; empty lines do not count.

    Raises:
        InputError: If the file cannot be read, has no name, or has one twice.
    """
    lines = read_text(path).splitlines()
    return require_names(path, [line.strip() for line in lines if line.strip()])


def require_names(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Return `names` if they are valid class names.

    Raises:
        InputError: If there is none, or one is there twice; `path` is where they are from.
    """
    if not names:
        raise InputError(f"{path}: no class name")
    if len(names) > _MOST_CLASSES or max(map(len, names)) > _MOST_NAME:
        raise InputError(
            f"{path}: expected at most {_MOST_CLASSES:,} class names, each of at most "
            f"{_MOST_NAME} characters"
        )
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if first.setdefault(name, number) != number:
            raise InputError(f"{path}: classes {first[name]} and {number} have the same name")
    return tuple(names)


def read_lines(path: str, most: int = MOST_LINES) -> list[str]:
    """Return the lines of the labels of one image.

    Raises:
        MissingFileError: If there is no such file.
        UnreadableFileError: If it cannot be read, or is too long.
    """
    lines = read_text(path).splitlines()
    if len(lines) > most:
        raise UnreadableFileError(path, f"has {len(lines):,} lines, expected at most {most:,}")
    return lines


def shared_stems(images: Sequence[str]) -> list[Problem]:
    """Return a warning for each image whose name differs from another's in little.

    That is in the suffix alone, or in the Unicode form.
    """
    times = Counter(stem_and_suffix(path)[0] for path in images)
    forms = Counter(one_form(stem_and_suffix(path)[0]) for path in images)
    problems = []
    for path in images:
        stem = stem_and_suffix(path)[0]
        if times[stem] > 1:
            reason = "shares its labels with an image of another suffix"
            problems.append(Problem(path, None, reason, "warning"))
        elif forms[one_form(stem)] > 1:
            problems.append(Problem(path, None, IN_ANOTHER_FORM, "warning"))
    return problems


def agreed(lists: Sequence[tuple[Path, tuple[str, ...]]]) -> tuple[str, ...]:
    """Return the class names that all files give; there is one at least.

    Raises:
        InputError: If two differ: which of them numbers mean is not to be guessed.
    """
    (path, class_names), *others = lists
    for other, other_names in others:
        if other_names != class_names:
            raise InputError(
                f"{path} and {other} are different class lists; expected equal ones, or the "
                "right one as data.names or --names"
            )
    return class_names


def find_class_names(
    root: Path,
    names: Path | None,
    found: Collection[str],
    problems: Sequence[Problem] = (),
) -> tuple[str, ...]:
    """Return the names in `names`, else in ``classes.txt`` below `root`, else `found`, sorted.

    Args:
        root: Folder of the data set.
        names: File with one class name a line, or None.
        found: The names that boxes of the data set have.
        problems: What was wrong with its labels; the first may be why there is no name.

    Raises:
        InputError: If there are none, or the file is wrong.
    """
    beside = (root / name for name in NAMES_FILES)
    paths = list(filter(os.path.lexists, beside)) if names is None else [names]
    if paths:
        return agreed([(path, read_names(path)) for path in paths])
    if not found:
        raise InputError(
            f"{root}: no class name among its labels{first_of(problems)}; give a file as "
            "data.names or --names"
        )
    return tuple(sorted(found))


def first_of(problems: Sequence[Problem]) -> str:
    """Return the first of `problems`, errors first, to be put behind what follows from it."""
    worst = worst_first(problems)
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f" ({worst[0].place}: {worst[0].reason}{more})" if worst else ""


def orphans(listing: Listing, suffix: str, claimed: Iterable[str]) -> list[Problem]:
    """Return a warning for each folder with label files that belong to no image.

    Args:
        listing: The files of the data set.
        suffix: That of label files.
        claimed: The paths at which labels of an image may lie. Only in folders of labels, as in
            ``labels/train``, is every other file one too many.
    """
    paths = set(claimed)
    folders = set(by_folder(paths))
    return without_images(
        (
            path
            for path in listing.of(suffix)
            if path not in paths
            and path.rpartition("/")[0] in folders
            and not path.endswith(NAMES_FILES)
        ),
        suffix,
    )


def without_images(paths: Iterable[str], suffix: str) -> list[Problem]:
    """Return a warning for each folder of label files that belong to no image.

    Args:
        paths: The label files.
        suffix: That of all of them.
    """
    return [
        of_files(files, folder, suffix, "labels without an image", "warning")
        for folder, files in by_folder(paths).items()
    ]


def of_files(
    paths: Sequence[str], root: str, suffix: str, what: str, severity: Severity
) -> Problem:
    """Return the problem that one file has, or several in a folder have alike.

    Args:
        paths: The files, one at least.
        root: A folder that they are in.
        suffix: That of all of them.
        what: The same for each.
        severity: Of the problem.
    """
    if len(paths) == 1:
        return Problem(paths[0], None, what, severity)
    return Problem(root, None, f"{counted(paths, root, suffix)}: {what}", severity)


def by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return `paths` by the folder that they are in."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    return folders


def counted(paths: Sequence[str], root: str, suffix: str) -> str:
    """Return how many files there are, with the names of the first, relative to `root`."""
    named = ", ".join(path.removeprefix(f"{root}/") for path in paths[:_SHOWN])
    more = ", ..." if len(paths) > _SHOWN else ""
    return f"{len(paths)} {suffix} file{'s' * (len(paths) > 1)} ({named}{more})"


def unreadable_files(listing: Listing, suffix: str) -> list[Problem]:
    """Return a problem for each file of which nobody knows whether it has annotations.

    Args:
        listing: The files of the data set.
        suffix: Of the files to open, such as ``.json``.
    """
    problems = []
    for path in listing.of(suffix):
        try:
            with open_file(path, MOST_TABLE_BYTES):
                pass
        except UnreadableFileError as error:
            problems.append(Problem(path, None, error.reason, "error"))
    return problems
