"""What is removed from a store, and what stays: made-up runs, on a disk and on S3."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backhaul.campaign.finding import FINDING, Finding, StoredFinding
from backhaul.campaign.outcome import RunOutcome
from backhaul.campaign.records import RoundRecord, Standing, Waiting
from backhaul.campaign.rounds import write_round
from backhaul.campaign.runrecords import OUTCOME, WAITING
from backhaul.errors import InputError, StoreError
from backhaul.layout import INTERNAL, RunFiles, data_root_place
from backhaul.registry.cards import Card
from backhaul.registry.registering import register
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.holder import ABANDONED_S, Holder
from backhaul.storage.lease import lease
from backhaul.storage.listing import listing
from backhaul.storage.objects import exists, read_uri, replace, write_bytes, write_value
from backhaul.study.needs import Needs
from backhaul.upkeep.prune import Leftovers, find_leftovers, remove_leftovers
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.results import Drawn, Timing, TrainingResult
from deployments.local.seaweedfs import SeaweedFS

DAY_S = 24 * 3600
ALL = 0.0
DIGEST = 32 * "0"
LOOKING: dict[str, Any] = {
    "seed": 0,
    "parallel": 1,
    "batches": {"holdout_batches": 1},
    "training": {"img_size": 32, "device": "cpu", "threads": 1},
    "inference": {"conf_check_num": 2},
    "evaluation": {},
    "labelling": {"source": "existing"},
}


class Store:
    """A store with runs, whose stages were never run."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.images = write_bytes(root, b"copy", ".png")
        self.seen = write_value(root, image_set(self.images.uri))
        self.table = write_value(root, pd.DataFrame({"mAP50": [0.5]}))

    def result(self, stage: str, *artifacts: Artifact) -> str:
        """Write the result of a stage; return its key."""
        key = f"{stage}-v1-{DIGEST}"
        text = json.dumps([artifact.model_dump() for artifact in artifacts])
        replace(f"{self.root}/{INTERNAL}/results/{key}", text.encode())
        return key

    def checkpoint(self, epoch: int) -> Checkpoint:
        artifact = write_bytes(self.root, b"weights %d" % epoch, ".pt")
        return Checkpoint(epoch=epoch, artifact=artifact)

    def run(
        self, name: str, *records: RoundRecord, state: str = "completed", **config: Any
    ) -> str:
        """Write the records of a run, and its checkpoints; return where people find those."""
        files = RunFiles(self.root, name)
        said = LOOKING | {"schema": 1, "data": {"kind": "folder"}} | config
        replace(files.config, json.dumps(said).encode())
        OUTCOME.write(files.outcome, RunOutcome.model_validate({"state": state}))
        for record in records:
            write_round(files, record)
            for checkpoint in record.new_checkpoints:
                file = files.view.checkpoint(record.method, checkpoint.epoch)
                replace(file, read_uri(checkpoint.artifact.uri))
        return files.view.folder

    def record(
        self, *checkpoints: Checkpoint, method: str = "init", keys: tuple[str, ...] = ()
    ) -> RoundRecord:
        """Return the record of a round that has these checkpoints behind it."""
        training = TrainingResult(
            checkpoints=checkpoints,
            first_epoch=1,
            epochs=len(checkpoints),
            best_epoch=1,
            history=self.table,
            steps=self.table,
            stopped_because="",
            resumed=False,
            n_train=1,
            n_valid=1,
            seconds=1.0,
        )
        return RoundRecord(
            method=method,
            batch=None if method == "init" else 0,
            training=training,
            evaluation=self.table,
            standing=Standing(seen=self.seen, checkpoints=checkpoints, current=checkpoints[-1]),
            timings=tuple(Timing(stage="", seconds=1, cached=False, key=k) for k in keys),
        )

    def pruned(self, min_age_s: float = ALL) -> Leftovers:
        found = find_leftovers(self.root, min_age_s)
        remove_leftovers(found)
        return found

    def names(self, part: str) -> set[str]:
        return {f.uri.rpartition("/")[2] for f in listing(f"{self.root}/{INTERNAL}/{part}")}


def image_set(uri: str) -> ImageSet:
    row = ["id", uri, 8, 8, 4, None, None, None, None]
    return ImageSet(pd.DataFrame([row], columns=list(IMAGE_COLUMNS)), ("a",))


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Any) -> Store:
    if request.param == "folder":
        return Store(tmp_path.as_posix())
    service: SeaweedFS = request.getfixturevalue("object_store")
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    return Store(f"s3://edge/{tmp_path.name}")


def counts(found: Leftovers) -> dict[str, int]:
    return {kind: len(files) for kind, files in found.files.items() if files}


def test_what_a_run_refers_to_stays(store: Store) -> None:
    key = store.result("augmentation", store.seen)
    store.run("one", store.record(store.checkpoint(1), store.checkpoint(2), keys=(key,)))
    assert counts(store.pruned()) == {}
    assert len(store.names("objects")) == 5


