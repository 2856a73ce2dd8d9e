"""A run goes out in the layout of the earlier tool, and comes back by its lists."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backhaul.errors import InputError
from backhaul.layout import RunFiles
from backhaul.storage.checksums import CHECKSUM

pytestmark = [pytest.mark.prefect, pytest.mark.train]

METHODS = ("random", "true-random", "no-new-data")
COLUMNS = ["file", "detected", "actual", "conf", "conf_std", "hit"]


@dataclass(frozen=True)
class Export:
    """A run, and what came of it."""

    run: Any
    folder: Path
    ended: Any


@pytest.fixture(scope="module")
def exported(played: Any) -> Export:
    folder = played.place.folder / "earlier" / "layout"
    ended = played.place.backhaul("export", "tiny", folder)
    return Export(played.run, folder, ended)


def read(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_the_layout_is_whole(exported: Export) -> None:
    assert exported.ended.code == 0, exported.ended.err
    folder = exported.folder
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    expected = {"classes.txt", "retrain.cfg", "output/holdout.txt"}
    expected |= {"log/init_training.csv", "log/init_steps.csv"}
    expected |= {f"output/init_{part}.txt" for part in ("train", "valid", "test")}
    expected |= {f"output/sample{batch}.txt" for batch in (0, 1, 2)}
    expected |= {f"checkpoints/init_ckpt_{e}.{s}" for e in (1, 2, 3) for s in ("pt", "pth")}
    for method in METHODS:
        for batch, epoch in ((0, 3), (1, 4)):
            prefix = f"{method}{batch}"
            expected |= {f"output/{prefix}_{part}.txt" for part in ("train", "valid", "test")}
            expected |= {
                f"output/{prefix}_sample_{epoch}.txt",
                f"output/{prefix}_benchmark_avg_1_{epoch}.csv",
                f"log/{prefix}_training.csv",
                f"log/{prefix}_steps.csv",
                f"checkpoints/{method}_ckpt_{epoch + 1}.pt",
                f"checkpoints/{method}_ckpt_{epoch + 1}.pth",
            }
    events = {name for name in names if "/events.out.tfevents." in name}
    assert len(events) == 7
    assert names - events == expected
    assert [p.name for p in folder.parent.iterdir()] == ["layout"]


def test_tables_and_lists_are_those_of_the_run(exported: Export) -> None:
    output, mine = exported.folder / "output", exported.run.folder / "output"
    for path in output.glob("*.txt"):
        assert path.read_text() == (mine / path.name).read_text()
    for path in output.glob("*.csv"):
        table = pd.read_csv(path)
        assert list(table.columns) == COLUMNS
        pd.testing.assert_frame_equal(table, pd.read_csv(mine / path.name)[COLUMNS])
    assert read(exported.folder / "classes.txt") == exported.run.json["class_names"]
    assert "img_size = 64" in read(exported.folder / "retrain.cfg")


def test_weights_are_those_that_ultralytics_opens(exported: Export) -> None:
    from ultralytics.nn.tasks import load_checkpoint

    checkpoints = exported.folder / "checkpoints"
    weights = torch.load(checkpoints / "random_ckpt_5.pth", weights_only=True)
    model, _ = load_checkpoint(checkpoints / "random_ckpt_5.pt")
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(weights[name], t) for name, t in model.state_dict().items())
    assert {t.dtype for t in weights.values()} == {torch.float32, torch.int64}
    model.load_state_dict(weights)
    stored = exported.run.folder / "checkpoints" / "random_ckpt_5.pt"
    assert not stored.samefile(
        checkpoints / "random_ckpt_5.pt"
    )  # or an edit would harm the store


def test_event_files_hold_what_the_run_says(exported: Export) -> None:
    for folder in (exported.folder / "log", exported.run.folder / "logs" / "tensorboard"):
        events = EventAccumulator(str(folder / "random1"))
        events.Reload()
        summary = exported.run.summary.set_index(["method", "batch", "test_set"])
        row = summary.loc[("random", 1, "common")]
        (event,) = events.Scalars("common/mAP50")
        assert (event.step, event.value) == (row["epoch"], pytest.approx(row["mAP50"]))
        history = pd.read_csv(exported.run.folder / "logs" / "random1_training.csv")
        losses = [(e.step, e.value) for e in events.Scalars("train_loss")]
        assert losses == [(5, pytest.approx(history["train_loss"][0]))]


def test_an_export_needs_an_empty_folder_and_a_run(exported: Export, played: Any) -> None:
    before = read(exported.folder / "classes.txt")
    again = played.place.backhaul("export", "tiny", exported.folder)
    assert "layout: is not empty; expected a new or empty folder" in again.one_error()
    assert read(exported.folder / "classes.txt") == before
    missing = played.place.backhaul("export", "no-such-run", "new")
    assert "no-such-run: no run there" in missing.one_error()
    assert not (played.place.folder / "new").exists()


def test_without_its_store_nothing_of_a_run_is_written(
    exported: Export, played: Any, tmp_path: Path
) -> None:
    from backhaul.cli.export import export

    store = tmp_path / "moved"
    shutil.copytree(played.run.records, store / ".backhaul" / "runs" / "tiny")
    with pytest.raises(
        InputError, match=r"gone from the store; expected it in the store .*moved"
    ):
        export(f"{store}/runs/tiny", tmp_path / "new")
    shutil.copytree(played.run.folder, tmp_path / "mailed")
    with pytest.raises(InputError, match=r"mailed: expected in its store"):
        export(str(tmp_path / "mailed"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_checkpoints_of_a_detector_of_ones_own_are_copied_as_they_are(
    exported: Export, played: Any, tmp_path: Path
) -> None:
    from backhaul.campaign.export import export_run

    files = RunFiles(str(played.place.folder), "own")
    shutil.copytree(played.run.records, files.records)
    for record in Path(files.records).glob("rounds/*.json"):
        known = json.loads(record.read_text().replace('"detector": ""', '"detector": "ab"'))
        record.write_text(json.dumps({k: v for k, v in known.items() if k != CHECKSUM}))
    calls: list[tuple[int, int]] = []
    export_run(files, tmp_path / "new", lambda done, total: calls.append((done, total)))
    shutil.rmtree(files.records)
    found = sorted(path.name for path in (tmp_path / "new" / "checkpoints").iterdir())
    assert len(found) == 3 + 2 * len(METHODS)
    assert {Path(name).suffix for name in found} == {".pt"}
    assert calls == [(done, 9) for done in range(10)]


def test_lists_of_an_export_play_the_same_again(
    exported: Export, played: Any, in_process: Callable[[Path], Any]
) -> None:
    """The same images in the same order: all that follows comes from the cache.

    What the config says of the sizes of the initial set and the batches plays no part.
    """
    output = str(exported.folder / "output")
    again = {"kind": "listed", "folder": output, "of": "random"}
    config = played.place.config(
        "again",
        lists=output,
        methods=[again, "true-random"],
        control=False,
        initial__images=5,
        batches__sampling_batch=3,
    )
    state = in_process(config)
    assert state.is_completed(), state.message
    run = played.place.run("again")
    for part in ("train", "valid", "test"):
        name = f"init_{part}.txt"
        assert run.listed(name) == played.run.listed(name)
    for batch, epoch in ((0, 3), (1, 4)):
        name = f"sample{batch}.txt"
        assert run.listed(name) == played.run.listed(name)
        sent = f"_sample_{epoch}.txt"
        theirs = played.run.listed(f"random{batch}{sent}")
        assert run.listed(f"listed-random{batch}{sent}") == theirs
    assert run.listed("holdout.txt") == played.run.listed("holdout.txt")
    assert run.json["data"]["unlisted"] == 0
    assert run.computed(None) == {"batches"}
    assert run.computed("init", "true-random") == set()
    assert run.computed("listed-random") == {"sampling"}
