"""A study through the command: killed, gone on with, and gone on with from its table alone."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from backhaul.study.rows import Row, Selected, Table
from tests.e2e.conftest import FIXED, TINY
from tests.e2e.test_killed import wait_until

pytestmark = pytest.mark.prefect

STUDY: dict[str, Any] = {
    "name": "tiny",
    "sets": {
        "digits": {
            "data": TINY["data"],
            "initial": TINY["initial"],
            "batches": {"sampling_batch": 20, "count": 1},
            "augmentation": TINY["augmentation"],
            "training": FIXED | {"max_epochs": 2, "retrain_steps": 4, "device": "cpu"},
            "inference": TINY["inference"],
        }
    },
    "seeds": [0],
    "arms": ["iqr"],
    "draws": 1,
    "training_seeds": 1,
    "budgets": [{"images": 3}, {"pool_bytes": 0.4}],
}
ROWS_A_SEED = 3 + 2 * 2
"""Initial model, none and all images; two methods at two budgets."""


def write(folder: Path, **changes: Any) -> None:
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY | changes), encoding="utf-8")


@pytest.fixture(scope="module")
def killed(new_place: Callable[[str], Any]) -> Any:
    """A place where a study was killed once it had two rows."""
    place = new_place("study")
    write(place.folder)
    rows = place.folder / "studies" / "tiny" / "rows.csv"
    study = place.start("study", "study.yaml")
    wait_until(
        lambda: (
            study.poll() is not None
            or (rows.exists() and len(rows.read_text().splitlines()) > 2)
        ),
        300,
    )
    os.killpg(study.pid, signal.SIGKILL)
    study.wait()
    return place


def test_a_killed_study_goes_on_also_without_its_store(killed: Any) -> None:
    folder = killed.folder / "studies" / "tiny"
    before = Table(folder).rows()
    assert 2 <= len(before) < ROWS_A_SEED

    told = killed.backhaul("study", "study.yaml", "--plan")
    missing = ROWS_A_SEED - len(before)
    assert f"{missing} trainings missing, {len(before)} known; about" in told.out
    ended = killed.backhaul("study", "study.yaml")
    assert ended.code == 0, ended.err
    assert f"{ROWS_A_SEED} of {ROWS_A_SEED} trainings" in ended.err
    rows = Table(folder).rows()
    assert rows[: len(before)] == before
    check_rows(rows)
    check_selections(folder, rows)

    shutil.rmtree(killed.folder / ".backhaul")
    write(killed.folder, seeds=[0, 1])
    ended = killed.backhaul("study", "study.yaml")
    assert ended.code == 0, ended.err
    assert f"{ROWS_A_SEED} trainings missing, {ROWS_A_SEED} known" in ended.out
    both = Table(folder).rows()
    assert both[:ROWS_A_SEED] == rows
    assert {row.seed for row in both[ROWS_A_SEED:]} == {1}
    assert len({row.inputs for row in both}) == len(both) == 2 * ROWS_A_SEED
    page = (folder / "index.html").read_text()
    assert "iqr and true-random differ on digits" in page or "Shown: iqr" in page


def check_rows(rows: tuple[Row, ...]) -> None:
    """Check that all are paired: one pool, one initial model, and the same steps."""
    assert len(rows) == len({row.inputs for row in rows}) == ROWS_A_SEED
    assert len({(row.data, row.start, row.software) for row in rows}) == 1
    by_arm = {(row.arm, row.budget): row for row in rows}
    none, everything = by_arm["no-new-data", ""], by_arm["all-images", ""]
    assert (none.n_images, everything.n_images) == (0, 20)
    for arm in ("iqr", "true-random"):
        assert by_arm[arm, "images=3"].n_images == 3
        share = by_arm[arm, "pool_bytes=0.4"]
        assert 0.3 * everything.n_bytes < share.n_bytes <= 0.4 * everything.n_bytes
    for row in rows:
        assert row.map50 is not None
        assert 0 <= row.map50 <= 1
        assert row.n_train > row.n_images  # all that was chosen, the initial set, and copies
        assert row.arm == "initial" or row.epochs * -(-row.n_train // 16) >= 4


def check_selections(folder: Path, rows: tuple[Row, ...]) -> None:
    """Check that what was chosen is noted, once a choice, and is what the rows say."""
    lines = (folder / "selections.jsonl").read_text().splitlines()
    noted = [Selected.model_validate_json(line) for line in lines]
    chosen = {(row.arm, row.budget): row for row in rows if row.selection}
    assert len(noted) == len(chosen) == 4
    for each in noted:
        row = chosen[each.arm, each.budget]
        assert (each.selection, len(each.images)) == (row.selection, row.n_images)
        assert sum(image.size_bytes for image in each.images) == row.n_bytes
