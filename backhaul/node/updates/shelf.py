"""The models and releases that a node keeps: the one in use, the one before, what failed."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.node.updates.release import Release, release_of
from backhaul.uplink.resume import sync_folder, synced

LOG = logging.getLogger(__name__)

MOST_FAILED = 1_000
CURRENT = "current"


class Taken(BaseModel):
    """A release that a node took.

    Args:
        release: Digest of the release.
        model: Digest of its model.
    """

    model_config = ConfigDict(frozen=True)

    release: str
    model: str


class _State(BaseModel):
    """What the file `CURRENT` says: all of it changes at once."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    schema_: int = Field(1, alias="schema")
    current: Taken | None = None
    before: Taken | None = None
    failed: dict[str, str] = Field(default_factory=dict)


class Shelf:
    """Models and releases in a folder of the node's.

    Where nothing was taken, or all that was has failed, the node looks with the model of its
    settings, which is no part of this.

    Args:
        folder: The folder; it is made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._state = self._read()
        self._changing = threading.Lock()

    @property
    def current(self) -> Taken | None:
        """What is in use; None = the node's own settings."""
        return self._state.current

    def failed(self, model: str) -> str | None:
        """Return why a model failed here; None if it did not."""
        return self._state.failed.get(model)

    def model_file(self, model: str) -> Path:
        """Return where the file of a model lies, or is to lie."""
        return self._folder / f"{model}.onnx"

    def release(self, taken: Taken) -> Release:
        """Return a release that is kept.

        Raises:
            OSError: If it is not here.
            RefusedError: If this agent does not know it, as after a step back of the software.
        """
        return release_of(self._release_file(taken.release).read_bytes())

    def put_release(self, data: bytes) -> str:
        """Keep a release; return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        self._write(self._release_file(digest), data)
        return digest

    def take(self, taken: Taken) -> None:
        """Let a release be in use; the one in use becomes the one before."""
        with self._changing:
            state = self._state
            if taken != state.current:
                changes = {"current": taken, "before": state.current}
                self._save(state.model_copy(update=changes))
        self.clear()

    def go_back(self) -> None:
        """Let the release before be in use again, unless it has the same model."""
        with self._changing:
            state = self._state
            before = state.before
            if before is not None and (
                state.current is None or before.model == state.current.model
            ):
                before = None
            self._save(state.model_copy(update={"current": before, "before": None}))

    def fail(self, model: str, reason: str) -> None:
        """Remember that a model failed, so that it is not tried again."""
        with self._changing:
            every = self._state.failed | {model: reason}
            failed = dict(list(every.items())[-MOST_FAILED:])
            self._save(self._state.model_copy(update={"failed": failed}))

    def clear(self) -> None:
        """Remove models and releases that are neither in use nor the ones before."""
        kept = [each for each in (self._state.current, self._state.before) if each is not None]
        names = {self.model_file(each.model).name for each in kept}
        names |= {self._release_file(each.release).name for each in kept}
        for pattern in ("*.onnx", "*.release.json"):
            for path in self._folder.glob(pattern):
                if path.name not in names:
                    path.unlink(missing_ok=True)

    def _release_file(self, digest: str) -> Path:
        return self._folder / f"{digest}.release.json"

    def _read(self) -> _State:
        place = self._folder / CURRENT
        try:
            return _State.model_validate_json(place.read_bytes())
        except FileNotFoundError:
            return _State()
        except (ValidationError, OSError):
            LOG.warning("%s cannot be read: the node begins with its own settings", place)
            return _State()

    def _save(self, state: _State) -> None:
        self._write(self._folder / CURRENT, state.model_dump_json(by_alias=True).encode())
        self._state = state

    @staticmethod
    def _write(place: Path, data: bytes) -> None:
        draft = place.with_name(f".{place.name}.new")
        with draft.open("wb") as file:
            file.write(data)
            synced(file)
        draft.replace(place)
        sync_folder(place.parent)
