"""Names of files that are equal but for their Unicode form."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from backhaul.errors import InputError

IN_ANOTHER_FORM = (
    "has the name of another image in another Unicode form: only labels with exactly its name "
    "are its own"
)
"""What is to be said of an image, if so."""


def one_form(name: str) -> str:
    r"""Return a name in one Unicode form: macOS writes letters with accents as two characters.

    Example:
        >>> one_form("u\u0308.jpg") == one_form("\u00fc.jpg")
        True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def two_of(first: str, second: str) -> str:
    r"""Return two paths for a sentence, with letters as escapes where they look alike.

    Example:
        >>> two_of("u\u0308.jpg", "\u00fc.jpg")
        "'u\\u0308.jpg' and '\\xfc.jpg', which differ in their Unicode form alone"
    """
    if first != second and one_form(first) == one_form(second):
        return f"{first!a} and {second!a}, which differ in their Unicode form alone"
    return f"{first} and {second}"


class LabelFiles:
    """The label files of a data set, found by the paths at which those of an image may lie.

    A path means the file of exactly that name, else the one whose name differs in its Unicode
    form alone, unless that is another image's by its exact name.

    Args:
        paths: The files.
        exact: All paths at which labels of an image may lie.
    """

    def __init__(self, paths: Iterable[str], exact: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._others: dict[str, list[str]] = {}
        taken = {path for path in exact if not path.isascii()}
        for path in sorted(self._paths - taken):
            if not path.isascii():
                self._others.setdefault(one_form(path), []).append(path)

    def at(self, path: str) -> str:
        """Return the file that `path` means; `path` itself if there is none.

        Raises:
            InputError: If it may be two.
        """
        if path.isascii() or path in self._paths:
            return path
        found = self._others.get(one_form(path), [path])
        if len(found) > 1:
            raise InputError(f"which are its labels: {two_of(found[0], found[1])}? Rename one")
        return found[0]