def test_objects_are_followed_from_results_through_tables_to_copies(store: Store) -> None:
    """The result of a stage leads to a table of images, and that to a copy."""
    copy = write_bytes(store.root, b"another copy", ".png")
    mixed = write_value(store.root, image_set(copy.uri))
    key = store.result("mixing", mixed)
    store.run("one", store.record(store.checkpoint(1), keys=(key,)))
    store.pruned()
    assert exists(mixed)
    assert exists(copy)


def test_what_no_run_refers_to_goes(store: Store) -> None:
    store.run("one", store.record(store.checkpoint(1)))
    copy = write_bytes(store.root, b"another copy", ".png")
    mixed = write_value(store.root, image_set(copy.uri))
    store.result("mixing", mixed, store.seen)
    kept = store.result("split", store.seen)
    other = store.checkpoint(7)
    found = store.pruned()
    assert counts(found) == {"results": 1, "checkpoints": 1, "tables": 1, "images": 1}
    assert not any(map(exists, (copy, mixed, other.artifact)))
    assert store.names("results") == {kept}
    assert counts(store.pruned()) == {}


def test_runs_that_share_objects_keep_them_for_each_other(store: Store) -> None:
    store.run("one", store.record(store.checkpoint(1)))
    store.run("many/seed3", store.record(store.checkpoint(1), store.checkpoint(2)))
    lean = {"keep_checkpoints": "ensemble"}
    store.run("lean", store.record(store.checkpoint(1), store.checkpoint(2)), **lean)
    assert counts(store.pruned()) == {}


def test_what_is_young_stays_with_all_that_it_leads_to(store: Store, tmp_path: Path) -> None:
    store.run("one", store.record(store.checkpoint(1)))
    store.result("mixing", write_value(store.root, image_set("a.png")))
    found = store.pruned(DAY_S)
    assert counts(found) == {}
    assert {kind: len(files) for kind, files in found.young.items() if files} == {
        "results": 1,
        "tables": 1,
    }


def test_an_ensemble_keeps_what_looked_and_what_is_carried_on(store: Store) -> None:
    """Two of epochs 1 to 3 look: the first and the last; 4 was worse than 3."""
    made = [store.checkpoint(epoch) for epoch in (1, 2, 3, 4)]
    record = store.record(*made, keys=(store.result("training", *(c.artifact for c in made)),))
    best = record.standing.model_copy(
        update={"checkpoints": tuple(made[:3]), "current": made[2]}
    )
    record = record.model_copy(update={"standing": best})
    folder = store.run("lean", record, keep_checkpoints="ensemble")
    found = store.pruned()
    assert counts(found) == {"checkpoints": 2, "checkpoints in folders of runs": 1}
    assert [exists(c.artifact) for c in made] == [True, False, True, False]
    left = {file.uri.rpartition("/")[2] for file in listing(f"{folder}/checkpoints")}
    assert left == {"init_ckpt_1.pt", "init_ckpt_3.pt"}


@pytest.mark.parametrize(("state", "kind"), [("running", "folder"), ("completed", "inbox")])
def test_a_run_that_goes_on_keeps_what_later_ensembles_may_choose(
    state: str, kind: str, store: Store
) -> None:
    """One whose images arrive hour by hour is never over, also where every hour completed."""
    made = [store.checkpoint(epoch) for epoch in range(1, 11)]
    inference = {"conf_check_num": 2, "first_epoch_fraction": 0.4}
    config = {"keep_checkpoints": "ensemble", "inference": inference, "data": {"kind": kind}}
    store.run("lean", store.record(*made), state=state, **config)
    store.pruned()
    assert [c.epoch for c in made if exists(c.artifact)] == list(range(4, 11))


def test_versions_keep_what_a_rollback_starts_from(store: Store) -> None:
    """A rejected candidate keeps the checkpoint that was judged, and its images for tests."""
    made = [store.checkpoint(epoch) for epoch in (1, 2, 3, 4, 5)]
    drawn = write_value(store.root, pd.DataFrame({"image_id": ["a"]}))
    record = store.record(made[0], made[1])
    tests = (Drawn(images=drawn, chances=store.table, n_images=1),)
    standing = record.standing.model_copy(update={"drawn": tests})
    record = record.model_copy(update={"standing": standing})
    store.run("lean", record, keep_checkpoints="ensemble")
    card = Card(
        version=0,
        run="lean",
        method="iqr",
        batch=0,
        checkpoints=(made[0], made[1], made[3], made[4]),
        current=made[4],
        seen=store.seen,
        evaluation=store.table,
    )
    register(RegistryFiles(RunFiles(store.root, "lean")), card)
    store.pruned()
    assert [exists(c.artifact) for c in made] == [True, True, False, False, True]
    assert exists(drawn)


def test_findings_and_lists_keep_what_they_refer_to(store: Store) -> None:
    store.run("one", store.record(store.checkpoint(1)))
    files = RunFiles(store.root, "one")
    table = write_value(store.root, pd.DataFrame({"conf": [0.5]}))
    names = write_value(store.root, pd.DataFrame({"name": ["a"]}))
    finding = Finding(name="series", title="", columns=(), rows=())
    FINDING.write(
        files.finding("series"), StoredFinding(finding=finding, tables={"a.csv": table})
    )
    WAITING.write(files.waiting("iqr0"), Waiting(files=names))
    assert counts(store.pruned()) == {}
    assert exists(table)
    assert exists(names)


