"""Descriptors of image files; one that cannot be decoded does not stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from backhaul.arrays import Float32Array
from backhaul.data.images import ImageFile, OnProgress
from backhaul.errors import InputError
from backhaul.look.descriptors import N_VALUES, describe_files
from backhaul.values.columns import names_of
from backhaul.values.features import Features


def describe(
    files: Sequence[ImageFile], on_progress: OnProgress
) -> tuple[Features, tuple[str, ...]]:
    """Return the descriptors of images, and in words which of them cannot be decoded.

    Args:
        files: The images, each id once.
        on_progress: Called with how many are done, and how many there are.
    """
    vectors: list[Float32Array] = []
    ids: list[str] = []
    broken: list[str] = []
    with ThreadPoolExecutor() as threads:
        for number, found in enumerate(threads.map(_described, files), start=1):
            if isinstance(found, InputError):
                broken.append(str(found))
            else:
                ids.append(files[number - 1].image_id)
                vectors.append(found)
            on_progress(number, len(files))
    table = np.array(vectors, dtype=np.float32).reshape(len(vectors), N_VALUES)
    return Features(names_of(ids), table), tuple(broken)


def _described(file: ImageFile) -> Float32Array | InputError:
    try:
        vector: Float32Array = describe_files([file.path])[0]
    except InputError as error:
        return error
    return vector
