"""A campaign starts from a checkpoint in a bucket; the keys come from the environment."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

pytestmark = [pytest.mark.prefect, pytest.mark.train, pytest.mark.s3]

COMMON = ["common", "old_test", "new_test", "mix_test"]


@pytest.fixture(scope="module")
def checkpoints(fixed: Any, object_store: Any) -> str:
    """The initial checkpoints of a run, in a bucket."""
    files = object_store.filesystem
    for checkpoint in (fixed.run.folder / "checkpoints").glob("init_ckpt_*.pt"):
        files.put_file(str(checkpoint), f"edge/models/{checkpoint.name}")
    return "s3://edge/models"


def test_it_goes_on_from_a_bucket(
    fixed: Any,
    checkpoints: str,
    object_store: Any,
    new_place: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = new_place("elsewhere")
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    address = f"{checkpoints}/init_ckpt_3.pt"
    config = place.config("tiny", methods=["true-random"], control=False, batches__count=1)
    ended = place.backhaul("run", config, "--reload", address)
    assert ended.code == 0, ended.err
    run = place.run("tiny")
    here, there = (
        table[table["test_set"].isin(COMMON) & table["method"].isin(["init", "true-random"])]
        .drop(columns="epochs_trained")
        .reset_index(drop=True)
        for table in (run.summary, fixed.run.summary.query("batch != 1"))
    )
    assert len(here) == 2 + 4
    pd.testing.assert_frame_equal(here, there)
    for path in run.folder.rglob("*.json"):
        assert object_store.environment["AWS_SECRET_ACCESS_KEY"] not in path.read_text()


@pytest.mark.parametrize(
    ("address", "changes", "reason"),
    [
        ("s3://nowhere/init_ckpt_3.pt", {}, "has no such bucket"),
        ("s3://edge/models/init_ckpt_7.pt", {}, "no such file"),
        ("s3://edge/models/init_ckpt_3.pt", {"AWS_SECRET_ACCESS_KEY": "x"}, "cannot be listed"),
    ],
)
def test_a_wrong_address_or_key_is_one_line(
    address: str,
    changes: dict[str, str],
    reason: str,
    fixed: Any,
    checkpoints: str,
    object_store: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (object_store.environment | changes).items():
        monkeypatch.setenv(name, value)
    config = fixed.place.config("wrong-address")
    assert reason in fixed.place.backhaul("run", config, "--reload", address).one_error()
