"""Find what no run and no study in a store needs any more, and remove it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from backhaul.campaign.runrecords import RunRecords, runs_in
from backhaul.campaign.studyrecord import study_records, unfinished_studies
from backhaul.errors import InputError
from backhaul.layout import (
    CHECKPOINT,
    INTERNAL,
    all_records,
    internal,
    runs_folder,
)
from backhaul.storage.conditional import read_or_none, swap
from backhaul.storage.holder import Holder, holder_in
from backhaul.storage.listing import Stored, listing
from backhaul.storage.objects import remove_files
from backhaul.storage.parquet import TABLE
from backhaul.upkeep.leanruns import LeanRun, lean_run
from backhaul.upkeep.references import (
    References,
    name_in,
    of_each,
    references_of_result,
    references_of_run,
    references_of_state,
    references_of_table,
    union,
)

ByKind: TypeAlias = Mapping[str, tuple[Stored, ...]]
ByName: TypeAlias = Mapping[str, Stored]

MIN_AGE_S = 24 * 3600.0
"""Minimum age of removed files: a run may have been stopped in the middle of a round."""
PARTIAL = ".partial"
LEASES = "leases"


@dataclass(frozen=True)
class Leftovers:
    """Files of a store that may be removed, and those that stay, by kind.

    Args:
        root: Root of the store.
        files: What may be removed, in the order in which it goes.
        kept: What runs refer to, and studies may need.
        young: What stays only as it is so young.
    """

    root: str
    files: ByKind
    kept: ByKind
    young: ByKind

    def __len__(self) -> int:
        return sum(len(files) for files in self.files.values())


def find_leftovers(root: str, min_age_s: float = MIN_AGE_S) -> Leftovers:
    """Return the files that no run in the store at `root` refers to, and no study may need.

    Args:
        root: Root of the store.
        min_age_s: What was written in the last so many seconds stays.

    Raises:
        InputError: If there is no store, something runs in it, or a run cannot be understood.
    """
    if not listing(internal(root)):
        raise InputError(f"{root}: is no store: expected a folder {INTERNAL} there")
    require_rest(root)
    return _leftovers(_Store.read(root), time.time() - min_age_s)


def require_rest(root: str) -> None:
    """Raise an error if a process works in the store at `root`.

    Raises:
        InputError: If one does.
    """
    for file in _leases(root):
        content = read_or_none(file.uri)
        if content is None:
            continue
        holder = holder_in(file.uri, content)
        if not holder.is_gone(silent_s=0):
            what = file.uri.removeprefix(internal(root, f"{LEASES}/")).removesuffix(".json")
            raise InputError(
                f"{root}: {what} is under way, in process {holder.pid} on {holder.host}: prune "
                "when nothing runs in this store; if that machine is lost, this ends an hour "
                "after its last sign of life"
            )


def remove_leftovers(found: Leftovers) -> None:
    """Remove the leftovers, results before the objects they refer to.

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
    found = listing(internal(root, LEASES))
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
    """The files that stages and runs wrote into a store.

    What else lies there, such as the demo's scenes and Prefect's database, is not looked at.

    Args:
        root: Its root.
        views: Files that people look at, by address.
        objects: Objects, by name.
        results: Results of stages, by key.
        resume: States of trainings that were not finished.
        partial: Files that were not written to their end.
        named: What its runs refer to, without checkpoints that they do not need, and what
            studies have used that are not finished.
        lean: Runs that do not need all their checkpoints.
    """

    root: str
    views: ByName
    objects: ByName
    results: ByName
    resume: tuple[Stored, ...]
    partial: tuple[Stored, ...]
    named: References
    lean: tuple[LeanRun, ...]

    @classmethod
    def read(cls, root: str) -> _Store:
        """List the files in the store at `root`."""
        views, records = listing(runs_folder(root)), listing(all_records(root))
        parts = {n: listing(internal(root, n)) for n in ("objects", "results", "resume")}
        written = (views, records, listing(study_records(root)), *parts.values())
        everything = [file for files in written for file in files]
        runs = [(run, lean_run(run)) for run in runs_in(root)]
        results = {_name(f): f for f in _whole(parts["results"])}
        return cls(
            root=root,
            views={file.uri: file for file in views},
            objects={_name(f): f for f in _whole(parts["objects"])},
            results=results,
            resume=_whole(parts["resume"]),
            partial=tuple(f for f in everything if f.uri.endswith(PARTIAL)),
            named=union(
                [_needed_by_studies(root, results), *(_named_by(*each) for each in runs)]
            ),
            lean=tuple(lean for _, lean in runs if lean is not None),
        )

    def reached(self, names: Iterable[str]) -> frozenset[str]:
        """Return the objects `names`, and those that tables among them refer to."""
        found: set[str] = set()
        ahead = self.objects.keys() & set(names)
        while ahead:
            found |= ahead
            tables = [self.objects[name] for name in ahead if name.endswith(TABLE)]
            ahead = (
                self.objects.keys() & union(of_each(tables, references_of_table)).objects
            ) - found
        return frozenset(found)


def _named_by(run: RunRecords, lean: LeanRun | None) -> References:
    named = references_of_run(run)
    return named if lean is None else named.without_checkpoints(but=lean.needed)


def _needed_by_studies(root: str, results: ByName) -> References:
    """Return the results that unfinished studies have used, and the objects that they name."""
    used = {key for study in unfinished_studies(root).values() for key in study.results}
    there = sorted(used & results.keys())
    found = union(of_each((results[key] for key in there), references_of_result))
    return References(found.objects, frozenset(there))


def _leftovers(store: _Store, before: float) -> Leftovers:
    """Return files that nothing needs, written before `before`, in seconds since 1970."""
    used = _used(store)
    kept = _with_recent(store, used, before)
    going_on = {_folder(file) for file in store.resume if file.modified > before}
    spare = [
        store.views[place]
        for run in store.lean
        for name, place in run.spare.items()
        if name not in kept.objects and place in store.views
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
    )


def _used(store: _Store) -> References:
    """Return what runs and studies need, and results that lead to no other objects."""
    results = store.results.keys() & store.named.results
    referred = union(_of_results(store, results))
    # the checkpoints that a run needs are named by its records
    objects = store.reached(store.named.objects | referred.without_checkpoints().objects)
    others = sorted(store.results.keys() - results)
    each = _of_results(store, others)
    harmless = {n for n, found in zip(others, each, strict=True) if found.objects <= objects}
    return References(objects, frozenset(results | harmless))


def _of_results(store: _Store, keys: Iterable[str]) -> Iterable[References]:
    return of_each((store.results[key] for key in sorted(keys)), references_of_result)


def _with_recent(store: _Store, used: References, before: float) -> References:
    """Return `used` with files written after `before`, and those that they refer to."""
    recent = {name for name, file in store.results.items() if file.modified > before}
    states = [f for f in store.resume if f.modified > before and f.uri.endswith(".json")]
    referred = union([*_of_results(store, recent), *of_each(states, references_of_state)])
    objects = {name for name, file in store.objects.items() if file.modified > before}
    return References(
        store.reached(used.objects | referred.objects | objects), used.results | recent
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
    return name_in(file.uri)


def _folder(file: Stored) -> str:
    return file.uri.rpartition("/")[0]
