"""Find what no run in a store refers to any more, and remove it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from backhaul.errors import InputError
from backhaul.layout import INTERNAL
from backhaul.storage.conditional import read_or_none, swap
from backhaul.storage.holder import Holder, holder_in
from backhaul.storage.objects import CHECKPOINT, Stored, listing, read_uri, remove_files
from backhaul.upkeep.leanruns import LeanRun, lean_run
from backhaul.upkeep.references import (
    TABLE,
    References,
    references_of,
    references_of_each,
    union,
)

ByKind: TypeAlias = Mapping[str, tuple[Stored, ...]]
ByName: TypeAlias = Mapping[str, Stored]

MIN_AGE_S = 24 * 3600.0
"""What is younger stays: a run may have been stopped in the middle of a round."""
PARTIAL = ".partial"
LEASES = "leases"


@dataclass(frozen=True)
class Leftovers:
    """What may be removed from a store, and what stays, by kind.

    Args:
        root: Root of the store.
        files: What may be removed, in the order in which it goes.
        kept: What runs refer to.
        young: What stays only as it is so young.
        unclear: A record that does not say which results its round used, so that all results
            stay; None if all say it.
    """

    root: str
    files: ByKind
    kept: ByKind
    young: ByKind
    unclear: str | None = None

    def __len__(self) -> int:
        return sum(len(files) for files in self.files.values())


def find_leftovers(root: str, min_age_s: float = MIN_AGE_S) -> Leftovers:
    """Return what no run in the store at `root` refers to.

    Args:
        root: Root of the store.
        min_age_s: What was written in the last so many seconds stays.

    Raises:
        InputError: If there is no store, something runs in it, or a run cannot be understood.
    """
    if not listing(f"{root}/{INTERNAL}"):
        raise InputError(f"{root}: is no store: expected a folder {INTERNAL} there")
    require_rest(root)
    return _leftovers(_Store.read(root), time.time() - min_age_s)


def require_rest(root: str) -> None:
    """Do nothing if no process works in the store at `root`.

    Raises:
        InputError: If one does.
    """
    for file in _leases(root):
        content = read_or_none(file.uri)
        if content is None:
            continue
        holder = holder_in(file.uri, content)
        if not holder.is_gone(silent_s=0):
            what = file.uri.removeprefix(f"{root}/{INTERNAL}/{LEASES}/").removesuffix(".json")
            raise InputError(
                f"{root}: {what} is under way, in process {holder.pid} on {holder.host}: prune "
                "when nothing runs in this store; if that machine is lost, this ends an hour "
                "after its last sign of life"
            )


def remove_leftovers(found: Leftovers) -> None:
    """Remove what was found, results before the objects they refer to.

    Raises:
        InputError: If something runs in the store by now.
    """
    require_rest(found.root)
    for kind, files in found.files.items():
        if kind == LEASES:
            for file in files:
                _take_away(file.uri)
        else:
            remove_files([file.uri for file in files])


def _leases(root: str) -> list[Stored]:
    found = listing(f"{root}/{INTERNAL}/{LEASES}")
    return [file for file in found if file.uri.endswith(".json")]


def _take_away(uri: str) -> None:
    """Remove a lease, unless another process has taken it over meanwhile."""
    content = read_or_none(uri)
    if content is None or not holder_in(uri, content).is_gone(silent_s=0):
        return
    if swap(uri, content, Holder.me().encoded):
        remove_files([uri])


@dataclass(frozen=True)
class _Store:
    """What stages and runs wrote into a store.

    What else lies there, such as the demo's scenes and Prefect's database, is not looked at.

    Args:
        root: Its root.
        runs: Files of runs, by address.
        objects: Objects, by name.
        results: Results of stages, by key.
        resume: States of trainings that were not finished.
        partial: Files that were not written to their end.
        lean: Runs that do not need all their checkpoints.
    """

    root: str
    runs: ByName
    objects: ByName
    results: ByName
    resume: tuple[Stored, ...]
    partial: tuple[Stored, ...]
    lean: tuple[LeanRun, ...]

    @classmethod
    def read(cls, root: str) -> _Store:
        """Return what lies in the store at `root`."""
        runs = listing(f"{root}/runs")
        parts = {n: listing(f"{root}/{INTERNAL}/{n}") for n in ("objects", "results", "resume")}
        everything = [file for files in (runs, *parts.values()) for file in files]
        found = [lean_run(_folder(f)) for f in runs if _name(f) == "run.json"]
        return cls(
            root=root,
            runs={file.uri: file for file in runs},
            objects={_name(f): f for f in _whole(parts["objects"])},
            results={_name(f): f for f in _whole(parts["results"])},
            resume=_whole(parts["resume"]),
            partial=tuple(f for f in everything if f.uri.endswith(PARTIAL)),
            lean=tuple(run for run in found if run is not None),
        )

    @property
    def records(self) -> tuple[Stored, ...]:
        """The files in which runs say what they refer to."""
        return tuple(file for uri, file in self.runs.items() if uri.endswith(".json"))

    def named_by(self, record: Stored) -> References:
        """Return what a record names, without checkpoints that its run does not need."""
        named = references_of(record)
        for run in self.lean:
            if record.uri.startswith(f"{run.folder}/"):
                return named.without_checkpoints(but=run.needed)
        return named

    def reached(self, names: Iterable[str]) -> frozenset[str]:
        """Return the objects `names`, and those that tables among them lead to."""
        found: set[str] = set()
        ahead = self.objects.keys() & set(names)
        while ahead:
            found |= ahead
            tables = [self.objects[name] for name in ahead if name.endswith(TABLE)]
            ahead = (self.objects.keys() & union(references_of_each(tables)).objects) - found
        return frozenset(found)


def _leftovers(store: _Store, before: float) -> Leftovers:
    """Return what no run refers to, and is not younger than `before`, seconds since 1970."""
    unclear = next((record.uri for record in store.records if _lacks_keys(record)), None)
    used = _all_results(store) if unclear else _used(store)
    kept = _with_recent(store, used, before)
    going_on = {_folder(file) for file in store.resume if file.modified > before}
    spare = [
        store.runs[place]
        for run in store.lean
        for name, place in run.spare.items()
        if name not in kept.objects and place in store.runs
    ]
    results = store.results.keys() - kept.results
    return Leftovers(
        root=store.root,
        files={
            **_by_kind(store, results, store.objects.keys() - kept.objects),
            "checkpoints in folders of runs": tuple(spare),
            "states of trainings": tuple(f for f in store.resume if _folder(f) not in going_on),
            "unfinished files": tuple(f for f in store.partial if f.modified <= before),
            LEASES: tuple(_leases(store.root)),
        },
        kept=_by_kind(store, used.results, used.objects),
        young=_by_kind(store, kept.results - used.results, kept.objects - used.objects),
        unclear=unclear,
    )


def _used(store: _Store) -> References:
    """Return the objects and results that runs refer to, or that lead to no other objects."""
    named = union(store.named_by(record) for record in store.records)
    results = store.results.keys() & named.results
    theirs = union(references_of_each(store.results[name] for name in sorted(results)))
    # the checkpoints that a run needs are named by its records
    objects = store.reached(named.objects | theirs.without_checkpoints().objects)
    others = sorted(store.results.keys() - results)
    each = references_of_each(store.results[name] for name in others)
    harmless = {n for n, found in zip(others, each, strict=True) if found.objects <= objects}
    return References(objects, frozenset(results | harmless))


def _all_results(store: _Store) -> References:
    """Return all results, and the objects that they or runs refer to."""
    named = union(store.named_by(record) for record in store.records)
    theirs = union(references_of_each(store.results.values()))
    objects = store.reached(named.objects | theirs.objects)
    return References(objects, frozenset(store.results))


def _with_recent(store: _Store, used: References, before: float) -> References:
    """Return `used` with what was written after `before`, and what that refers to."""
    recent = {name for name, file in store.results.items() if file.modified > before}
    states = [f for f in store.resume if f.modified > before and f.uri.endswith(".json")]
    theirs = union(references_of_each([*(store.results[n] for n in sorted(recent)), *states]))
    objects = {name for name, file in store.objects.items() if file.modified > before}
    return References(
        store.reached(used.objects | theirs.objects | objects), used.results | recent
    )


def _by_kind(store: _Store, results: Iterable[str], objects: Iterable[str]) -> ByKind:
    kinds: dict[str, list[Stored]] = {
        "results": [store.results[name] for name in sorted(results)],
        "checkpoints": [],
        "tables": [],
        "images": [],
    }
    for name in sorted(objects):
        suffix = f".{name.rpartition('.')[2]}"
        kind = {CHECKPOINT: "checkpoints", TABLE: "tables"}.get(suffix, "images")
        kinds[kind].append(store.objects[name])
    return {kind: tuple(files) for kind, files in kinds.items()}


def _whole(files: Iterable[Stored]) -> tuple[Stored, ...]:
    return tuple(file for file in files if not file.uri.endswith(PARTIAL))


def _name(file: Stored) -> str:
    return file.uri.rpartition("/")[2]


def _folder(file: Stored) -> str:
    return file.uri.rpartition("/")[0]


def _lacks_keys(record: Stored) -> bool:
    """Return whether a round's record is of a version that did not note what it used."""
    if not record.uri.rpartition("/")[0].endswith("/rounds"):
        return False
    timings = json.loads(read_uri(record.uri)).get("timings", ())
    return any(not timing.get("key") for timing in timings)
