"""One look at what home publishes: from signed metadata to a model that is ready to look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import TargetFile

from backhaul.errors import InputError
from backhaul.link.ledger import Ledger
from backhaul.link.settings import Link
from backhaul.look.onnxcontent import require_self_contained
from backhaul.node.budget import Budget
from backhaul.node.lens import Lens
from backhaul.node.settings import NodeConfig
from backhaul.node.setup import Setup
from backhaul.node.updates.errors import RefusedError, UnreachedError
from backhaul.node.updates.release import (
    MOST_BYTES,
    PublishedFile,
    Release,
    model_place,
    probe_place,
    release_of,
    release_place,
    require_choice,
)
from backhaul.node.updates.settings import Updates
from backhaul.node.updates.shelf import Shelf, Taken
from backhaul.node.updates.source import Published
from backhaul.node.updates.trial import Limits, Task, try_model


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A release that was tried, and can be used from the next frame on.

    Args:
        taken: What it is.
        setup: What the node looks with and chooses by then.
        lens: Its model, loaded; None = the model that looks now stays.
    """

    taken: Taken
    setup: Setup
    lens: Lens | None


@dataclass(frozen=True, slots=True)
class Checker:
    """Looks at what home publishes for a node.

    Args:
        config: The node, as its own settings say.
        updates: What it takes.
        published: What home publishes.
        shelf: What it has taken so far.
        folder: Where what comes is kept until it was tried.
    """

    config: NodeConfig
    updates: Updates
    published: Published
    shelf: Shelf
    folder: Path

    def check(self, now: Setup, may_bytes: float) -> Ready | None:
        """Return what is to be used from now on; None = what is in use stays.

        Args:
            now: What is in use.
            may_bytes: How many bytes may come down.

        Raises:
            UnreachedError: If home was not reached, or what it has does not fit into what may
                come down now.
            RefusedError: If what it has is not taken.
        """
        target = self._release_target()
        if target is None:
            return None
        data = self._fetched(target, MOST_BYTES, "release").read_bytes()
        release = release_of(data)
        config = require_choice(self.config, release)
        if not release.includes(self.config.node):
            return None
        taken = Taken(release=self.shelf.put_release(data), model=release.model.sha256)
        if taken.release == now.release:
            return None
        if reason := self.shelf.failed(taken.model):
            raise RefusedError(f"model {taken.model[:12]} failed here: {reason}")
        path = self.shelf.model_file(taken.model)
        setup = Setup(path, taken.model, config.policies, config.link, taken.release)
        if taken.model == now.sha256:
            return Ready(taken, setup, None)
        self._bring(release, now.link, may_bytes)
        try:
            require_self_contained(path.read_bytes(), "its file")
            self._try(release, now)
            lens = Lens(self.config, path, taken.model)
        except InputError as error:
            self.shelf.fail(taken.model, str(error))
            self.shelf.clear()
            raise RefusedError(f"model {taken.model[:12]}: {error}") from None
        return Ready(taken, setup, lens)

    def _release_target(self) -> TargetFile | None:
        if not self.published.refresh():
            return None
        return self.published.target(release_place(self.updates.group))

    def _bring(self, release: Release, link: Link, may_bytes: float) -> None:
        """Let model and probe images be here."""
        most = self.updates.most_model_bytes
        if release.model.bytes > most:
            raise RefusedError(
                f"its model has {release.model.bytes:,} bytes, expected at most {most:,}"
            )
        whole = release.model.bytes + release.probe.bytes
        if link.model_counts and not Budget(link, Ledger()).ever_allows(whole):
            raise RefusedError(f"{whole:,} bytes are more than any allowance ever has")
        if whole > may_bytes:
            raise UnreachedError(f"{whole:,} bytes wait until they may come")
        self._bring_file(probe_place(release.probe.sha256), release.probe, self._probe_file)
        path = self.shelf.model_file(release.model.sha256)
        self._bring_file(model_place(release.model.sha256), release.model, path)

    def _bring_file(self, place: str, file: PublishedFile, path: Path) -> None:
        target = self.published.target(place)
        if target is None or file.sha256 not in target.hashes.values():
            raise RefusedError(f"{place}: its release names it, and nobody signed it")
        self.published.fetch(target, path)

    def _fetched(self, target: TargetFile, most_bytes: int, name: str) -> Path:
        path = self.folder / name
        if target.length > most_bytes:
            raise RefusedError(f"its {name} has {target.length:,} bytes")
        self.published.fetch(target, path)
        return path

    @property
    def _probe_file(self) -> Path:
        return self.folder / "probe"

    def _try(self, release: Release, now: Setup) -> None:
        updates, threads = self.updates, self.config.look.threads
        task = Task(
            model=self.shelf.model_file(release.model.sha256).absolute(),
            sha256=release.model.sha256,
            probe=self._probe_file.absolute(),
            before=now.model.absolute(),
            threads=threads,
            most_bytes=updates.trial_bytes,
            trial_s=updates.trial_s,
        )
        try_model(task, Limits(updates.look_s, updates.most_drop))
