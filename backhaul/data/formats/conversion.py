"""Write a data set in another format than it was read from."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from backhaul.data.formats import FORMATS
from backhaul.data.formats.writing import Put, new_folder, require_empty
from backhaul.data.images import OnProgress
from backhaul.errors import InputError
from backhaul.values.images import ImageSet


def require_target(target: Path, source: Path) -> None:
    """Do nothing if a data set may be written into `target`.

    Raises:
        InputError: If there is something in it, or it lies in `source`, where nothing is ever
            written.
    """
    require_empty(target)
    if target.resolve().is_relative_to(source.resolve()):
        raise InputError(f"{target}: lies in {source}; expected a folder outside of it")


def write_whole(
    target: Path, name: str, images: ImageSet, put: Put, on_progress: OnProgress | None = None
) -> None:
    """Write `images` into the new or empty folder `target`, all of them or nothing.

    Args:
        target: The folder.
        name: The format, a key of `FORMATS`.
        images: What to write.
        put: Puts an image file where the format wants it.
        on_progress: Called while the images are put.

    Raises:
        InputError: If `target` is not empty or cannot be written to, an image cannot be put
            there, or the format cannot name a class.
    """
    new_folder(target)
    try:
        # A hidden folder is no data set, should this process be killed.
        with TemporaryDirectory(prefix=".unfinished-", dir=target) as unfinished:
            written = Path(unfinished) / "written"
            FORMATS[name].write(written, images, put, on_progress)
            for path in sorted(written.iterdir()):
                path.rename(target / path.name)
    except OSError as error:
        raise InputError(f"{error.filename or target}: {error.strerror}") from None


def losses(name: str, images: ImageSet) -> list[str]:
    """Return in words which information of `images` the format `name` cannot represent.

    Raises:
        InputError: If it cannot name a class at all.
    """
    written = FORMATS[name].written_names(images.class_names)
    n_outlines = sum(
        outline is not None
        for labels in images.labelled().table["labels"]
        for outline in labels.polygons or ()
    )
    outlines = [f"{n_outlines} outlines are not written, the boxes of these objects are"]
    return (outlines if n_outlines else []) + [
        f"class {old!r} is written as {new!r}: {name} cannot keep its white space"
        for old, new in zip(images.class_names, written, strict=True)
        if old != new
    ]
