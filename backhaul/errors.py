"""Errors that a person can mend: each says what is wrong, where, and what was expected."""

from __future__ import annotations


class InputError(ValueError):
    """A config, path, label, image or checkpoint is not what it must be (exit code 2)."""


class AwaitingLabelsError(RuntimeError):
    """Labels that a batch needs are not there yet; the batch waits, it has not failed.

    Args:
        message: What is missing.
        image_ids: The images without labels.
    """

    def __init__(self, message: str, image_ids: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.image_ids = image_ids


class DamagedRecordError(InputError):
    """A stored record was changed or cut off; for a run that starts it counts as missing."""


class MissingObjectError(FileNotFoundError):
    """A stored object that an artifact refers to is gone."""


class CorruptArtifactError(MissingObjectError):
    """The bytes stored for an artifact are not those that were written.

    Args:
        uri: Where they are stored.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(f"{uri}: content does not match its digest")
        self.uri = uri


class StoreError(InputError):
    """The store cannot be used: wrong keys, no bucket, no space, or it stays away."""


class RefusedFileError(StoreError):
    """One file of a store that cannot be read or moved; no other is concerned."""
