import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backhaul.campaign.importing import import_run, import_runs, run_folders
from backhaul.errors import InputError


def test_reads_what_a_run_wrote(fake_run: Callable[..., Any]) -> None:
    fake = fake_run()
    run = import_run(fake.write())
    assert [(r.method, r.batch) for r in run.batches] == [
        (m, b) for m in fake.methods for b in (0, 1, 2)
    ]
    first = run.batches[0]
    assert len(first.pool) == fake.pool
    assert len(first.sent) == fake.sent
    assert set(first.sent) <= set(first.pool)
    assert set(first.reasons) == set(first.sent)
    assert set(first.seen["hit"]) == {True, False}
    assert set(run.losses) == {("init", None)} | {(r.method, r.batch) for r in run.batches}
    assert run.summary["batch"].isna().sum() == 2


def test_names_that_look_like_nulls_or_numbers_are_words(
    fake_run: Callable[..., Any],
) -> None:
    folder = fake_run(class_names=("NA", "7", "null"), batches=1).write()
    run = import_run(folder)
    assert set(run.classes["class"]) == {"NA", "7", "null"}
    assert set(run.batches[0].seen["actual"].dropna()) <= {"NA", "7", "null"}


def test_without_truth_nothing_is_a_miss(fake_run: Callable[..., Any]) -> None:
    run = import_run(fake_run(truth=False, batches=1).write())
    assert run.batches[0].seen["hit"].isna().all()


def test_one_label_may_begin_another(fake_run: Callable[..., Any]) -> None:
    fake = fake_run(methods=("iqr", "iqr1a"), batches=2)
    run = import_run(fake.write())
    assert [(r.method, r.batch) for r in run.batches] == [
        ("iqr", 0),
        ("iqr", 1),
        ("iqr1a", 0),
        ("iqr1a", 1),
    ]


def test_of_several_epochs_the_last_counts(fake_run: Callable[..., Any]) -> None:
    folder = fake_run(methods=("iqr",), batches=1).write()
    (folder / "output/iqr0_sample_9.txt").write_text("stale.jpg\n")
    (folder / "output/iqr0_sample_100.txt").write_text("new.jpg\n")
    assert import_run(folder).batches[0].sent == ("new.jpg",)


def test_a_young_run_has_only_its_record(fake_run: Callable[..., Any]) -> None:
    fake = fake_run()
    fake.folder.mkdir(parents=True)
    (fake.folder / "run.json").write_text(json.dumps(fake.record() | {"state": "running"}))
    (fake.folder / "summary.csv").touch()
    run = import_run(fake.folder)
    assert run.batches == ()
    assert run.summary.empty
    assert run.classes.empty
    assert run.losses == {}


def test_the_rounds_of_one_that_goes_on_are_in_a_file_of_their_own(
    fake_run: Callable[..., Any],
) -> None:
    folder = fake_run(batches=1).write()
    whole = import_run(folder)
    known = json.loads((folder / "run.json").read_text())
    rounds = {key: known.pop(key) for key in ("trainings", "timings")}
    (folder / "run.json").write_text(json.dumps(known))
    assert import_run(folder).trainings == ()
    (folder / "rounds.json").write_text(json.dumps(rounds))
    again = import_run(folder)
    assert (again.trainings, again.timings) == (whole.trainings, whole.timings)
    assert whole.trainings


def test_a_running_run_may_not_list_its_methods_yet(fake_run: Callable[..., Any]) -> None:
    folder = fake_run(methods=("iqr",), batches=2).write()
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"state": "running", "methods": {}}))
    run = import_run(folder)
    assert run.labels == ("iqr",)
    assert [r.batch for r in run.batches] == [0, 1]


def test_a_round_that_awaits_its_labels_has_no_benchmark(fake_run: Callable[..., Any]) -> None:
    folder = fake_run(methods=("iqr",), batches=2).write()
    (folder / "output/iqr1_benchmark_avg_1_20.csv").unlink()
    last = import_run(folder).batches[-1]
    assert last.batch == 1
    assert len(last.sent) == 5
    assert last.seen.empty


def test_label_of_the_random_arm_comes_from_the_config(fake_run: Callable[..., Any]) -> None:
    folder = fake_run().write()
    record = json.loads((folder / "run.json").read_text())
    assert import_run(folder).random_label == "true-random"
    record["config"]["methods"] = [{"kind": "true-random", "label": "baseline"}]
    (folder / "run.json").write_text(json.dumps(record))
    assert import_run(folder).random_label == "baseline"


@pytest.mark.parametrize("text", [None, "{", "[]", '{"name": "a"}'])
def test_a_folder_without_a_record_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json: .+; expected") as caught:
        import_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_is_read_alone_and_several_seeds_by_number(
    fake_run: Callable[..., Any],
) -> None:
    fake = fake_run(methods=("iqr",), batches=1, seeds=(10, 2))
    folder = fake.write()
    (folder / "seedling").mkdir()
    (folder / "seedling" / "run.json").write_text("{}")
    (folder / "seed3").mkdir()  # has not begun
    runs = import_runs(folder)
    assert [run.name for run in runs] == [f"street-cameras/seed{k}" for k in (2, 10)]
    assert [run.place for run in import_runs(folder / "seed2")] == [f"{folder}/seed2"]
    assert run_folders(folder / "seed3") == ()


def test_a_folder_without_any_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the folder of a run"):
        import_runs(tmp_path)
