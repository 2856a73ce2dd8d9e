"""The tables of a run that continues hour by hour, made from records without a training."""

import json
import shutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from backhaul.campaign.continued import read_table, write_table
from backhaul.campaign.outcome import MethodOutcome
from backhaul.campaign.recordfiles import RecordType
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.rounds import write_round
from backhaul.campaign.runrecords import BEGINNING, RunRecords
from backhaul.campaign.runstate import RunState, advance
from backhaul.campaign.setting import Beginning
from backhaul.campaign.view import write_view
from backhaul.inbox.continuation import continue_view
from backhaul.layout import INITIAL, RunFiles
from backhaul.measure.names import METRICS
from backhaul.storage.objects import write_bytes, write_value
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import empty_image_set
from backhaul.values.results import Arrangement, TrainingResult

LABELS = ("iqr", "normal")
TABLES = ("summary.csv", "classes.csv", "checkpoints.csv", "current.csv", "run.json")


class Hours:
    """A run whose rounds are written as they would be played."""

    def __init__(self, root: Path) -> None:
        self.files = RunFiles(root.as_posix(), "edge")
        self.root = root.as_posix()
        self.empty = write_value(self.root, empty_image_set(("car",)))
        losses = {"epoch": [1.0], "train_loss": [1.0], "valid_loss": [1.0], "mAP50": [0.5]}
        self.log = write_value(self.root, pd.DataFrame(losses))
        steps = {name: [1.0] for name in ("epoch", "step", "steps", "train_loss")}
        self.steps = write_value(self.root, pd.DataFrame(steps))
        Path(self.files.config).parent.mkdir(parents=True)
        Path(self.files.config).write_text(
            '{"schema": 1, "seed": 0, "data": {"kind": "inbox"}}'
        )
        nothing = Arrangement(
            initial=self.empty, batches=(), holdout=self.empty, leftover=self.empty, sizes={}
        )
        began = Beginning(
            started=datetime(2026, 1, 1, tzinfo=UTC), arrangement=nothing, class_names=("car",)
        )
        BEGINNING.write(self.files.beginning, began)
        self._played(INITIAL, None, 1)

    def play(self, number: int) -> None:
        for label in LABELS:
            self._played(label, number, 2 + number)
            advance(
                self.files, partial(RunState.after, label=label, number=number, labels=LABELS)
            )

    def hour(self) -> None:
        ended = {label: MethodOutcome(state="completed") for label in LABELS}
        continue_view(self.files, LABELS, RunRecords(self.files).state, ended)

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(f"{self.files.view.folder}/{name}.csv")

    def _played(self, label: str, number: int | None, epoch: int) -> None:
        scores = dict.fromkeys(METRICS, 0.5)
        rows = [{"test_set": "common", "class": name, **scores} for name in ("", "car")]
        file = write_bytes(self.root, f"{label} {epoch}".encode(), ".pt")
        new = Checkpoint(epoch=epoch, artifact=file)
        training = TrainingResult(
            checkpoints=(new,),
            first_epoch=epoch,
            epochs=1,
            best_epoch=epoch,
            history=self.log,
            steps=self.steps,
            stopped_because="max_epochs",
            resumed=False,
            n_train=1,
            n_valid=1,
            seconds=1.0,
        )
        record = RoundRecord(
            method=label,
            batch=number,
            evaluation=write_value(self.root, pd.DataFrame(rows)),
            training=training,
            standing=Standing(seen=self.empty, checkpoints=(new,), current=new),
        )
        write_round(self.files, record)