def test_a_record_of_a_newer_version_ends_it(store: Store) -> None:
    store.run("one", store.record(store.checkpoint(1)))
    place = RunFiles(store.root, "one").round("init")
    replace(place, read_uri(place).replace(b'"schema": 1', b'"schema": 2'))
    with pytest.raises(InputError, match=r"init\.json: written by a newer version"):
        find_leftovers(store.root, ALL)


def test_nothing_goes_while_something_runs(store: Store) -> None:
    store.result("mixing", store.seen)
    found = find_leftovers(store.root, ALL)
    with lease(store.root, "run-tiny", lambda holder, waited_s: None):
        with pytest.raises(InputError, match=f"run-tiny is .* in process {os.getpid()}"):
            find_leftovers(store.root, ALL)
        with pytest.raises(InputError, match="under way"):
            remove_leftovers(found)
    assert exists(store.seen)
    store.pruned()
    assert not exists(store.seen)


def test_a_lease_of_another_version_is_told_of_in_one_line(store: Store) -> None:
    replace(f"{store.root}/{INTERNAL}/leases/run=a=.json", b'{"host": "old"}')
    with pytest.raises(StoreError, match="is no lease of this version"):
        find_leftovers(store.root, ALL)


def test_leases_and_states_of_what_is_no_more_go(store: Store) -> None:
    late = datetime.now(UTC) - timedelta(seconds=2 * ABANDONED_S)
    holder = Holder.me().model_copy(update={"renewed": late, "machine": "gone"})
    replace(f"{store.root}/{INTERNAL}/leases/run-a/seed1.json", holder.encoded)
    kept = store.checkpoint(3)
    place = f"{store.root}/{INTERNAL}/resume/training-v1-{DIGEST}"
    replace(f"{place}/state.json", kept.model_dump_json().encode())
    replace(f"{place}/state-3.pt", b"state")
    assert counts(store.pruned(DAY_S)) == {"leases": 1}
    assert exists(kept.artifact)
    assert counts(store.pruned())["states of trainings"] == 2
    assert not exists(kept.artifact)


def test_a_place_without_a_store_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no store"):
        find_leftovers(tmp_path.as_posix(), ALL)


def test_files_of_the_user_and_unfinished_ones(tmp_path: Path) -> None:
    """Old files that were not written to their end go, but never a part of a young state."""
    store = Store(tmp_path.as_posix())
    folder = Path(store.run("one", store.record(store.checkpoint(1))))
    mine = [tmp_path / "inbox/cam/a.jpg", tmp_path / "labels/cam/a.txt", folder / "notes.txt"]
    mine += [tmp_path / "inbox/cam/b.jpg.partial", tmp_path / INTERNAL / "data/digits-1/a.png"]
    mine.append(Path(data_root_place(store.root, DIGEST)))  # where a data set lies
    old = [folder / "summary.csv.1.partial", tmp_path / INTERNAL / "objects/00/x.pt.2.partial"]
    young = folder / "run.json.3.partial"
    state = tmp_path / INTERNAL / "resume" / f"training-v1-{DIGEST}"
    for path in (*mine, *old, young, state / "state.json", state / "state-1.pt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    long_ago = time.time() - 2 * DAY_S
    for path in (*old, state / "state-1.pt"):
        os.utime(path, (long_ago, long_ago))
    assert counts(store.pruned(DAY_S)) == {"unfinished files": 2}
    assert all(path.exists() for path in (*mine, young, state / "state-1.pt"))
    store.pruned()
    assert all(path.exists() for path in mine)


def test_a_damaged_result_stops_nothing(tmp_path: Path) -> None:
    results = tmp_path / ".backhaul" / "results"
    results.mkdir(parents=True)
    for name, content in (("a" * 32, b""), ("b" * 32, b"{"), ("c" * 32, b"\xff\xfe")):
        (results / name).write_bytes(content)
    found = find_leftovers(str(tmp_path), min_age_s=0)
    assert found.files["results"] == ()  # what is not understood stays


def test_what_an_unfinished_study_has_used_stays(store: Store) -> None:
    """Its table says what it found: once it is finished, it needs nothing of the store."""
    model, other = store.checkpoint(1), store.checkpoint(2)
    used = store.result("training", model.artifact, store.seen)
    store.result("mixing", other.artifact)
    needs = Needs(store.root, "one", 2)
    needs.note([used])
    assert counts(store.pruned()) == {"results": 1, "checkpoints": 1, "tables": 1}
    assert store.names("results") == {used}
    assert exists(model.artifact)
    assert exists(store.images)  # through the table that the result names
    assert not exists(other.artifact)
    again = Needs(store.root, "one", 1)  # a second start
    assert counts(store.pruned()) == {}
    again.note([])
    assert counts(store.pruned()) == {"results": 1, "checkpoints": 1, "tables": 1, "images": 1}
