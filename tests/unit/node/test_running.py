"""A node with a real source, model, journal, disk and home (a folder)."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backhaul.errors import InputError
from backhaul.node.lens import Lens
from backhaul.node.running import Node
from backhaul.node.settings import NodeConfig
from tests.onnxmodels import brightness_model

COMMAND = [sys.executable, "-m", "backhaul", "node", "run"]


def put_frames(folder: Path, n: int, first: int = 0) -> None:
    """Write frames that differ, the later the brighter."""
    folder.mkdir(exist_ok=True)
    for number in range(first, first + n):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 130 + 6 * number % 120, (64, 64, 3), dtype=np.uint8)
        path = folder / f"f{number:03d}.jpg"
        Image.fromarray(pixels).save(path, quality=90)
        os.utime(path, (1_700_000_000 + number,) * 2)


def pixels_of(path: Path) -> np.ndarray:
    """Return the pixels of a picture."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the settings of a node whose folders lie in `folder`."""
    (folder / "home").mkdir(exist_ok=True)
    return {
        "node": "cam-1",
        "folder": str(folder / "node"),
        "frames": {"kind": "folder", "path": str(folder / "frames")},
        "model": str(brightness_model(folder / "model.onnx")),
        "uplink": {"kind": "folder", "folder": str(folder / "home")},
        "policies": [{"kind": "stream", "suppress": False}],
        **changes,
    }


def run(given: dict[str, Any], seconds: float = 20.0) -> Node:
    """Run a node until all its frames are sent."""
    with Node(NodeConfig.model_validate(given)) as node:
        end_s = time.monotonic() + seconds
        node.run(lambda: node.is_done or time.monotonic() > end_s)
    return node


def sidecars(home: Path) -> dict[str, dict[str, Any]]:
    """Return all sidecars at home, by the digest of their frame."""
    found = {}
    for file in sorted((home / "nodes/cam-1/sidecars").glob("*.json.gz")):
        for sidecar in json.loads(gzip.decompress(file.read_bytes())):
            found[sidecar["digest"]] = sidecar
    return found


