"""Images in object stores, for the thumbnails of a page."""

from __future__ import annotations

import logging

from backhaul.errors import MissingObjectError, StoreError
from backhaul.storage.objects import read_uri

LOG = logging.getLogger(__name__)


class RemotePictures:
    """Reads images for a page, which goes without those of a bucket that cannot be read."""

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def __call__(self, uri: str) -> bytes | None:
        """Return the content of an image; None if it is gone, or its bucket is not for us."""
        bucket = "/".join(uri.split("/", 3)[:3])
        if bucket in self._refused:
            return None
        try:
            return read_uri(uri)
        except MissingObjectError:
            return None
        except StoreError as error:
            LOG.warning("no pictures from %s: %s", bucket, error)
            self._refused.add(bucket)
            return None