@pytest.fixture
def hours(tmp_path: Path) -> Hours:
    return Hours(tmp_path / "store")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the round records that were read."""
    names: list[str] = []
    whole = RecordType.read

    def counted(self: RecordType[RoundRecord], place: str) -> RoundRecord | None:
        names.extend([Path(place).stem] if "/rounds/" in place else [])
        return whole(self, place)

    monkeypatch.setattr(RecordType, "read", counted)
    return names


def test_each_hour_adds_its_checkpoints_and_says_which_are_in_use(hours: Hours) -> None:
    hours.play(0)
    hours.hour()
    hours.play(1)
    hours.hour()
    checkpoints = hours.table("checkpoints")
    assert list(checkpoints["file"]) == [
        f"checkpoints/{name}"
        for name in (
            "init_ckpt_1.pt",
            "iqr_ckpt_2.pt",
            "normal_ckpt_2.pt",
            "iqr_ckpt_3.pt",
            "normal_ckpt_3.pt",
        )
    ]
    assert all(Path(uri).is_file() for uri in checkpoints["uri"])
    current = hours.table("current")
    assert list(current["method"]) == ["init", *LABELS]
    assert list(current["epoch"]) == [1, 3, 3]
    assert [Path(uri).read_text() for uri in current["uri"]] == ["init 1", "iqr 3", "normal 3"]


def test_run_json_names_the_last_round_of_each_method(hours: Hours) -> None:
    hours.play(0)
    hours.play(1)
    hours.hour()
    about = json.loads(Path(hours.files.view.run).read_text())
    assert about["batches_played"] == {"iqr": 2, "normal": 2}
    assert set(about["artifacts"]) == {"arrangement", "init", "iqr1", "normal1"}
    assert [row["last_epoch"] for row in about["trainings"]] == [1, 3, 3]


def test_an_hour_reads_as_much_whatever_came_before(hours: Hours, read: list[str]) -> None:
    hours.play(0)
    hours.hour()
    n_read = []
    for number in range(1, 6):
        hours.play(number)
        read.clear()
        hours.hour()
        n_read.append(len(read))
    assert len(set(n_read)) == 1, n_read
    assert not {f"{label}{n}" for label in LABELS for n in range(4)} & {*read}


def test_a_report_makes_the_same_files_again(hours: Hours) -> None:
    for number in range(3):
        hours.play(number)
        hours.hour()
    view = Path(hours.files.view.folder)
    before = {name: (view / name).read_bytes() for name in TABLES}
    shutil.rmtree(view)
    write_view(RunRecords(hours.files))
    assert {name: (view / name).read_bytes() for name in TABLES} == before


def test_a_table_that_an_earlier_version_did_not_keep_is_made_of_all_rounds(
    hours: Hours,
) -> None:
    hours.play(0)
    hours.hour()
    Path(hours.files.continued("checkpoints")).unlink()
    hours.play(1)
    hours.hour()
    assert list(hours.table("checkpoints")["epoch"]) == [1, 2, 3, 2, 3]


@pytest.mark.parametrize("content", [b"", b"\xff", b"method,batch\niqr,x\n", b"a\n"])
def test_a_damaged_table_is_made_of_all_rounds(hours: Hours, content: bytes) -> None:
    hours.play(0)
    hours.hour()
    hours.play(1)
    hours.hour()
    before = {name: hours.table(name) for name in ("summary", "checkpoints")}
    for name in before:
        Path(hours.files.continued(name)).write_bytes(content)
    hours.play(2)
    hours.hour()
    for name, table in before.items():
        rows = hours.table(name).merge(table, how="inner")
        assert len(rows) == len(table)


def test_a_moved_store_shows_where_its_checkpoints_are(hours: Hours, tmp_path: Path) -> None:
    hours.play(0)
    hours.hour()
    moved = (tmp_path / "store").rename(tmp_path / "moved")
    table = read_table(RunFiles(moved.as_posix(), "edge"), "checkpoints")
    assert table is not None
    assert all(Path(uri).is_relative_to(moved) for uri in table["uri"])
    assert all(Path(uri).is_file() for uri in table["uri"])


def test_names_of_classes_stay_as_they_are(tmp_path: Path) -> None:
    names = ["01", "1e3", "None", "NA", "null", "car"]
    table = pd.DataFrame({"method": "iqr", "batch": 0, "test_set": "common", "class": names})
    files = RunFiles(tmp_path.as_posix(), "edge")
    write_table(files, "classes", table)
    again = read_table(files, "classes")
    assert again is not None
    assert again["class"].tolist() == names
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
