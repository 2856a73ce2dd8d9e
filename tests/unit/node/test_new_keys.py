"""The keys of a node change while it runs."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from backhaul.node.keyring import Keyring
from backhaul.node.running import Node
from backhaul.uplink.home import HomeRefusedError
from backhaul.uplink.keys import SEALING, keys_in, mark_of, read_lines
from backhaul.uplink.opening import open_bucket
from backhaul.uplink.sealing import new_secret, seal
from backhaul.uplink.signature import Keys
from tests.enrolling import MAIN, NEW, config_of, enrol, run_until, status_of, token_for
from tests.onnxmodels import brightness_model
from tests.tiny_s3 import KEY_ID, SECRET, TinyS3
from tests.unit.node.test_running import put_frames

pytestmark = pytest.mark.usefixtures("hastily")


class Ended(BaseException):
    """The process ends."""


def ended(*_: object) -> None:
    raise Ended


def no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_keys_change_while_the_node_runs(s3: TinyS3, tmp_path: Path) -> None:
    """Keys that nobody knows yet are told, and taken once home's store knows them."""
    put_frames(tmp_path / "frames", 2)
    token = token_for(s3)
    enrol(token, tmp_path, "--frames", str(tmp_path / "frames"))
    brightness_model(tmp_path / "model.onnx")
    wants = {"schema": 1, "frames": [], "keys": seal(NEW, "cam-1", token.sealing)}
    s3.objects[f"{MAIN}/wants.json"] = json.dumps(wants).encode()
    with Node(config_of(tmp_path)) as node:
        run_until(node, lambda: "InvalidAccessKeyId" in node.status()["keys_refused"])
        assert node.status()["keys"] == mark_of(KEY_ID)
        run_until(node, lambda: node.agent.standing.totals()["sent"] == 2)
        assert keys_in(read_lines(tmp_path / "keys"), "keys") == Keys(KEY_ID, SECRET)
        s3.keys[NEW.key_id] = NEW.secret
        run_until(node, lambda: status_of(s3).get("keys") == mark_of(NEW.key_id))
        assert status_of(s3)["keys_refused"] == ""
        assert keys_in(read_lines(tmp_path / "keys"), "keys") == NEW
        del s3.keys[KEY_ID]
        put_frames(tmp_path / "frames", 1, first=2)
        run_until(node, lambda: node.agent.standing.totals()["sent"] == 3)
    s3.requests.clear()
    with Node(config_of(tmp_path)) as node:  # it reads the same wants again, and has the keys
        run_until(node, lambda: any("wants" in each for each in s3.requests))
        run_until(node, lambda: node._sender._wants is not None)
    assert read_lines(tmp_path / "keys")[SEALING] == token.sealing
    assert sum("status" in each for each in s3.requests) == 1


def test_a_file_of_wants_of_any_size_costs_no_second_status(s3: TinyS3, tmp_path: Path) -> None:
    enrol(token_for(s3), tmp_path, "--frames", str(tmp_path / "frames"))
    put_frames(tmp_path / "frames", 1)
    brightness_model(tmp_path / "model.onnx")
    s3.objects[f"{MAIN}/wants.json"] = b" " * 1_000_001
    with Node(config_of(tmp_path)) as node:
        run_until(node, lambda: node.agent.standing.totals()["sent"] == 1)
        assert node.agent.outgoing.failures == 0
        assert status_of(s3)["failures"] == 0
    assert sum("PUT" in each and "status" in each for each in s3.requests) == 1


