"""Prefect's results in the store of the campaign, beside the objects they refer to."""

from __future__ import annotations

from prefect.filesystems import WritableFileSystem

from backhaul.layout import result_place
from backhaul.storage.objects import read_uri, replace
from backhaul.storage.places import absolute


class StoredResults(WritableFileSystem):
    """Where the results of a campaign's stages lie. Every process makes its own, none is saved.

    Args:
        root: Root of the store.
    """

    _block_type_slug = "backhaul-results"

    root: str

    def read_path(self, path: str, _sync: bool = True) -> bytes:  # type: ignore[override]
        """Return a result; `_sync` is how Prefect calls its own file systems."""
        return read_uri(self._uri(path))

    def write_path(self, path: str, content: bytes, _sync: bool = True) -> None:  # type: ignore[override]
        """Put a result in one step."""
        replace(self._uri(path), content)

    def _resolve_path(self, path: str) -> None:
        """Prefect asks for the folder that names of results are relative to: there is none."""

    def _uri(self, path: str) -> str:
        return result_place(absolute(self.root), path)
