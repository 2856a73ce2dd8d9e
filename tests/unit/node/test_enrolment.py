"""A bare machine becomes a node by a token, and its keys change while it runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backhaul.cli.node import node as commands
from backhaul.errors import InputError
from backhaul.node.keyring import Keyring
from backhaul.node.running import Node
from backhaul.node.settings import NodeConfig
from backhaul.node.updates.shelf import Shelf
from backhaul.settingsfile import fields_of, validated
from backhaul.uplink.home import HomeRefusedError
from backhaul.uplink.keys import SEALING, keys_in, mark_of, read_lines
from backhaul.uplink.opening import open_bucket
from backhaul.uplink.sealing import new_secret, seal
from backhaul.uplink.signature import Keys
from backhaul.uplink.token import Token, encoded, token_of
from tests.onnxmodels import brightness_model
from tests.publishing import Publisher
from tests.tiny_s3 import KEY_ID, REGION, SECRET, TinyS3, tiny_s3
from tests.tinymodels import tiny_model
from tests.unit.node.test_running import put_frames

NEW = Keys("AKIDNEW", "anotherSecret/of+the/tests")
MAIN = "/edge/site/nodes/cam-1"


@pytest.fixture
def s3() -> Iterator[TinyS3]:
    with tiny_s3() as server:
        yield server


@pytest.fixture(autouse=True)
def _hastily(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backhaul.node.outgoing.TELL_S", 0.2)
    monkeypatch.setattr("backhaul.node.requests.KEYS_AGAIN_S", 0.5)


def token_for(s3: TinyS3, **changes: Any) -> Token:
    fields: dict[str, Any] = {
        "node": "cam-1",
        "uplink": {
            "kind": "s3",
            "bucket": "edge",
            "prefix": "site",
            "endpoint": f"http://127.0.0.1:{s3.port}",
            "region": REGION,
            "stall_s": 5,
        },
        "keys": {"key_id": KEY_ID, "secret": SECRET},
        "expires_s": time.time() + 60,
        "settings": {"policies": [{"kind": "stream", "suppress": False}], "status_s": 5},
    }
    return token_of(**{**fields, **changes})


def enrol(token: Token | str, folder: Path, *options: str) -> str:
    """Run `backhaul node enrol -`, and return what it says."""
    text = token if isinstance(token, str) else encoded(token)
    words = ["enrol", "-", "--folder", str(folder), *options]
    done = CliRunner().invoke(commands, words, input=f"{text}\n")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def config_of(folder: Path) -> NodeConfig:
    return validated(
        folder / "node.yaml", NodeConfig, fields_of(folder / "node.yaml"), "a node"
    )


def status_of(s3: TinyS3) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(s3.objects.get(f"{MAIN}/status.json", b"{}"))
    return found


def run_until(node: Node, is_true: Callable[[], bool], seconds: float = 20.0) -> None:
    end_s = time.monotonic() + seconds
    node.run(lambda: is_true() or time.monotonic() > end_s)
    assert is_true()


def test_a_token_makes_a_node_that_runs(s3: TinyS3, tmp_path: Path) -> None:
    place = tmp_path / "new" / "node"
    put_frames(tmp_path / "frames", 3)
    said = enrol(token_for(s3), place, "--frames", str(tmp_path / "frames"))
    assert "writes and reads below nodes/cam-1, nothing is published yet" in said
    assert f"put a model there, of backhaul export-model: {place / 'model.onnx'}" in said
    assert f"next: backhaul node run {place / 'node.yaml'}" in said
    assert sorted(path.name for path in place.iterdir()) == ["keys", "node.yaml"]
    assert (place / "keys").stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o077 == 0
    text = (place / "node.yaml").read_text()
    assert SECRET not in text
    assert text.count("# ") >= 5
    told = json.loads(s3.objects[f"{MAIN}/enrolled.json"])
    assert (told["node"], told["keys"]) == ("cam-1", mark_of(KEY_ID))
    brightness_model(place / "model.onnx")
    with Node(config_of(place)) as node:
        run_until(node, lambda: node.agent.standing.totals()["sent"] == 3)
    assert sum(path.startswith("/edge/site/inbox/cam-1/") for path in s3.objects) == 3
    assert status_of(s3)["keys"] == mark_of(KEY_ID)


def test_frames_are_to_be_filled_in_and_a_second_call_changes_nothing(
    s3: TinyS3, tmp_path: Path
) -> None:
    token = token_for(s3)
    said = enrol(token, tmp_path)
    assert "say in" in said
    assert "where frames come from" in said
    with pytest.raises(InputError, match="frames: is missing"):
        config_of(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    s3.requests.clear()
    with pytest.raises(InputError, match=r"node.yaml: is there already; --again"):
        enrol(token, tmp_path)
    assert s3.requests == []  # so home keeps when it was enrolled
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_call_that_was_cut_off_is_finished_and_other_files_stay(
    s3: TinyS3, tmp_path: Path
) -> None:
    token = token_for(s3)
    enrol(token, tmp_path)
    (tmp_path / "node.yaml").unlink()
    enrol(token, tmp_path)
    assert (tmp_path / "node.yaml").exists()
    (tmp_path / "node.yaml").unlink()
    (tmp_path / "keys").write_text("mine")
    with pytest.raises(InputError, match=r"keys: is there already; move it away"):
        enrol(token, tmp_path)
    assert (tmp_path / "keys").read_text() == "mine"
    assert not (tmp_path / "node.yaml").exists()


def test_a_token_that_is_no_good_leaves_no_file(s3: TinyS3, tmp_path: Path) -> None:
    place = tmp_path / "node"
    bad: dict[str, Token | str] = {
        "expired": token_for(s3, expires_s=time.time() - 1),
        "home refuses the keys": token_for(s3, keys={"key_id": "AKIDX", "secret": "x"}),
        "cut or changed": encoded(token_for(s3))[:-9],
        "lookk: is no key of a node": token_for(s3, settings={"lookk": 1}),
        "--root: expected root.json": token_for(s3, root="{}"),
    }
    for line, token in bad.items():
        with pytest.raises(InputError, match=line) as told:
            enrol(token, place)
        assert SECRET not in str(told.value)
    assert not place.exists()
    lost = token_for(
        s3, uplink={"kind": "s3", "bucket": "edge", "endpoint": "http://127.0.0.1:9"}
    )
    assert "home was not reached, the node will go on trying" in enrol(lost, place)
    assert (place / "node.yaml").exists()


def test_the_token_as_an_argument_is_told_of(s3: TinyS3, tmp_path: Path) -> None:
    file = tmp_path / "cam-1.token"
    file.write_text(encoded(token_for(s3)))
    file.chmod(0o644)
    for given, warned in ((str(file), False), (encoded(token_for(s3)), True)):
        place = tmp_path / str(warned)
        words = ["enrol", given, "--folder", str(place)]
        done = CliRunner().invoke(commands, words)
        assert done.exit_code == 0, done.output
        assert ("history" in done.stderr) == warned
        assert ("others may read" in done.stderr) == (not warned)
    file.chmod(0o600)
    words = ["enrol", str(file), "--folder", str(tmp_path / "private")]
    assert "others" not in CliRunner().invoke(commands, words).stderr


def test_again_replaces_keys_and_keeps_the_old_ones(s3: TinyS3, tmp_path: Path) -> None:
    enrol(token_for(s3), tmp_path, "--frames", str(tmp_path))
    text, old = (tmp_path / "node.yaml").read_text(), (tmp_path / "keys").read_text()
    s3.keys = {NEW.key_id: NEW.secret}
    other = token_for(s3, keys={"key_id": NEW.key_id, "secret": NEW.secret})
    frames, sealed = ["ab" * 32], seal(NEW, "cam-1", new_secret())
    wants = {"schema": 1, "frames": frames, "keys": sealed}  # for the token of before
    s3.objects[f"{MAIN}/wants.json"] = json.dumps(wants).encode()
    said = enrol(other, tmp_path, "--again")
    assert json.loads(s3.objects[f"{MAIN}/wants.json"]) == {**wants, "keys": ""}
    wants["keys"] = seal(NEW, "cam-1", other.sealing)
    s3.objects[f"{MAIN}/wants.json"] = json.dumps(wants).encode()
    said = enrol(other, tmp_path, "--again")
    assert json.loads(s3.objects[f"{MAIN}/wants.json"]) == wants
    assert "start the agent again" in said
    assert (tmp_path / "node.yaml").read_text() == text
    assert (tmp_path / "keys.before").read_text() == old
    assert (tmp_path / "keys.before").stat().st_mode & 0o777 == 0o600
    assert keys_in(read_lines(tmp_path / "keys"), "keys") == NEW
    assert read_lines(tmp_path / "keys")[SEALING] == other.sealing
    for change, line in (
        ({"node": "cam-2"}, "is of cam-1, and the token of cam-2"),
        ({"uplink": {**other.uplink.model_dump(), "prefix": "b"}}, "uplink.prefix: is site"),
    ):
        wrong = token_for(s3, keys=other.keys.model_dump(), **change)
        with pytest.raises(InputError, match=line):
            enrol(wrong, tmp_path, "--again")
    with pytest.raises(InputError, match=r"node.yaml"):
        enrol(other, tmp_path / "nowhere", "--again")


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
    assert len(caplog.records) == 3
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


class Ended(BaseException):
    """The process ends."""


def ended(*_: object) -> None:
    raise Ended


def no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_bare_machine_gets_the_model_that_is_published(
    s3: TinyS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is signed, comes once, and is what the node would update to."""
    publisher = Publisher(tmp_path / "home")
    release = publisher.put(tiny_model())
    for file in publisher.published.rglob("*"):
        if file.is_file():
            name = file.relative_to(publisher.root)
            s3.objects[f"/edge/site/{name}"] = file.read_bytes()
    root = (publisher.folder / "keys/root.json").read_text()
    token = token_for(s3, root=root)
    assert len(encoded(token)) < 4_000  # what a terminal takes as one line
    place = tmp_path / "node"
    said = enrol(token, place, "--frames", str(tmp_path))
    assert f"model: {place / 'model.onnx'}, which is tiny.onnx" in said
    assert "reads what is published" in said
    assert (place / "root.json").read_text() == root
    assert (place / "model.onnx").read_bytes() == tiny_model()
    config = config_of(place)
    assert config.updates is not None
    assert config.updates.root == str(place / "root.json")
    gets = [each for each in s3.requests if each.startswith("GET") and "models/" in each]
    assert len(gets) == 1
    kept = Shelf(Path(config.folder) / "models").model_file(release.model.sha256)
    assert kept.read_bytes() == tiny_model()  # where updates look before they fetch it

    again = tmp_path / "again"
    with monkeypatch.context() as cut_off:
        cut_off.setattr("backhaul.node.firstmodel.shutil.copyfile", ended)
        with pytest.raises(Ended):
            enrol(token, again, "--frames", str(tmp_path))
    assert not (again / "node.yaml").exists()
    s3.requests.clear()
    assert "which is tiny.onnx" in enrol(token, again, "--frames", str(tmp_path))
    assert (again / "model.onnx").read_bytes() == tiny_model()
    assert not any("models/" in each for each in s3.requests)  # it had come
    with monkeypatch.context() as full:
        full.setattr("backhaul.node.firstmodel.shutil.copyfile", no_room)
        said = enrol(token, tmp_path / "full", "--frames", str(tmp_path))
    assert "No space left" in said
    assert (tmp_path / "full/node.yaml").exists()

    stranger = Publisher(tmp_path / "stranger")
    other = token_for(s3, root=(stranger.folder / "keys/root.json").read_text())
    said = enrol(other, tmp_path / "other", "--frames", str(tmp_path))
    assert "put a model there" in said
    assert "metadata are not taken" in said
    assert not (tmp_path / "other/model.onnx").exists()
