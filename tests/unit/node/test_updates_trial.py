"""What a model must do in its trial, and at its work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backhaul.errors import InputError
from backhaul.look.onnxcontent import require_self_contained
from backhaul.node.updates.errors import RefusedError
from backhaul.node.updates.probe import TOLERANCES, Probe, agreement, f1
from backhaul.node.updates.trial import Answer, Limits, Task, tried, try_model
from backhaul.node.updates.watch import CLEAN, LEAST_TIMES, Watch
from tests.publishing import Publisher, Taker
from tests.tinymodels import tiny_model, with_external_data

LIMITS = Limits(look_s=5.0, most_drop=0.1)
ENDLESS = 2**40


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    return Publisher(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def probe(publisher: Publisher) -> Probe:
    return publisher.probe(tiny_model())


def task(folder: Path, model: bytes, probe: Probe, before: bytes | None = None) -> Task:
    for name, data in (("m", model), ("b", before or b""), ("p", b"")):
        (folder / name).write_bytes(data or probe.model_dump_json().encode())
    return Task(
        model=folder / "m",
        sha256="",
        probe=folder / "p",
        before=folder / "b" if before else None,
        threads=1,
        most_bytes=2 * 10**9,
        trial_s=120.0,
    )


def test_a_good_model_passes_in_a_process_of_its_own(tmp_path: Path, probe: Probe) -> None:
    try_model(task(tmp_path, tiny_model(), probe), LIMITS)


def test_a_model_that_hangs_is_ended(tmp_path: Path, probe: Probe) -> None:
    endless = task(tmp_path, tiny_model(rounds=ENDLESS), probe)
    with pytest.raises(RefusedError, match="not over after 6 s"):
        try_model(endless.model_copy(update={"trial_s": 6.0}), LIMITS)


def test_a_model_that_takes_too_much_memory_is_refused(tmp_path: Path, probe: Probe) -> None:
    little = task(tmp_path, tiny_model(), probe).model_copy(update={"most_bytes": 30_000_000})
    with pytest.raises(RefusedError):
        try_model(little, LIMITS)


def test_a_trial_that_dies_is_a_refusal_and_sees_no_keys(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nenv > {tmp_path}/env\nkill -SEGV $$\n")
    python.chmod(0o700)
    monkeypatch.setattr("backhaul.node.updates.trial.sys.executable", str(python))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(RefusedError, match="crashed"):
        try_model(task(tmp_path, tiny_model(), probe), LIMITS)
    assert "PATH=" in (tmp_path / "env").read_text()
    assert "secret" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (b"no model at all", "not a model"),
        (tiny_model()[:400], "not a model"),
        (tiny_model(0.8), "boxes in probe images are not as at home"),
        (tiny_model(classes=("car",)), "boxes in probe images are not as at home"),
        (tiny_model(domain="com.odd"), "not a model"),
        (with_external_data(tiny_model()), "not a model"),
    ],
)
def test_what_a_trial_says(tmp_path: Path, probe: Probe, model: bytes, said: str) -> None:
    assert said in tried(task(tmp_path, model, probe)).refusal


def test_a_model_that_is_slow_or_worse_is_refused(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(answer: Answer) -> Callable[..., Answer]:
        return lambda *_: answer

    given = task(tmp_path, tiny_model(), probe)
    place = "backhaul.node.updates.trial._answer"
    monkeypatch.setattr(place, answered(Answer(p95_s=5.1)))
    with pytest.raises(RefusedError, match=r"95 % of looks take up to 5\.10 s"):
        try_model(given, LIMITS)
    monkeypatch.setattr(place, answered(Answer(f1=0.5, f1_before=0.7)))
    with pytest.raises(RefusedError, match=r"falls from 0\.70 to 0\.50"):
        try_model(given, LIMITS)
    monkeypatch.setattr(place, answered(Answer(p95_s=4.9, f1=0.65, f1_before=0.7)))
    try_model(given, LIMITS)


def test_f1_is_that_of_both_models_on_labelled_images(tmp_path: Path, probe: Probe) -> None:
    """The good one finds the object of each image; the blind one is not sure of anything."""
    good, blind = tiny_model(), tiny_model(0.3)
    labelled = tuple(
        image.model_copy(update={"labelled": ((0, *image.found[0][3:]),)})
        for image in probe.images
    )
    found = tried(task(tmp_path, good, probe.model_copy(update={"images": labelled}), blind))
    assert found.refusal == ""
    assert found.f1 == pytest.approx(2 / 3)  # its box is both a car, which is right, and a bus
    assert found.f1_before == 0.0


def test_boxes_agree_within_the_tolerance() -> None:
    home = np.array([[1, 0, 0.9, 0, 0, 10, 10], [1, 1, 0.105, 5, 5, 9, 9]], dtype=float)
    here = np.array([[1, 0, 0.895, 0, 0, 10, 10]], dtype=float)
    assert agreement(here, home, 0.1, TOLERANCES["fp32"]) == (2, 2)  # one so near to .1 is free
    moved = here + np.array([0, 0, 0, 0, 0, 0.7, 0])
    assert agreement(moved, home, 0.1, TOLERANCES["fp32"]) == (0, 2)
    assert agreement(moved, home, 0.1, TOLERANCES["int8"]) == (2, 2)
    assert agreement(here, home[1:], 0.1, TOLERANCES["fp32"]) == (0, 1)


def test_f1_by_hand() -> None:
    """Three boxes, two objects: one is hit, one box is a second one on it, one misses."""
    found = np.array(
        [
            [1, 0, 0.9, 0, 0, 10, 10],
            [1, 0, 0.8, 0, 0, 10, 9],
            [1, 1, 0.7, 50, 50, 60, 60],
            [1, 0, 0.1, 20, 20, 30, 30],
        ]
    )
    objects = np.array([[0, 0, 0, 10, 10], [0, 20, 20, 30, 30]], dtype=float)
    assert f1(found, objects) == (2, 5)
    assert f1(found[:0], objects[:0]) == (0, 0)


def test_a_model_needs_no_other_file_and_no_other_operators() -> None:
    require_self_contained(tiny_model(), "m")
    with pytest.raises(InputError, match="m: has weights in another file"):
        require_self_contained(with_external_data(tiny_model()), "m")
    with pytest.raises(InputError, match=r"operator of com\.odd"):
        require_self_contained(tiny_model(domain="com.odd"), "m")
    for data in (tiny_model()[:-1], b"\xff" * 40, b"no model"):
        with pytest.raises(InputError, match="no whole ONNX file"):
            require_self_contained(data, "m")


def test_a_model_that_failed_is_never_fetched_again(
    publisher: Publisher, tmp_path: Path
) -> None:
    wrong = publisher.probe(tiny_model(0.5))
    publisher.put(tiny_model(0.6), wrong)  # what it finds at home is not what it finds here
    taker = Taker(publisher, tmp_path)
    with pytest.raises(RefusedError, match="not as at home"):
        taker.check()
    assert not list((tmp_path / "models").glob("*.onnx"))
    again = Taker(publisher, tmp_path)  # after a restart
    with pytest.raises(RefusedError, match=r"failed here: .* not as at home"):
        again.check()
    assert not list((tmp_path / "models").glob("*.onnx"))


# At its work


def looks(watch: Watch, n: int) -> None:
    for _ in range(n):
        with watch.look():
            pass


def test_three_deaths_in_looks_are_the_models_fault(tmp_path: Path) -> None:
    marker = tmp_path / "looking"
    for deaths in range(3):
        watch = Watch(marker, 1.0)
        assert watch.verdict == ""
        look = watch.look()
        look.__enter__()  # and the process dies
        assert marker.read_text() == str(deaths)
        del look
        marker.write_text(str(deaths))
    assert "died 3 times" in Watch(marker, 1.0).verdict


def test_deaths_between_looks_and_long_ago_are_not(tmp_path: Path) -> None:
    marker = tmp_path / "looking"
    marker.write_text("1")
    watch = Watch(marker, 1.0)
    looks(watch, CLEAN)
    assert not marker.exists()
    look = watch.look()
    look.__enter__()
    assert Watch(marker, 1.0).verdict == ""
    assert marker.exists()
    del look


def test_a_model_that_becomes_slow_has_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("backhaul.node.updates.watch.time.perf_counter", lambda: clock[0])
    watch = Watch(tmp_path / "looking", look_s=1.0)

    def look(seconds: float) -> None:
        with watch.look():
            clock[0] += seconds

    for _ in range(LEAST_TIMES):
        look(0.5)
    look(30.0)  # one that was disturbed is none
    assert watch.verdict == ""
    for _ in range(16):
        look(1.5)
    assert "95 % of looks take up to 1.50 s" in watch.verdict


def test_three_failures_in_a_row_have_a_model_go(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "looking", 1.0)
    for number in range(5):
        with pytest.raises(ZeroDivisionError), watch.look():
            _ = 1 / 0
        if number == 1:
            looks(watch, 1)
    assert "3 looks in a row failed: division by zero" in watch.verdict
