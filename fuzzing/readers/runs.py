"""Runs: their records in a store, and their folders where they came without one."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from numpy.random import Generator
from typer.testing import CliRunner

from backhaul.analysis.seen import read_benchmark
from backhaul.campaign.run import Run
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.runtables import run_of
from backhaul.campaign.view import write_view
from backhaul.cli.commands import app
from backhaul.errors import CorruptArtifactError, MissingObjectError
from backhaul.layout import RunFiles, internal
from backhaul.report.campaign import imported_campaign
from fuzzing.mutation import mutate, pick
from fuzzing.reader import Reader
from fuzzing.tree import Tree, kept_folder

_STORE = Path(__file__).parents[2] / "tests/store/store-1.tar.xz"
_TEXTS = (".json", ".csv", ".txt")
_RUNS = ("finished", "hours")


@cache
def stored() -> Path:
    """Return a store that a version of Backhaul made, with the folders of its runs."""
    folder = kept_folder()
    with tarfile.open(_STORE) as packed:
        packed.extractall(folder, filter="data")
    store = folder / "store"
    for name in _RUNS:
        write_view(RunRecords(RunFiles(str(store), name)))
    return store


def files_below(folder: Path) -> Tree:
    """Return the files of text below a folder of the store."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in _TEXTS)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@cache
def _records() -> Tree:
    return files_below(Path(internal(str(stored()), "runs")))


def _read_records(folder: Path) -> Iterable[str]:
    """Read all that is known of a run; its objects are linked, and as they were."""
    store = folder.with_name("store")
    inner = Path(internal(str(store)))
    inner.mkdir(parents=True)
    (inner / "runs").symlink_to(folder)
    (inner / "objects").symlink_to(internal(str(stored()), "objects"))
    for name in _RUNS:
        records = RunRecords(RunFiles(str(store), name))
        try:
            _read_all(records)
        except (CorruptArtifactError, MissingObjectError) as error:  # which commands say
            yield str(error)


def _read_all(records: RunRecords) -> None:
    if records.exist:
        records.looking  # noqa: B018 - it is read
        assert records.goes_on_for_ever in (True, False)
        list(records.parts)
        _look_at(run_of(records))


def _look_at(run: Run) -> None:
    for table in (run.summary, run.classes):
        table.to_csv()
    for batch in run.batches:
        batch.seen.to_csv()
    assert run.random_label
    for losses in run.losses.values():
        losses.to_csv()
    dict(run.findings)


@cache
def _view() -> Tree:
    tree = files_below(stored() / "runs/finished")
    return {k: v for k, v in tree.items() if isinstance(v, bytes) and len(v) < 2**18}


def _read_view(folder: Path) -> Iterable[str]:
    for run in imported_campaign(folder).runs:
        _look_at(run)
    return ()


def _benchmark(_: Generator) -> Tree:
    return {"b.csv": next(v for k, v in sorted(_view().items()) if "_benchmark_" in k)}


def _read_benchmark(folder: Path) -> Iterable[str]:
    read_benchmark(folder / "b.csv").to_csv()
    return ()


_COMMAND = "command"
_COMMANDS = (
    "report",
    "analyze compare",
    "analyze curves",
    "analyze rolling",
)


def _commanded(rng: Generator) -> Tree:
    return {**_view(), _COMMAND: pick(_COMMANDS, rng).encode()}


def _mutate_view(tree: Tree, rng: Generator) -> Tree:
    return mutate(_view(), rng) | {_COMMAND: tree[_COMMAND]}


def _call(folder: Path) -> Iterable[str]:
    """Call a command on the folder of a run, as a person does."""
    words = (folder / _COMMAND).read_text().split()
    done = CliRunner().invoke(app, [*words, str(folder)])
    if isinstance(done.exception, Exception):
        raise done.exception
    return [done.output] if done.exit_code else []


READERS = (
    Reader("records", lambda _: dict(_records()), _read_records, share=0.05),
    Reader("run folder", lambda _: dict(_view()), _read_view, share=0.05),
    Reader("report, analyze", _commanded, _call, _mutate_view, share=0.01),
    Reader("benchmark", _benchmark, _read_benchmark),
)
