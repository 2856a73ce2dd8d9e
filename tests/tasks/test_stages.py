from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prefect import flow

from backhaul.storage.objects import read_bytes, write_bytes
from backhaul.values.artifacts import Artifact
from backhaul.values.results import Timing
from tasks.stage import Step, stage, stage_key, timed

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


@stage("test-draw", random=True)
def draw(n: int, *, step: Step) -> Artifact:
    return write_bytes(step.root, step.rng("test").integers(256, size=n).tobytes(), ".bin")


@stage("test-look", random=False)
def look(data: Artifact, *, step: Step) -> Artifact:
    return write_bytes(step.root, f"{step.method} {stage_key()}".encode(), ".txt")


def call(
    stage_: Callable[..., object], argument: object, *steps: Step
) -> list[tuple[object, Timing]]:
    """Call a stage once for each step, in a flow, and return results with their timings."""

    @flow
    def calls() -> list[tuple[object, Timing]]:
        with timed() as timings:
            results = [stage_(argument, step=step) for step in steps]
        return list(zip(results, timings, strict=True))

    return calls()


def test_a_stage_is_run_once_for_the_same_seed_and_batch(tmp_path: Path) -> None:
    steps = [
        Step(root=str(tmp_path), seed=1, batch=0),
        Step(root=str(tmp_path), seed=1, batch=0, method="iqr", threads=9, device="cpu"),
        Step(root=str(tmp_path), seed=1, batch=1),
        Step(root=str(tmp_path), seed=2, batch=0),
    ]
    results = call(draw, 8, *steps)
    assert [timing.cached for _, timing in results] == [False, True, False, False]
    assert len({result for result, _ in results}) == 3
    first = np.frombuffer(read_bytes(results[0][0]), dtype=np.int64)  # type: ignore[arg-type]
    assert first.tolist() == steps[0].rng("test").integers(256, size=8).tolist()


def test_a_stage_without_chance_is_shared_by_all_methods(tmp_path: Path) -> None:
    data = write_bytes(str(tmp_path), b"x", ".bin")
    steps = [Step(root=str(tmp_path), seed=s, batch=s, method=f"m{s}") for s in range(3)]
    results = call(look, data, *steps)
    assert [timing.cached for _, timing in results] == [False, True, True]
    assert {result for result, _ in results} == {results[0][0]}
    assert read_bytes(results[0][0]).startswith(b"m0 test-look-v1-")  # type: ignore[arg-type]


def test_a_cached_result_whose_object_is_gone_is_a_miss(tmp_path: Path) -> None:
    step = Step(root=str(tmp_path), seed=5, batch=3)
    ((first, _),) = call(draw, 4, step)
    assert isinstance(first, Artifact)
    Path(first.uri).unlink()
    results = call_once_more(step)
    assert results == first
    assert read_bytes(first)


def call_once_more(step: Step) -> object:
    @flow
    def again() -> object:
        return draw(4, step=step)

    return again()


def test_what_led_to_a_result_goes_once_the_result_is_stored(tmp_path: Path) -> None:
    stored: list[bool] = []

    def clear_up(step: Step, key: str) -> None:
        stored.append((Path(step.root) / ".backhaul" / "results" / key).exists())

    @stage("test-clear", random=True, after=clear_up)
    def compute(n: int, *, step: Step) -> Artifact:
        assert not stored
        return write_bytes(step.root, bytes([n]), ".bin")

    call(compute, 1, Step(root=str(tmp_path), seed=1))
    assert stored == [True]


def test_what_led_to_a_result_stays_where_it_fails(tmp_path: Path) -> None:
    cleared: list[str] = []

    @stage("test-fail", random=True, after=lambda step, key: cleared.append(key))
    def fail(n: int, *, step: Step) -> Artifact:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        call(fail, 1, Step(root=str(tmp_path), seed=1))
    assert not cleared
