"""The content of an object on its way up: bytes, or a file that is read piece by piece."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from backhaul.untrusted import UnreadableFileError, open_file

PIECE_BYTES = 2**14
"""Small, so that a link that stalls is seen between two pieces; one record of TLS."""
_MOST_BYTES = 5 * 2**30  # that S3 takes at once


@dataclass(frozen=True)
class Body:
    """The content of an object.

    Args:
        file: Where it is read from.
        n_bytes: How many it has.
        source: What it is called in errors.
    """

    file: BinaryIO
    n_bytes: int
    source: str

    @cached_property
    def sha256(self) -> str:
        """Its SHA-256 in hexadecimal digits."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """Yield it from its beginning, in pieces.

        Raises:
            UnreadableFileError: If it cannot be read, or has become shorter.
        """
        left = self.n_bytes
        try:
            self.file.seek(0)
            while left and (piece := self.file.read(min(left, PIECE_BYTES))):
                left -= len(piece)
                yield piece
        except OSError as error:
            reason = error.strerror or "cannot be read"
            raise UnreadableFileError(self.source, reason) from error
        if left:
            raise UnreadableFileError(self.source, "became shorter while it was read")


@contextmanager
def opened(data: bytes | Path) -> Iterator[Body]:
    """Give the content of bytes or of a file.

    Raises:
        UnreadableFileError: If the file cannot be read.
    """
    if isinstance(data, bytes):
        yield Body(io.BytesIO(data), len(data), "")
        return
    with open_file(data, _MOST_BYTES) as file:
        yield Body(file, os.fstat(file.fileno()).st_size, str(data))
