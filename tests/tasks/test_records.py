"""The records of a run's rounds when it is started again."""

from pathlib import Path

import pandas as pd
import pytest

from backhaul.campaign.records import (
    INITIAL,
    RoundRecord,
    Standing,
    read_records,
    write_record,
)
from backhaul.storage.objects import write_bytes, write_value
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import Timing


def record(folder: str, method: str, batch: int | None, weights: bytes) -> RoundRecord:
    checkpoint = Checkpoint(epoch=1, artifact=write_bytes(folder, weights, ".pt"))
    nothing = write_value(folder, pd.DataFrame({"a": [1]}))
    return RoundRecord(
        method=method,
        batch=batch,
        evaluation=nothing,
        standing=Standing(seen=nothing, checkpoints=(checkpoint,), current=checkpoint),
    )


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The folder of a run with two methods and two batches."""
    folder = str(tmp_path)
    write_record(folder, record(folder, INITIAL, None, b"init"))
    for method in ("iqr", "random"):
        for batch in range(2):
            write_record(folder, record(folder, method, batch, f"{method}{batch}".encode()))
    return folder


def rounds(folder: str) -> list[str]:
    return [each.prefix for each in read_records(folder)]


ALL = ["init", "iqr0", "iqr1", "random0", "random1"]


def test_a_second_start_that_comes_to_the_same_drops_nothing(folder: str) -> None:
    for again in read_records(folder):
        took = Timing(stage="training", seconds=9, cached=True)
        write_record(folder, again.model_copy(update={"timings": (took,)}))
        assert rounds(folder) == ALL


def test_the_same_in_a_store_that_was_moved_drops_nothing(folder: str, tmp_path: Path) -> None:
    write_record(folder, record(str(tmp_path / "moved"), INITIAL, None, b"init"))
    assert rounds(folder) == ALL


def test_what_followed_from_something_else_goes(folder: str) -> None:
    write_record(folder, record(folder, "iqr", 0, b"another"))
    assert rounds(folder) == ["init", "iqr0", "random0", "random1"]
    write_record(folder, record(folder, INITIAL, None, b"another"))
    assert rounds(folder) == ["init"]
