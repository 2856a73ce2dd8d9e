"""Put a page of thumbnails together and write it."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from backhaul.data.images import OnProgress
from backhaul.report.gallery.content import Gallery, Shown
from backhaul.report.gallery.place import MARKER, marker
from backhaul.report.gallery.thumbnails import place_of, write_thumbnails
from backhaul.report.shrinking import Fetch
from backhaul.report.templates import SOURCES, environment
from backhaul.report.wording import plural
from backhaul.storage.addresses import is_local
from backhaul.storage.objects import replace
from backhaul.untrusted import one_line
from backhaul.values.labels import Labels

STEPS = 10_000
"""Places of boxes on the page are whole numbers, in this fraction of the image's side."""

SCRIPTS = ("theme.js", *(f"gallery/{n}.js" for n in ("images", "choosing", "grid", "large")))
"""In the order in which the page runs them."""

LISTED = 1_000  # problems of no image
_ORDER = ("error", "warning", "note")


class _Listed(NamedTuple):
    severity: str
    place: str
    reason: str


def write_gallery(
    gallery: Gallery, folder: Path, fetch: Fetch | None, on_progress: OnProgress
) -> Path:
    """Write a page of thumbnails into a folder, and return the page.

    It needs nothing but the folder: it opens from disk, and asks no server for anything. An
    image is shown in its full size where it is still there.

    Args:
        gallery: What it shows.
        folder: A new folder, or one with an earlier page, which is replaced.
        fetch: Reads images in object stores; None = the page shows none of them.
        on_progress: Called with how many thumbnails are done, and how many there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_bytes(marker())
    pictured = write_thumbnails(folder / "thumbnails", gallery.images, fetch, on_progress)
    page = folder / "index.html"
    replace(page.as_posix(), _render(gallery, pictured).encode())
    return page


def _render(gallery: Gallery, pictured: frozenset[str]) -> str:
    scripts = tuple((SOURCES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    listed = sorted(gallery.problems, key=lambda problem: _ORDER.index(problem.severity))
    return (
        environment()
        .get_template("gallery/gallery.html.j2")
        .render(
            name=one_line(gallery.name),
            kind=gallery.kind,
            headline=_headline(gallery),
            problems=[_listed(problem, gallery.root) for problem in listed[:LISTED]],
            n_problems=len(listed),
            problem_counts=_counts(Counter(problem.severity for problem in listed)),
            content=_content(gallery, pictured),
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files
            allowed=" ".join(map(_hash_of, scripts)),
        )
    )


def _hash_of(script: str) -> str:
    """Return a script as the page's policy allows it, which lets no other one run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _headline(gallery: Gallery) -> str:
    n_classes = len(gallery.class_names)
    classes = "1 class" if n_classes == 1 else f"{n_classes} classes"
    objects = plural(gallery.n_objects, "object")
    return f"{plural(len(gallery.images), 'image')} with {objects} of {classes}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(plural(counts[kind], kind) for kind in _ORDER if counts.get(kind))


def _listed(problem: Any, root: str) -> _Listed:
    place = _below(problem.path, root)
    place = place if problem.line is None else f"{place}:{problem.line}"
    return _Listed(problem.severity, place, problem.reason)


def _content(gallery: Gallery, pictured: frozenset[str]) -> dict[str, Any]:
    """Return what the page's script shows; columns of it are named in the script."""
    groups = sorted({image.group for image in gallery.images if image.group is not None})
    parts = list(dict.fromkeys(image.part for image in gallery.images if image.part))
    numbers = {
        "group": {name: i for i, name in enumerate(groups)},
        "part": {name: i for i, name in enumerate(parts)},
        "method": {name: i for i, name in enumerate(gallery.methods)},
    }
    return {
        "classes": [one_line(name) for name in gallery.class_names],
        "groups": [one_line(name) for name in groups],
        "parts": parts,
        "methods": [one_line(name) for name in gallery.methods],
        "root": _root_uri(gallery.root),
        "images": [
            _row(image, gallery.root, numbers, image.image_id in pictured)
            for image in gallery.images
        ],
    }


def _row(
    image: Shown, root: str, numbers: Mapping[str, Mapping[str, int]], pictured: bool
) -> list[Any]:
    return [
        one_line(_below(image.uri, root), 1_000),
        place_of(image.image_id) if pictured else "",
        image.width,
        image.height,
        image.size_bytes,
        None if image.labels is None else _boxes(image.labels),
        {} if image.labels is None else _outlines(image.labels),
        -1 if image.group is None else numbers["group"][image.group],
        numbers["part"].get(image.part, -1),
        [[numbers["method"][label], one_line(why)] for label, why in image.sent.items()],
        [list(_listed(problem, root)) for problem in image.problems],
    ]


def _boxes(labels: Labels) -> list[int]:
    """Return class, left, top, width and height of each object, one after the other."""
    corners = labels.xywhn.copy()
    corners[:, :2] -= corners[:, 2:] / 2
    steps = np.rint(corners * STEPS).astype(np.int64)
    flat: list[int] = np.column_stack([labels.class_id, steps]).ravel().tolist()
    return flat


def _outlines(labels: Labels) -> dict[int, list[int]]:
    """Return the corners of the outlines that are known, by the number of the object."""
    return {
        number: np.rint(outline * STEPS).astype(np.int64).ravel().tolist()
        for number, outline in enumerate(labels.polygons or ())
        if outline is not None
    }


def _below(place: str, root: str) -> str:
    return place.removeprefix(f"{root}/") if root else place


def _root_uri(root: str) -> str:
    """Return what the address of an image on this disk begins with; empty for one elsewhere."""
    if not is_local(root):
        return ""
    return f"{Path(root or '/').absolute().as_uri().rstrip('/')}/"
