"""The images of a data set, found by the names that label files give them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from itertools import islice

from backhaul.data.filenames import IN_ANOTHER_FORM, one_form, two_of
from backhaul.data.formats.report import Problem
from backhaul.data.images import is_image
from backhaul.data.pathindex import PathIndex

_SHOWN = 3


class ImageIndex:
    """Finds the images of a data set by the names that its label files give them.

    Names match in any Unicode form; a file of exactly the name comes first.

    Args:
        images: Absolute paths, without ``..``.
    """

    def __init__(self, images: Sequence[str]) -> None:
        self._images = images
        self._known = frozenset(images)
        self._of_form: dict[str, list[str]] = {}
        for image in images:
            if not image.isascii():
                self._of_form.setdefault(one_form(image), []).append(image)
        self._by_tail = PathIndex(images)

    def find(
        self, name: str, folders: Sequence[str], own: Sequence[str] = ()
    ) -> tuple[str, ...]:
        r"""Return the images that a name may refer to.

        There is the path itself, else what has it in `own`, else what has it in `folders`. If
        there is no such image, it is any with that file name, or those of them that lie in
        folders of the same names.

        Args:
            name: As a label file has it, with ``/`` or ``\\`` as separator.
            folders: Where images may lie, none before the other.
            own: Folders of this label file's own images: what is there is meant.
        """
        name = name.replace("\\", "/")
        if name in self._known:
            return (name,)
        for some in (own, folders):
            there = self._at(sorted({os.path.normpath(f"{each}/{name}") for each in some}))
            if there:
                return tuple({os.path.realpath(path): path for path in there}.values())
        return tuple(self._images[row] for row in self._by_tail.find(name)[0])

    def _at(self, places: Sequence[str]) -> list[str]:
        exact = [place for place in places if place in self._known]
        if exact or all(map(str.isascii, places)):
            return exact
        return [image for place in places for image in self._of_form.get(one_form(place), ())]

    def alike(self) -> list[Problem]:
        """Return a warning for each image whose path is another's in another Unicode form."""
        return [
            Problem(image, None, IN_ANOTHER_FORM, "warning")
            for images in self._of_form.values()
            if len(images) > 1
            for image in images
        ]


def which_image(name: str, found: Sequence[str]) -> str:
    """Return the question that a name in a label file leaves, if several images have it."""
    two = two_of(found[0], found[1])
    return f"which image is it about? Several files are named {name!r}: {two}"


def missing_images(path: str, names: Collection[str], line: int | None = None) -> list[Problem]:
    """Return a warning if there are names in a label file that no image has.

    Args:
        path: The label file.
        names: What it calls them; of those that are no names of images nothing is repeated.
        line: Where the first of them is, from 1; None = the format has no lines.
    """
    if not names:
        return []
    shown = [repr(name) for name in islice(filter(is_image, names), _SHOWN)]
    if len(names) == 1:
        what = f"image {shown[0]}" if shown else "an image"
        return [Problem(path, line, f"{what} not found, left out", "warning")]
    more = ", ..." if shown and len(names) > len(shown) else ""
    named = f": {', '.join(shown)}{more}" if shown else ""
    return [Problem(path, line, f"{len(names)} images not found, left out{named}", "warning")]
