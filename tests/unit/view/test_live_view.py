import io
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console

from backhaul.cli.view.live import LiveView
from backhaul.cli.view.picture import Picture
from backhaul.events import (
    Doing,
    Elsewhere,
    Happening,
    MethodEnded,
    Place,
    Planned,
    Progressed,
    Warned,
)

LOG = Path("/store/.backhaul/runs/cars/log.txt")
LATE = 108.0
"""Seconds after noon at which the screen is looked at."""


def screen(
    happenings: list[Happening], width: int = 80, height: int = 24, at: float = 0.0
) -> str:
    """What the view shows after all these."""
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None
    )
    view = LiveView(Picture("cars"), LOG, console)
    for happening in happenings:
        view.take(happening)
    with patch("backhaul.cli.view.live.time.time", return_value=at), console.capture() as shown:
        console.print(view.rendered())
    lines = [line.rstrip() for line in shown.get().splitlines()]
    assert max(map(len, lines)) <= width
    return "\n".join(lines)


def row(shown: str, label: str) -> list[str]:
    """The words of the first line that begins with `label`."""
    line = next(line for line in shown.splitlines() if line.startswith(label))
    return line.removeprefix(label).split()


def test_the_plan_is_there_before_anything_runs(recorded: list[Happening]) -> None:
    shown = screen([Happening(Planned("cars", ("iqr", "true-random"), (0, 1))), *recorded[1:2]])
    assert "0 of 5 rounds" in shown
    assert "loading libraries" in shown
    assert row(shown, "iqr") == ["·", "·"]


def test_everything_of_a_campaign_has_its_place(recorded: list[Happening]) -> None:
    shown = screen(recorded, at=recorded[-1].at + 1)
    assert "2 of 7 rounds" in shown
    assert row(shown, "initial model") == ["0.481"]
    assert row(shown, "iqr") == ["0.512", "cached", "running", "60", "410", "kB", "+0.031"]
    assert row(shown, "true-random") == ["failed", "·"]
    assert row(shown, "no-new-data") == ["·", "·"]
    assert row(shown, "iqr batch 1") == [
        *("training", "epoch", "2", "of", "6,", "loss", "1.25", "0:06", "left")
    ]
    assert "2 warnings" in shown
    assert "12:01:47  error: true-random failed: TrainingError: killed" in shown
    assert shown.endswith("log: /store/.backhaul/runs/cars/log.txt")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("n_batches", [1, 4, 9, 100])
def test_many_batches_fit(recorded: list[Happening], width: int, n_batches: int) -> None:
    plan = Planned("cars", ("iqr", "true-random", "no-new-data"), tuple(range(n_batches)))
    shown = screen([*recorded, Happening(plan)], width, at=recorded[-1].at)
    assert "+0.031" in shown
    assert "initial model" in shown


def test_many_batches_are_marks_beside_the_last_score(recorded: list[Happening]) -> None:
    plan = Happening(Planned("cars", ("iqr", "true-random"), tuple(range(9))))
    shown = screen([*recorded, plan], 72, at=recorded[-1].at)
    assert row(shown, "initial model") == ["✓", "0.481"]
    assert row(shown, "iqr") == ["=▶·······", "60", "410", "kB", "0.512", "+0.031"]
    assert row(shown, "true-random") == ["✗········"]
    assert "= cached" in shown


def test_many_methods_fit_into_the_height(recorded: list[Happening]) -> None:
    labels = (*(f"method-{k}" for k in range(20)), "iqr", "true-random")
    plan = Happening(Planned("cars", labels, (0, 1)))
    shown = screen([*recorded, plan], height=20, at=recorded[-1].at)
    assert len(shown.splitlines()) <= 20
    assert row(shown, "iqr")[:2] == ["0.512", "cached"]  # what runs is always shown
    assert "more" in shown


def test_a_flood_of_warnings_is_counted_and_the_last_ones_stay() -> None:
    flood = [Happening(Warned("warning", f"image {k} is odd")) for k in range(40)]
    shown = screen(flood)
    assert "40 warnings, the last 3:" in shown
    assert "image 39 is odd" in shown
    assert "image 36 is odd" not in shown


def test_what_runs_on_workers_is_shown_until_it_is_over() -> None:
    plan = Happening(Planned("cars", ("iqr",), (0, 1)))
    running = [plan, Happening(Elsewhere("Running"), Place("iqr"))]
    assert row(screen(running), "iqr") == ["·", "·"]
    assert "on a worker: Running" in screen(running)
    ended = [*running, Happening(MethodEnded("completed"), Place("iqr"))]
    assert row(screen(ended), "iqr") == ["done", "done"]
    assert "on a worker" not in screen(ended)


def test_the_next_seed_begins_anew(recorded: list[Happening]) -> None:
    following = Happening(Planned("cars/seed1", ("iqr",), (0,)))
    shown = screen([*recorded, following], at=recorded[-1].at)
    assert "cars/seed1" in shown
    assert "0 of 2 rounds" in shown
    assert "0.512" not in shown


def test_an_analysis_has_no_plan() -> None:
    shown = screen([Happening(Progressed("predictions", k, 20), at=k) for k in (1, 2)], at=3.0)
    assert row(shown, "cars  predictions") == ["2", "of", "20", "0:17", "left"]
    following = [Happening(Progressed("predictions", 20, 20), at=20.0)]
    following += [Happening(Progressed("points", k, 8), at=20.0 + k) for k in (1, 2)]
    assert row(screen(following, at=22.0), "cars  points") == ["2", "of", "8", "0:06", "left"]


def test_what_the_view_leaves_on_the_screen() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    view = LiveView(Picture("cars"), LOG, console)
    view.open()
    view.take(Happening(Doing("reading")))
    view.take(Happening(Warned("warning", "mind this")))
    view.close()
    assert isinstance(console.file, io.StringIO)
    assert "warning: mind this" in console.file.getvalue().splitlines()[-1]