def test_a_question_that_cannot_be_answered_ends_no_agent(
    s3: TinyS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(token_for(s3), tmp_path, "--frames", str(tmp_path / "frames"))
    put_frames(tmp_path / "frames", 1)
    brightness_model(tmp_path / "model.onnx")
    s3.objects[f"{MAIN}/wants.json"] = b'{"schema": 1, "frames": [], "ask": "1a"}'
    asked: list[int] = []

    def fail() -> None:  # as where the kernel does not say it
        asked.append(1)
        raise OSError("Load averages are unobtainable")

    monkeypatch.setattr("os.getloadavg", fail)
    with Node(config_of(tmp_path)) as node:
        run_until(node, lambda: bool(asked) and node.agent.standing.totals()["sent"] == 1)


def test_what_does_not_open_is_told_and_nothing_is_tried(
    s3: TinyS3, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = token_for(s3)
    enrol(token, tmp_path, "--frames", str(tmp_path))
    ring = Keyring("cam-1", config_of(tmp_path).uplink, [])
    for sealed in (
        seal(NEW, "cam-1", new_secret()),
        seal(NEW, "cam-2", token.sealing),
        "no sealed text",
    ):
        for _ in range(2):
            assert not ring.is_new(sealed)
        assert ring.refused.startswith("they cannot be opened: they ")
        assert "\n" not in ring.refused
    told = [each for each in caplog.records if each.name == "backhaul.node.keyring"]
    assert len(told) == 3
    assert not ring.is_new("")
    assert ring.refused == ""
    (tmp_path / "keys").write_text((tmp_path / "keys").read_text().split(SEALING)[0])
    assert not ring.is_new(seal(NEW, "cam-1", token.sealing))
    assert "enrol the node by a token" in ring.refused


def test_keys_of_before_that_are_put_back_are_not_taken(
    s3: TinyS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever writes into the store could leave a node with keys that are revoked next."""

    def sealed_at(at_s: int, keys: Keys) -> str:
        with monkeypatch.context() as then:
            then.setattr(time, "time", lambda: at_s)
            return seal(keys, "cam-1", token.sealing)

    token = token_for(s3)
    enrol(token, tmp_path, "--frames", str(tmp_path))
    older, newer = Keys("AKID2", "second"), Keys("AKID3", "third")
    first, second = sealed_at(1_000, older), sealed_at(2_000, newer)
    for _ in range(2):  # a start in between changes nothing
        ring = Keyring("cam-1", config_of(tmp_path).uplink, [])
        if ring.is_new(first):
            assert ring.take(first)
            assert ring.take(second)
        assert not ring.is_new(first)
        assert "sealed before those in use" in ring.refused
        assert not ring.take(first)
        assert ring.mark == mark_of("AKID3")
        assert not ring.is_new(second)
        assert ring.refused == ""
    assert ring.is_new(sealed_at(3_000, older))  # home may go back
    assert read_lines(tmp_path / "keys")[SEALING] == token.sealing


def test_keys_that_cannot_be_written_leave_those_in_use(
    s3: TinyS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_for(s3)
    enrol(token, tmp_path, "--frames", str(tmp_path))
    ring = Keyring("cam-1", config_of(tmp_path).uplink, [])

    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("backhaul.node.keyring.write_private", fail)
    sealed = seal(NEW, "cam-1", token.sealing)
    assert not ring.take(sealed)
    assert ring.mark == mark_of(KEY_ID)
    assert "Read-only" in ring.refused
    (tmp_path / "keys").unlink()
    ring.take(sealed)
    assert ring.mark == mark_of(KEY_ID)
    assert "No such file" in ring.refused
    with (  # no fault of the link
        closing(open_bucket(token.uplink, token.keys.keys)) as home,
        pytest.raises(HomeRefusedError, match="No such file"),
    ):
        ring.home_with(sealed, home)


def test_keys_are_taken_once_the_disk_has_room_again(
    s3: TinyS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_for(s3)
    enrol(token, tmp_path, "--frames", str(tmp_path))
    brightness_model(tmp_path / "model.onnx")
    s3.keys[NEW.key_id] = NEW.secret
    wants = {"schema": 1, "frames": [], "keys": seal(NEW, "cam-1", token.sealing)}
    s3.objects[f"{MAIN}/wants.json"] = json.dumps(wants).encode()

    with Node(config_of(tmp_path)) as node:
        with monkeypatch.context() as full:
            full.setattr("backhaul.node.keyring.write_private", no_room)
            run_until(node, lambda: "No space left" in status_of(s3).get("keys_refused", ""))
            assert status_of(s3)["keys"] == mark_of(KEY_ID)
        run_until(node, lambda: status_of(s3)["keys"] == mark_of(NEW.key_id))
    assert keys_in(read_lines(tmp_path / "keys"), "keys") == NEW
