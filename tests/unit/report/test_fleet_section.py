"""What the page says of the fleet: a row a node, bounded, escaped, and absent without nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backhaul.fleet.nodes import NodeView
from backhaul.fleet.problems import Problem
from backhaul.fleet.status import Status
from backhaul.inbox.summary import Summary
from backhaul.report import write_report
from backhaul.report.campaign import imported_campaign
from backhaul.report.fleetnow import MOST_HOURS, Fleet, fleet_figure, fleet_of, fleet_table
from tests.unit.conftest import FakeRun

NOW = 1_700_000_000.0
NASTY = "<script>alert(1)</script>"


def view(name: str, n: int = 1) -> NodeView:
    totals = {"seen": 100 * n, "chosen": 20 * n, "sent": 10 * n, "up_bytes": 5_000 * n}
    status = Status(model="0123456789abcdef", policies=("street",), waiting=n, totals=totals)
    return NodeView(name, NOW - 7_300, status, ())


def fleet(nodes: Sequence[NodeView], *problems: Problem, windows: Sequence[Any] = ()) -> Fleet:
    return Fleet(tuple(nodes), problems, tuple(windows), NOW)


def texts(table: Any) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_a_node_is_a_row_and_those_with_problems_come_first() -> None:
    unread = NodeView("c", NOW - 5, None, ())
    nodes = [view("a"), view("b"), unread]
    table = fleet_table(fleet(nodes, Problem("b", "disk", "x"), Problem("b", "drift", "y")))
    b, a, c = texts(table)
    numbers = ["100", "20", "10", "1", "5 kB", "0.100", "500 B"]
    assert b == ["b", "2 h", "0123456789ab", "street", *numbers, "x; y"]
    assert a == ["a", "2 h", "0123456789ab", "street", *numbers, ""]
    assert c == ["c", "5 s", *["-"] * 9, ""]
    assert all(len(row) == len(table.head) for row in table.rows)


def test_of_very_many_nodes_the_rest_is_summed() -> None:
    nodes = [view(f"n{number:05d}") for number in range(10_000)]
    rows = texts(fleet_table(fleet(nodes, Problem("n09999", "disk", "x"))))
    assert len(rows) == 201
    assert rows[0][0] == "n09999"
    assert rows[-1] == [
        *("9,800 nodes more", "-", "-", "-", "980,000", "196,000", "98,000", "9,800"),
        *("49 MB", "0.100", "500 B", ""),
    ]


def test_frames_are_summed_by_hour() -> None:
    windows = [
        Summary(node=node, number=1, began_s=hour * 3_600.0 + 60, seen=10, chosen=3, sent=hour)
        for node in ("a", "b")
        for hour in range(100)
    ]
    wild = [
        Summary(node=node, number=n, began_s=at_s + n * 3_600, seen=1)
        for node, at_s in (("c", -1e11), ("d", NOW + 1e9))
        for n in range(80)
    ]
    figure = fleet_figure(fleet([], windows=[*windows, *wild]))
    assert figure is not None
    seen, chosen, sent = figure["data"]
    assert [trace["name"] for trace in (seen, chosen, sent)] == ["seen", "chosen", "sent"]
    assert len(seen["x"]) == MOST_HOURS
    assert set(seen["y"]) == {20.0}
    assert (sent["x"][-1], sent["y"][-1]) == ("1970-01-05 03:00", 198.0)
    assert fleet_figure(fleet([])) is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FakeRun(tmp_path_factory.mktemp("fleet") / "runs/cameras", batches=1).write()


def test_the_page_has_it_escaped(folder: Path) -> None:
    shown = fleet([view(NASTY)], Problem(NASTY, "camera", NASTY))
    window = Summary(node="a", number=1, began_s=NOW, seen=7, chosen=3, sent=2)
    campaign = replace(imported_campaign(folder), fleet=replace(shown, windows=(window,)))
    page = Path(write_report(campaign)).read_text()
    assert '<section id="fleet"' in page
    assert "How the nodes were at 2023-11-14 22:13 UTC" in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
    assert NASTY not in page
    assert 'data-figure="fleet-frames"' in page


def test_without_nodes_there_is_no_section(folder: Path) -> None:
    for nothing in (None, fleet([])):
        campaign = replace(imported_campaign(folder), fleet=nothing)
        assert 'id="fleet"' not in Path(write_report(campaign)).read_text()


def test_only_runs_that_go_by_what_nodes_chose_look_for_them(tmp_path: Path) -> None:
    (tmp_path / "nodes/cam").mkdir(parents=True)
    (tmp_path / "nodes/cam/status.json").write_text("{}")

    def found(*methods: object) -> Fleet | None:
        run: Any = SimpleNamespace(config={"methods": [*methods]})
        return fleet_of(str(tmp_path), [run])

    assert found("iqr", {"kind": "diverse"}) is None
    fleet_now = found({"kind": "arrived", "policy": "own"})
    assert fleet_now is not None
    assert [each.name for each in fleet_now.nodes] == ["cam"]
