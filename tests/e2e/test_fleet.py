"""The fleet: a simulated day, and how nodes are, by the command."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backhaul.errors import InputError
from backhaul.fleet.nodes import read_fleet
from backhaul.fleet.prometheus import exposition
from backhaul.fleet.wants import want
from tests.onnxmodels import brightness_model

N_FRAMES = 180
COMMAND = [sys.executable, "-m", "backhaul", "fleet"]


def backhaul(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `backhaul fleet`."""
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of three nodes with three policies; a node sees no image twice."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "frames").mkdir()
    for number in range(N_FRAMES):
        rng = np.random.default_rng(number)
        pixels = Image.fromarray(rng.integers(60, 255, (6, 8, 3), dtype=np.uint8))
        pixels.resize((320, 240)).save(
            folder / f"frames/{number:03d}.jpg", quality=60 + number % 30
        )
    config = {
        "name": "two-hours",
        "frames": str(folder / "frames"),
        "model": str(brightness_model(folder / "model.onnx")),
        "nodes": 3,
        "hours": 2,
        "every_s": 2 * 3_600 / N_FRAMES,
        "policies": [
            {"kind": "stream", "name": "value", "diversity": "none", "suppress": False},
            {"kind": "stream", "name": "chance", "explore": 1.0, "suppress": False},
            {"kind": "window", "name": "window", "method": {"kind": "diverse"}},
        ],
        "link": {"uplink_kbit_s": 1000, "window_s": 1800},
        "radio": {"kbit_s": 0.15, "swing": 2, "reset": 0.05, "lost_answer": 0.02},
        "kills_a_day": 24,
    }
    (folder / "fleet.yaml").write_text(json.dumps(config))
    done = backhaul("simulate", str(folder / "fleet.yaml"), "--out", str(folder / "out"))
    assert done.returncode == 0, done.stderr
    return folder / "out"


def rows_of(played: Path) -> dict[str, dict[str, str]]:
    """Return the table of a simulation, by policy."""
    with (played / "fleet.csv").open() as file:
        return {row["policy"]: row for row in csv.DictReader(file)}


def test_all_frames_of_a_fleet_are_accounted_for(played: Path) -> None:
    rows = rows_of(played)
    assert list(rows) == ["value", "chance", "window"]
    for row in rows.values():
        seen, chosen, sent, given_up, waiting = (
            int(row[name]) for name in ("seen", "chosen", "sent", "given up", "waiting")
        )
        assert 3 * (N_FRAMES - 10) <= seen <= 3 * N_FRAMES  # some came while a node was away
        assert chosen <= sent + given_up + waiting
        assert float(row["MB sent again"]) == 0
        assert sent > 20


def test_to_go_by_value_brings_more_home_than_chance(played: Path) -> None:
    rows = rows_of(played)
    share = {name: float(row["value, share of the bound"]) for name, row in rows.items()}
    assert share["value"] > share["chance"] + 0.1
    assert share["value"] > 0.7


def test_the_page_needs_nothing_but_itself(played: Path) -> None:
    page = (played / "index.html").read_text()
    assert "share of the bound" in page
    assert "src=" not in page.split("<script>")[0]
    figures = json.loads(page.split('id="figures">')[1].split("</script>")[0])
    (figure,) = figures.values()
    assert [trace["name"] for trace in figure["data"]] == ["value", "chance", "window"]


def test_nodes_are_listed_with_what_is_wrong(tmp_path: Path) -> None:
    good = {
        "node": "a",
        "time_s": time.time(),
        "disk_free_bytes": 10**10,
        "totals": {"seen": 7},
    }
    statuses = {
        "cam-a": json.dumps(good),
        "cam-b": json.dumps(good | {"source": "[red]the camera\x1b[31m is stuck", "later": 1}),
        "cam-c": "{no json",
        "cam-d": json.dumps(good | {"totals": {"seen": -1}}),
        "cam-e": json.dumps(good | {"time_s": 0.0, "disk_free_bytes": 10}),
    }
    for node, text in statuses.items():
        (tmp_path / "nodes" / node).mkdir(parents=True)
        (tmp_path / "nodes" / node / "status.json").write_text(text)
    done = backhaul("--store", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    found = {view["name"]: view["problems"] for view in json.loads(done.stdout)}
    assert found["cam-a"] == []
    assert "is stuck" in found["cam-b"][0]
    assert found["cam-c"] == found["cam-d"] == ["its status cannot be read"]
    assert [word.split()[0] for word in found["cam-e"]] == ["little", "its"]
    table = backhaul("--store", str(tmp_path))
    assert "\x1b[31m" not in table.stdout
    late = read_fleet(str(tmp_path), time.time() + 7_300, 900)
    assert all("silent for 2 h" in view.problems[0] for view in late)
    metrics = tmp_path / "backhaul.prom"
    assert backhaul("--store", str(tmp_path), "--prometheus", str(metrics)).returncode == 0
    assert 'backhaul_node_seen_total{node="cam-a"} 7' in metrics.read_text().splitlines()


def test_what_nodes_say_is_one_line_and_all_digits(tmp_path: Path) -> None:
    said = {
        "agent": "\x1b]0;owned\x07",
        "model": "\x1b[2J",
        "policies": ["a\nb"],
        "update_refused": "policies.0: wrong\n" * 100,
        "totals": {"up_bytes": 12_345_678_901, "seen": 1_234_567},
        "disk_free_bytes": 10**10,
        "time_s": time.time(),
    }
    (tmp_path / "nodes/cam-a").mkdir(parents=True)
    (tmp_path / "nodes/cam-a/status.json").write_text(json.dumps(said))
    (view,) = read_fleet(str(tmp_path), time.time(), 900)
    assert view.problems[0].startswith("update refused: policies.0: wrong")
    assert view.status is not None
    texts = (view.status.agent, view.status.model, *view.status.policies, *view.problems)
    assert all(text.isprintable() and len(text) < 400 for text in texts)
    assert "\x1b" not in backhaul("--store", str(tmp_path)).stdout
    lines = exposition([view], time.time()).splitlines()
    assert 'backhaul_node_up_bytes_total{node="cam-a"} 12345678901' in lines
    assert 'backhaul_node_seen_total{node="cam-a"} 1234567' in lines


def test_of_very_many_wants_the_last_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.fleet.wants.MOST_WANTED", 3)
    for number in range(5):
        wanted = want(str(tmp_path), "cam-a", [f"{number:064x}"])
    assert wanted == 3
    wants = json.loads((tmp_path / "nodes/cam-a/wants.json").read_text())
    assert wants["frames"] == [f"{number:064x}" for number in (2, 3, 4)]
    with pytest.raises(InputError, match="4 frames, expected at most 3"):
        want(str(tmp_path), "cam-a", [f"{number:064x}" for number in range(4)])


def test_home_asks_for_frames(tmp_path: Path) -> None:
    digest = "ab" * 32
    for _ in range(2):
        done = backhaul("want", "cam-a", digest, "--store", str(tmp_path))
        assert done.stdout.strip() == "cam-a: 1 frames are wanted"
    wants = json.loads((tmp_path / "nodes/cam-a/wants.json").read_text())
    assert wants["frames"] == [digest]
    wrong = backhaul("want", "../x", digest, "--store", str(tmp_path))
    assert wrong.returncode == 2
    assert "no name of a node" in wrong.stderr