@pytest.fixture(autouse=True)
def _hastily(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backhaul.node.outgoing.TELL_S", 0.2)
    monkeypatch.setattr("backhaul.node.running.QUIET_S", 0.5)


def test_frames_come_home_with_what_was_seen_in_them(tmp_path: Path) -> None:
    put_frames(tmp_path / "frames", 12)
    before = {path: path.read_bytes() for path in (tmp_path / "frames").iterdir()}
    node = run(settings(tmp_path))
    home = tmp_path / "home"
    pictures = sorted((home / "inbox/cam-1").iterdir())
    assert sorted(path.read_bytes() for path in pictures) == sorted(before.values())
    told = sidecars(home)
    for picture in pictures:
        assert hashlib.sha256(picture.read_bytes()).hexdigest() == picture.stem
        sidecar = told[picture.stem]
        assert sidecar["frame_id"].startswith("f0")
        assert (sidecar["model"], sidecar["policy"]) == (
            node.agent.standing.rules.model,
            "policy",
        )
        (detection,) = sidecar["detections"]
        assert detection["class_id"] == 0
        assert detection["votes"] == 2
        light = pixels_of(picture).mean() / 255
        assert detection["confidence"] == pytest.approx(0.85 * light, abs=0.02)
    assert len(told) == 12
    assert {path: path.read_bytes() for path in (tmp_path / "frames").iterdir()} == before
    status = json.loads((home / "nodes/cam-1/status.json").read_text())
    assert status["node"] == "cam-1"
    totals = node.agent.standing.totals()
    assert (totals["seen"], totals["sent"]) == (12, 12)
    assert not list((tmp_path / "node/frames").iterdir())


def test_a_second_start_sends_only_what_is_new(tmp_path: Path) -> None:
    put_frames(tmp_path / "frames", 4)
    run(settings(tmp_path))
    put_frames(tmp_path / "frames", 2, first=4)
    node = run(settings(tmp_path))
    assert node.agent.standing.totals()["sent"] == 6
    assert len(list((tmp_path / "home/inbox/cam-1").iterdir())) == 6


def test_what_cannot_be_read_or_is_masked_or_gated(tmp_path: Path) -> None:
    put_frames(tmp_path / "frames", 3)
    (tmp_path / "frames/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    Image.new("RGB", (64, 48)).save(tmp_path / "frames/black.png")
    for path in (tmp_path / "frames").iterdir():
        os.utime(path, (1_700_000_000,) * 2)
    mask = {"xyxy": [0, 0, 0.5, 1]}
    node = run(settings(tmp_path, masks=[mask], gates={"dark": 0.02}))
    window = node.agent.standing.window
    assert window.counts == {"unreadable": 1, "dark": 1}
    for picture in (tmp_path / "home/inbox/cam-1").iterdir():
        pixels = pixels_of(picture)
        assert pixels[:, :28].mean() < 3
        assert pixels[:, 36:].mean() > 10


def test_frames_are_sent_smaller_by_the_recipe(tmp_path: Path) -> None:
    put_frames(tmp_path / "frames", 3)
    sending = {"kind": "reencoded", "quality": 20, "longest_side_px": 32}
    policy = {"kind": "stream", "suppress": False, "sending": sending}
    run(settings(tmp_path, policies=[policy]))
    for picture in (tmp_path / "home/inbox/cam-1").iterdir():
        assert max(pixels_of(picture).shape) == 32
    assert {each["recipe"] for each in sidecars(tmp_path / "home").values()} == {"reencoded"}


def test_home_asks_for_frames_that_it_was_told_of(tmp_path: Path) -> None:
    put_frames(tmp_path / "frames", 5)
    given = settings(tmp_path, policies=[{"kind": "asked", "name": "asked"}], status_s=5)
    with Node(NodeConfig.model_validate(given)) as node:
        end_s = time.monotonic() + 20
        node.run(lambda: len(sidecars(tmp_path / "home")) == 5 or time.monotonic() > end_s)
        told = sidecars(tmp_path / "home")
        assert len(told) == 5
        assert not (tmp_path / "home/inbox").exists()
        wanted = sorted(told)[:2]
        (tmp_path / "home/nodes/cam-1/wants.json").write_text(json.dumps({"frames": wanted}))
        inbox = tmp_path / "home/inbox/cam-1"
        node.run(
            lambda: (
                time.monotonic() > end_s
                or (inbox.exists() and len(list(inbox.glob("*.jpg"))) == 2)
            )
        )
    assert sorted(path.stem for path in inbox.glob("*.jpg")) == wanted
    assert {each["embedding_of"] for each in told.values()} == {"features"}


def test_a_frame_at_which_the_process_ends_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that fails for good, or no memory: the process is gone, and starts again."""
    put_frames(tmp_path / "frames", 3)
    config = NodeConfig.model_validate(settings(tmp_path))
    bad = hashlib.sha256((tmp_path / "frames/f001.jpg").read_bytes()).digest()
    whole = Lens.look

    class Killed(BaseException):
        """The process ends."""

    def look(lens: Lens, frame: Any, content: bytes, policy: Any) -> Any:
        if hashlib.sha256(content).digest() == bad:
            raise Killed
        return whole(lens, frame, content, policy)

    monkeypatch.setattr(Lens, "look", look)
    for _ in range(2):
        node = Node(config)
        with pytest.raises(Killed):
            node.run(lambda: False)
        os.close(node._lock)
        node._journal.close()
    node = run(settings(tmp_path))
    totals = node.agent.standing.totals()
    assert (totals["sent"], node.agent.standing.window.counts["failed"]) == (2, 1)


def test_a_look_that_fails_ends_no_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_frames(tmp_path / "frames", 2)

    def look(*_: object) -> None:
        raise RuntimeError("[ShapeInferenceError]\nso")

    monkeypatch.setattr(Lens, "look", look)
    node = run(settings(tmp_path))
    assert node.agent.standing.window.counts == {"failed": 2}


def test_nothing_is_sent_while_it_is_held_or_ends(tmp_path: Path) -> None:
    put_frames(tmp_path / "frames", 2)
    hold = tmp_path / "hold"
    hold.touch()
    with Node(NodeConfig.model_validate(settings(tmp_path, hold_file=str(hold)))) as node:
        end_s = time.monotonic() + 20
        at = node.agent.standing
        node.run(lambda: at.totals()["seen"] == 2 or time.monotonic() > end_s)
        assert len(at.queue) == 2
        hold.unlink()
        node._check_hold()  # the first parcel is on its way when the node is closed
    assert not any(frame.doubtful for frame in at.queue)
    sent = sorted(path.name for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert sent == ["status.json"]


def test_one_agent_runs_in_a_folder(tmp_path: Path) -> None:
    put_frames(tmp_path / "frames", 1)
    config = NodeConfig.model_validate(settings(tmp_path))
    with Node(config), pytest.raises(InputError, match="another agent runs in this folder"):
        Node(config)


@pytest.mark.slow
def test_a_node_that_is_killed_again_and_again_sends_every_frame_once(tmp_path: Path) -> None:
    put_frames(tmp_path / "frames", 40)
    path = tmp_path / "node.yaml"
    path.write_text(json.dumps(settings(tmp_path)))
    home = tmp_path / "home/inbox/cam-1"
    for _ in range(6):
        process = subprocess.Popen([*COMMAND, str(path)], stderr=subprocess.DEVNULL)
        time.sleep(2.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(
        [*COMMAND, str(path), "--until-idle"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = {path.read_bytes() for path in (tmp_path / "frames").iterdir()}
    assert {path.read_bytes() for path in home.iterdir()} == names


def test_a_node_loads_nothing_that_it_need_not_have() -> None:
    code = (
        "import sys; import backhaul.cli.node, backhaul.node.running, backhaul.node.lookout\n"
        "import backhaul.cli.commands, onnxruntime, httpx\n"
        "print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    heavy = "pandas pyarrow botocore fsspec s3fs torch ultralytics prefect scipy sklearn"
    command = [sys.executable, "-c", code, *heavy.split(), "matplotlib"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"policies": []}, "policies"),
        ({"policies": [{"kind": "window", "method": "ppal"}]}, "no node has that"),
        ({"policies": [{"kind": "window", "method": "my:Own"}]}, "nothing that a node can run"),
        ({"modell": "x"}, "modell: is no key of a node"),
        ({"most_bytes": 1_000}, "most_bytes"),
        ({"frames": {"kind": "folder", "path": "/no/such"}}, "expected a folder"),
        ({"model": "/no/such.onnx"}, "/no/such.onnx"),
    ],
)
def test_wrong_settings_end_with_one_line(
    tmp_path: Path, change: dict[str, Any], line: str
) -> None:
    (tmp_path / "frames").mkdir()
    path = tmp_path / "node.yaml"
    path.write_text(json.dumps(settings(tmp_path, **change)))
    done = subprocess.run([*COMMAND, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert line in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a disk of its own")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607


@pytest.mark.slow
def test_a_disk_that_is_really_full_costs_frames_alone(tmp_path: Path, tiny_disk: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(60):
        pixels = np.random.default_rng(number).integers(0, 255, (400, 600, 3), dtype=np.uint8)
        path = tmp_path / f"frames/{number:02d}.jpg"
        Image.fromarray(pixels).save(path, quality=95)
        os.utime(path, (1_700_000_000,) * 2)
    hold = tmp_path / "hold"
    hold.touch()
    given = settings(tmp_path, hold_file=str(hold)) | {"folder": str(tiny_disk / "node")}
    with Node(NodeConfig.model_validate(given)) as node:
        end_s = time.monotonic() + 60
        node.run(lambda: node.agent.standing.totals()["seen"] == 60 or time.monotonic() > end_s)
        assert node.agent.standing.totals()["seen"] == 60
        waiting = len(node.agent.standing.queue)
        assert 5 < waiting < 55
        hold.unlink()
        node.run(lambda: node.is_done or time.monotonic() > end_s + 30)
    totals = node.agent.standing.totals()
    assert totals["sent"] == waiting
    assert totals["seen"] == totals["passed_over"] + totals["chosen"]
    assert totals["chosen"] == totals["sent"] + totals["displaced"]
