"""What a campaign will take: numbers that can be checked by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.rounds import write_round
from backhaul.campaign.setting import Setting
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from backhaul.storage.objects import replace
from backhaul.upkeep.experience import Experience, experience_of
from backhaul.upkeep.forecast import Images, images_of
from backhaul.upkeep.plan import Plan, free_bytes, plan
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import LookedUp, Timing, TrainingResult
from flows.arguments import opened
from flows.preparation import prepare
from flows.rehearsal import rehearse

CONFIG: dict[str, Any] = {
    "name": "planned",
    "data": {"kind": "digits", "images": 60, "size_px": 64},
    "initial": {"images": 16, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": 12, "holdout_batches": 1, "train": 0.6, "valid": 0.2},
    "bandwidth": {"images": 5},
    "methods": ["iqr", "true-random"],
    "augmentation": {"images_per_class": 6},
    "training": {"max_epochs": 10, "retrain_max_epochs": 4, "checkpoint_interval": 3},
    "parallel": 2,
}
KNOWN = Images(batches=2, counted=True, mean_bytes=1000.0, n_classes=5)
EXPERIENCE = Experience(
    runs=("earlier",), seconds_per_image=0.5, seconds_beside=7.0, checkpoint_bytes=100.0
)


def config(store: Path, **changes: Any) -> CampaignConfig:
    return opened(CampaignConfig.model_validate({**CONFIG, "store": str(store), **changes}))


def planned(
    store: Path,
    images: Images = KNOWN,
    stages: tuple[LookedUp, ...] = (),
    experience: Experience | None = EXPERIENCE,
    **changes: Any,
) -> Plan:
    return plan(config(store, **changes), images, (), stages, experience)


def test_trainings_epochs_and_images_are_counted_for_all_methods(tmp_path: Path) -> None:
    told = planned(tmp_path)
    assert told.methods == ("iqr", "true-random", "no-new-data")
    assert (told.rounds, told.trainings, told.trainings_cached) == (7, 7, 0)
    assert told.epochs == 10 + 6 * 4
    assert told.images_sent == 2 * 2 * 5  # the control arm sends nothing
    assert told.bytes_sent == 20 * 1000


def test_time_and_disk_follow_from_what_earlier_rounds_took(tmp_path: Path) -> None:
    told = planned(tmp_path)
    first = 10 * (8 + 30) * 0.5 + 7
    retraining = 4 * (5 * 0.6 / 0.5 + 30) * 0.5 + 7
    control = 4 * 8 * 0.5 + 7
    assert told.seconds == pytest.approx(first + (4 * retraining + 2 * control) / 2)
    assert told.seconds_from == ("earlier",)
    assert told.checkpoint_bytes == (4 + 6 * 2) * 100
    assert told.copy_bytes == (1 + 4) * 30 * 1000


def test_what_is_not_known_is_not_invented(tmp_path: Path) -> None:
    unknown = Images(batches=2, counted=False, mean_bytes=None, n_classes=None)
    told = planned(tmp_path, images=unknown, experience=None)
    assert told.seconds is None
    assert (told.bytes_sent, told.checkpoint_bytes, told.copy_bytes) == (None, None, None)
    assert planned(tmp_path, images=unknown, bandwidth={"bytes": 900}).bytes_sent == 4 * 900


def test_a_cached_training_is_not_run(tmp_path: Path) -> None:
    stages = (
        LookedUp(stage="training", key="training-v1-a", cached=True),
        LookedUp(stage="evaluation", key="evaluation-v1-a", cached=False),
    )
    told = planned(tmp_path, stages=stages)
    assert (told.trainings, told.trainings_cached, told.epochs) == (6, 1, 24)
    assert told.ends_at == ("evaluation",)


def test_trials_are_counted_beside_the_trainings(tmp_path: Path) -> None:
    mixing = {"retrain_new": "auto", "candidates": [0.3, 1.0], "trial_length": 0.5}
    told = planned(tmp_path, mixing=mixing)
    assert (told.trainings, told.trials) == (7, 2 * 2 * 2)  # none of the control arm
    assert (told.epochs, told.trial_epochs) == (10 + 6 * 4, 8 * 2)
    first = 10 * (8 + 30) * 0.5 + 7
    retraining = 4 * (5 * 0.6 / 0.3 + 30) * 0.5 + 7  # at most
    trials = sum(2 * (5 * 0.6 / share + 30) * 0.5 for share in (0.3, 1.0))
    control = 4 * 8 * 0.5 + 7
    later = (4 * (retraining + trials) + 2 * control) / 2
    assert told.seconds == pytest.approx(first + later)
    assert told.checkpoint_bytes == (4 + 6 * 2 + 8) * 100
    assert told.copy_bytes == (1 + 4 + 8) * 30 * 1000
    trial = LookedUp(stage="trial", key="trial-v1-a", cached=True)
    assert planned(tmp_path, mixing=mixing, stages=(trial,)).trainings == 7


def test_a_campaign_from_a_checkpoint_trains_no_initial_model(tmp_path: Path) -> None:
    start = {"checkpoint": str(tmp_path / "init_ckpt_3.pt")}
    assert planned(tmp_path, start=start).trainings == 6


def test_an_empty_store_stays_empty(tmp_path: Path) -> None:
    campaign = config(tmp_path / "new")
    known = rehearse(campaign)
    images = images_of(campaign, known.setting)
    assert (known.setting, known.rounds, known.stages) == (None, (), ())
    assert images == Images(batches=2, counted=False, mean_bytes=None, n_classes=5)
    assert experience_of(campaign) is None
    assert free_bytes(campaign.store) is not None
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_is_missing_ends_with_a_reason(tmp_path: Path) -> None:
    data = {"kind": "folder", "root": str(tmp_path / "none")}
    with pytest.raises(InputError, match="none"):
        rehearse(config(tmp_path, data=data))


def test_experience_is_of_runs_with_the_same_model(tmp_path: Path) -> None:
    campaign = config(tmp_path)
    write_run(tmp_path, "same", campaign.training.model_dump(mode="json"), seconds=80.0)
    other = campaign.training.model_dump(mode="json") | {"model": "yolo11s"}
    write_run(tmp_path, "other", other, seconds=9999.0)
    found = experience_of(campaign)
    assert found is not None
    assert found.runs == ("same",)
    assert found.seconds_per_image == pytest.approx(80 / (4 * 10))
    assert found.seconds_beside == pytest.approx(85 + 3 - 80)  # what was cached took no time
    assert found.checkpoint_bytes is None
    write_run(tmp_path, "planned", campaign.training.model_dump(mode="json"), seconds=40.0)
    own = experience_of(campaign)
    assert own is not None
    assert own.runs == ("planned",)


def write_run(store: Path, name: str, training: dict[str, Any], seconds: float) -> None:
    """Write the record of a run with one training of 4 epochs with 10 images."""
    files = RunFiles(store.as_posix(), name)
    replace(files.config, json.dumps({"schema": 1, "training": training}).encode())
    nothing = Artifact(uri=f"{store}/.backhaul/objects/none.parquet", sha256="")
    checkpoint = Checkpoint(epoch=4, artifact=nothing)
    trained = TrainingResult(
        checkpoints=(checkpoint,),
        first_epoch=1,
        epochs=4,
        best_epoch=4,
        history=nothing,
        steps=nothing,
        stopped_because="",
        resumed=False,
        n_train=10,
        n_valid=2,
        seconds=seconds,
    )
    timings = (
        Timing(stage="training", seconds=seconds + 5, cached=False),
        Timing(stage="evaluation", seconds=3.0, cached=False),
        Timing(stage="data", seconds=50.0, cached=True),
    )
    standing = Standing(seen=nothing, checkpoints=(checkpoint,), current=checkpoint)
    record = RoundRecord(
        method="init",
        batch=None,
        training=trained,
        evaluation=nothing,
        standing=standing,
        timings=timings,
    )
    write_round(files, record)


@pytest.mark.prefect
@pytest.mark.usefixtures("prefect_server")
def test_the_cache_is_followed_to_the_first_stage_that_is_missing(tmp_path: Path) -> None:
    campaign = config(tmp_path)

    @flow
    def preparing() -> Setting:
        return prepare(campaign)[0]

    setting = preparing()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    known = rehearse(campaign)
    assert known.setting == setting
    assert [look.stage for look in known.stages if not look.cached] == ["augmentation"]
    assert len(known.stages) == 7
    images = images_of(campaign, known.setting)
    assert (images.batches, images.counted, images.n_classes) == (2, True, 5)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    other = rehearse(campaign.model_copy(update={"seed": 9}))
    assert [look.cached for look in other.stages] == [True, False]
    Path(setting.dataset.uri).unlink()
    assert [look.cached for look in rehearse(campaign).stages] == [False]
