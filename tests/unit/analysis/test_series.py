"""Which checkpoints are measured on which images, and the findings made of what was measured.

Defects 32 and 34 cannot occur here: an ensemble is divided by the checkpoints that there are,
and the initial series is measured like all others.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from backhaul.analysis.series import (
    SET_NAMES,
    BatchesPlan,
    Mode,
    Played,
    Point,
    Schedule,
    SeriesPlan,
    every,
)
from backhaul.analysis.series_charts import COLUMNS, finding_of
from backhaul.campaign.finding import Finding, Mark
from backhaul.cli.commands import app
from backhaul.errors import InputError
from backhaul.layout import run_at
from backhaul.look.ensemble import ensemble_epochs
from backhaul.measure.names import METRICS
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint

INSTANT = Mode()


def checkpoint(epoch: int, method: str = "init") -> Checkpoint:
    return Checkpoint(epoch=epoch, artifact=Artifact(uri="x", sha256=f"{method}{epoch}"))


def campaign(initial: int, **retrainings: list[int]) -> tuple[Played, ...]:
    """A campaign of `initial` epochs, then so many a batch; 0 where nothing was sent."""
    first = tuple(checkpoint(e) for e in range(1, initial + 1))
    rounds = [Played("init", None, first)]
    for method, lengths in retrainings.items():
        past = first
        for batch, n in enumerate(lengths):
            last = past[-1].epoch
            past += tuple(checkpoint(last + i, method) for i in range(1, n + 1))
            rounds.append(Played(method, batch, past))
    return tuple(rounds)


pasts = st.sets(st.integers(1, 60), min_size=1).map(
    lambda epochs: tuple(checkpoint(e) for e in sorted(epochs))
)
campaigns = st.builds(
    lambda initial, iqr, rand: campaign(initial, iqr=iqr, rand=rand),
    st.integers(1, 8),
    st.lists(st.integers(0, 5), max_size=4),
    st.lists(st.integers(0, 5), max_size=4),
)
arrivals = st.builds(Schedule, st.integers(4, 6), st.integers(0, 2))


@given(pasts, st.sampled_from([0.0, 0.4]))
def test_one_checkpoint_on_average_or_rolling_is_the_last(
    past: tuple[Checkpoint, ...], fraction: float
) -> None:
    for mode in (INSTANT, Mode(kind="avg", count=1), Mode(kind="roll", count=1)):
        assert mode.looking(past, fraction) == past[-1:]


@given(pasts, st.integers(1, 70), st.sampled_from([0.0, 0.4]))
def test_modes_take_as_many_checkpoints_of_the_past_as_they_say(
    past: tuple[Checkpoint, ...], count: int, fraction: float
) -> None:
    rolling = Mode(kind="roll", count=count).looking(past, fraction)
    assert rolling == tuple(past[max(len(past) - count, 0) :])
    average = Mode(kind="avg", count=count).looking(past, fraction)
    epochs = tuple(c.epoch for c in average)
    assert epochs == ensemble_epochs([c.epoch for c in past], count, fraction)
    assert set(average) <= set(past)
    if count >= len(past) and not fraction:
        assert average == rolling == past


@given(pasts, st.integers(1, 20))
def test_every_delta_epochs_and_always_the_last(
    made: tuple[Checkpoint, ...], delta: int
) -> None:
    epochs = [c.epoch for c in every(made, delta)]
    assert epochs[-1] == made[-1].epoch
    assert (np.diff(epochs) >= delta).all()
    left_out = {c.epoch for c in made} - set(epochs)
    assert all(any(abs(e - c) < delta for c in epochs) for e in left_out)
    assert every((), delta) == ()


@given(campaigns, arrivals, st.integers(1, 4), st.sampled_from(["instant", "avg", "roll"]))
def test_each_checkpoint_is_measured_once_and_none_of_the_future_looks(
    rounds: tuple[Played, ...], arriving: Schedule, count: int, kind: Any
) -> None:
    mode = Mode(kind=kind, count=count)
    plan = SeriesPlan(sets=("init", "all_iter"), mode=mode)
    points = plan.points(rounds, arriving)
    lasts = [point.looking[-1] for point in points]
    assert len(lasts) == len(set(lasts))
    assert set(lasts) == {c for played in rounds for c in played.past}
    for point in points:
        assert [c.epoch for c in point.looking] == sorted(c.epoch for c in point.looking)
        assert point.epoch == point.looking[-1].epoch
        assert all(c.artifact.sha256.startswith(("init", point.method)) for c in point.looking)
    for played in rounds:
        of_round = [p for p in points if (p.method, p.batch) == (played.method, played.batch)]
        assert {p.looking[-1] for p in of_round} <= set(played.past)


@given(campaigns, arrivals, st.integers(1, 9))
def test_the_last_of_every_training_is_measured(
    rounds: tuple[Played, ...], arriving: Schedule, delta: int
) -> None:
    points = SeriesPlan(delta=delta).points(rounds, arriving)
    assert {played.past[-1] for played in rounds} <= {p.looking[-1] for p in points}


@given(campaigns, arrivals, st.data())
def test_no_benchmark_takes_the_name_of_another(
    rounds: tuple[Played, ...], arriving: Schedule, data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, len(arriving.parts)))
    plans: tuple[SeriesPlan | BatchesPlan, ...] = (
        SeriesPlan(sets=SET_NAMES, batch_test=n),
        BatchesPlan(modes=(INSTANT, Mode(kind="avg", count=2))),
    )
    for plan in plans:
        points = plan.points(rounds, arriving)
        names = [point.benchmark(name) for point in points for name in point.sets]
        assert len(names) == len(set(names))


def test_what_the_sets_consist_of() -> None:
    arriving = Schedule(n_batches=3, n_held_out=2)
    start, later = Played("init", None, ()), Played("iqr", 1, ())

    def blocks(name: str, after: Played, n_test: int = 2) -> tuple[str, ...]:
        return arriving.test_set(name, after, n_test)

    for after in (start, later):
        assert blocks("common", after) == ("init", "held_out0", "held_out1")
        assert blocks("init", after) == ("init",)
        assert blocks("sample", after) == ("batch0", "batch1", "batch2")
        assert blocks("batch_test", after) == ("held_out0", "held_out1")
        assert blocks("batch_test", after, 1) == ("held_out1",)
    assert blocks("cur_iter", start) == blocks("all", start) == ("init",)
    assert blocks("all_iter", start) == ()
    assert blocks("cur_iter", later) == ("iqr1_test",)
    assert blocks("all_iter", later) == ("iqr0_test", "iqr1_test")
    assert blocks("all", later) == ("init", "iqr0_test", "iqr1_test")
    after_each = [blocks("next_batch", Played("iqr", b, ())) for b in (0, 1, 2)]
    assert [blocks("next_batch", start), *after_each] == [
        ("batch0",),
        ("batch1",),
        ("batch2",),
        ("held_out0",),
    ]
    assert Schedule(3, 0).test_set("next_batch", Played("iqr", 2, ()), 0) == ()


@given(arrivals, st.data())
def test_no_model_is_tested_on_a_batch_that_was_sampled_for_it(
    arriving: Schedule, data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, len(arriving.parts)))
    batch = data.draw(st.none() | st.integers(0, arriving.n_batches - 1))
    after = Played("init" if batch is None else "iqr", batch, ())
    sampled = {f"batch{b}" for b in range(0 if batch is None else batch + 1)}
    tested = arriving.test_set("batch_test", after, n)
    assert not sampled & set(tested)
    assert tested in ((), arriving.parts[-n:])
    assert (tested == ()) == bool(sampled & set(arriving.parts[-n:]))


@pytest.mark.parametrize("n", [0, 6])
def test_there_are_only_so_many_batches_to_test_on(n: int) -> None:
    with pytest.raises(InputError, match=rf"--batch-test: expected 1 to 5, .* got {n}$"):
        SeriesPlan(sets=("batch_test",), batch_test=n).points(campaign(1), Schedule(3, 2))


def test_a_batch_of_which_nothing_was_sent_has_a_model_but_no_checkpoint_of_its_own() -> None:
    rounds = campaign(2, iqr=[1, 0, 1])
    series = SeriesPlan().points(rounds, Schedule(3, 1))
    assert [(p.method, p.batch, p.epoch) for p in series] == [
        ("init", None, 1),
        ("init", None, 2),
        ("iqr", 0, 3),
        ("iqr", 2, 4),
    ]
    batches = BatchesPlan().points(rounds, Schedule(3, 1))
    assert [(p.batch, p.epoch, p.sets) for p in batches] == [
        (None, 2, {"next_batch": ("batch0",)}),
        (0, 3, {"next_batch": ("batch1",)}),
        (1, 3, {"next_batch": ("batch2",)}),
        (2, 4, {"next_batch": ("held_out0",)}),
    ]


def measured(points: tuple[Point, ...]) -> pd.DataFrame:
    """Made-up metrics: the epoch, of a class a tenth of it."""
    rows: list[dict[str, Any]] = [
        {"test_set": name, "class": c, **dict.fromkeys(METRICS, point.epoch * share)}
        | {"method": point.method, "batch": point.batch}
        | {"epoch": point.epoch, "mode": point.mode}
        for point in points
        for name in point.sets
        for c, share in (("", 1.0), ("cat", 0.1))
    ]
    return pd.DataFrame(rows).astype({"batch": "Int64"})


def test_a_series_is_drawn_a_chart_a_set_and_metric_with_the_batches_marked() -> None:
    rounds, arriving = campaign(3, iqr=[1, 2], rand=[2, 1]), Schedule(2, 1)
    plan = SeriesPlan(
        sets=("init", "all_iter"), mode=Mode(kind="roll", count=2), metrics=("mAP50", "prec")
    )
    table = measured(plan.points(rounds, arriving))
    finding = finding_of(table, plan, rounds, arriving)
    assert finding == Finding.model_validate_json(finding.model_dump_json())
    assert finding.name == "series_roll2"
    assert finding.columns == COLUMNS
    assert len(finding.rows) == (table["class"] == "").sum()
    titles = [chart.title for chart in finding.charts]
    assert titles == [f"{m} on {s}" for s in ("init", "all_iter") for m in ("mAP50", "prec")]
    lines = {s.name: (s.x, s.y) for s in finding.charts[0].series}
    assert lines["init"] == ((1, 2, 3), (1, 2, 3))
    assert lines["iqr"] == ((3, 4, 5, 6), (3, 4, 5, 6))
    assert {s.name for s in finding.charts[2].series} == {"iqr", "rand"}
    assert finding.charts[0].marks == (
        Mark(x=3.5, label="batch 0"),
        Mark(x=4.5, label="batch 1: iqr"),
        Mark(x=5.5, label="batch 1: rand"),
    )
    assert "the last 2 checkpoints" in finding.title


def test_the_note_says_which_models_are_left_out() -> None:
    rounds, arriving = campaign(1, iqr=[1, 1]), Schedule(2, 1)
    notes = []
    for n in (1, 2):
        plan = SeriesPlan(sets=("batch_test",), batch_test=n)
        points = plan.points(rounds, arriving)
        finding = finding_of(
            measured(tuple(p for p in points if p.sets)), plan, rounds, arriving
        )
        assert {row[1] for row in finding.rows} == ({None, 0, 1} if n == 1 else {None, 0})
        notes.append(finding.note)
    assert "left out" not in notes[0]
    assert "models trained after batch 1, which was sampled, are left out" in notes[1]


def test_batches_are_drawn_a_chart_a_mode() -> None:
    rounds, arriving = campaign(2, iqr=[1, 0]), Schedule(2, 0)
    plan = BatchesPlan(modes=(INSTANT, Mode(kind="avg", count=3)))
    points = tuple(p for p in plan.points(rounds, arriving) if p.sets)
    finding = finding_of(measured(points), plan, rounds, arriving)
    assert finding.name == "batches_next"
    assert [c.title for c in finding.charts] == [
        "mAP50 on next_batch, instant",
        "mAP50 on next_batch, avg3",
    ]
    assert finding.charts[0].series[1].x == ("init", "batch0")
    tested = BatchesPlan(batch_test=1)
    points = tuple(p for p in tested.points(rounds, arriving) if p.sets)
    note = finding_of(measured(points), tested, rounds, arriving).note
    assert "models trained after batch 1" in note


@pytest.fixture
def folder(fake_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """A run whose config says what the commands take from it."""
    monkeypatch.setattr("backhaul.cli.analyze_series.find_stored", run_at)  # it has no records
    written: Path = fake_run().write()
    record = json.loads((written / "run.json").read_text(encoding="utf-8"))
    record["config"]["batches"]["holdout_batches"] = 2
    record["config"]["inference"] = {"conf_check_num": 5}
    (written / "run.json").write_text(json.dumps(record), encoding="utf-8")
    (written.parents[1] / ".backhaul").mkdir(exist_ok=True)  # it lies in a store
    return str(written)


@pytest.fixture
def asked(folder: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SeriesPlan]:
    """Returns the plan that arguments of ``analyze series`` ask for."""
    plans: list[SeriesPlan] = []
    monkeypatch.setattr(
        "backhaul.cli.analyze_series._analyze",
        lambda run, methods, plan, parallel, own, output, watch: plans.append(plan),
    )

    def call(*arguments: str) -> SeriesPlan:
        words = [folder if word == "RUN" else word for word in arguments]
        CliRunner().invoke(app, ["analyze", "series", *words], catch_exceptions=False)
        return plans.pop()

    return call


@pytest.mark.parametrize("bare", [["RUN", "--avg"], ["--avg", "RUN"]])
def test_avg_may_stand_without_a_number(
    asked: Callable[..., SeriesPlan], bare: list[str]
) -> None:
    assert asked(*bare).mode == Mode(kind="avg", count=5)
    assert asked("RUN", "--avg", "4").mode == Mode(kind="avg", count=4)
    assert asked("RUN", "--avg=4").mode == Mode(kind="avg", count=4)
    assert asked("RUN").mode == INSTANT
    assert asked("RUN", "--roll", "3").mode == Mode(kind="roll", count=3)


def test_sets_come_in_a_fixed_order(asked: Callable[..., SeriesPlan]) -> None:
    plan = asked("RUN", "--set", "sample,init,init")
    assert plan.sets == ("init", "sample")
    assert plan.batch_test == 2
    assert asked("RUN", "--batch-test", "3").batch_test == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "new"], "--set: unknown test set 'new': expected common, init, sample"),
        (["--metric", "map"], "unknown metric 'map': expected one of prec"),
        (["--avg", "--roll", "2"], "--roll: means other checkpoints than --avg"),
        (["--method", "nope"], "no method 'nope': it has "),
    ],
)
def test_wrong_arguments_are_named(folder: str, arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(
            app, ["analyze", "series", folder, *arguments], catch_exceptions=False
        )
