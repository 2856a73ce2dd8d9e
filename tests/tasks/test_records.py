"""The records of a run's rounds when it is started again."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.rounds import read_rounds, write_round
from backhaul.layout import INITIAL, INTERNAL, RunFiles
from backhaul.storage.objects import write_bytes, write_value
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import Timing


def record(root: str, method: str, batch: int | None, weights: bytes) -> RoundRecord:
    checkpoint = Checkpoint(epoch=1, artifact=write_bytes(root, weights, ".pt"))
    nothing = write_value(root, pd.DataFrame({"a": [1]}))
    return RoundRecord(
        method=method,
        batch=batch,
        evaluation=nothing,
        standing=Standing(seen=nothing, checkpoints=(checkpoint,), current=checkpoint),
    )


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    """A run with two methods and two batches."""
    root = tmp_path.as_posix()
    files = RunFiles(root, "tiny")
    write_round(files, record(root, INITIAL, None, b"init"))
    for method in ("iqr", "random"):
        for batch in range(2):
            write_round(files, record(root, method, batch, f"{method}{batch}".encode()))
    return files


def rounds(files: RunFiles) -> list[str]:
    return [each.prefix for each in read_rounds(files)]


ALL = ["init", "iqr0", "iqr1", "random0", "random1"]


def test_a_second_start_that_comes_to_the_same_drops_nothing(files: RunFiles) -> None:
    for again in read_rounds(files):
        took = Timing(stage="training", seconds=9, cached=True)
        write_round(files, again.model_copy(update={"timings": (took,)}))
        assert rounds(files) == ALL


def test_the_same_in_a_store_that_was_moved_drops_nothing(
    files: RunFiles, tmp_path: Path
) -> None:
    moved = RunFiles((tmp_path / "moved").as_posix(), files.name)
    shutil.copytree(tmp_path / INTERNAL, tmp_path / "moved" / INTERNAL)
    write_round(moved, record(moved.root, INITIAL, None, b"init"))
    assert rounds(moved) == ALL


def test_what_followed_from_something_else_goes(files: RunFiles) -> None:
    write_round(files, record(files.root, "iqr", 0, b"another"))
    assert rounds(files) == ["init", "iqr0", "random0", "random1"]
    write_round(files, record(files.root, INITIAL, None, b"another"))
    assert rounds(files) == ["init"]
