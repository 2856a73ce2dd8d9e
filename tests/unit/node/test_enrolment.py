"""A bare machine becomes a node by a token."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backhaul.cli.node import node as commands
from backhaul.errors import InputError
from backhaul.node.running import Node
from backhaul.node.updates.shelf import Shelf
from backhaul.uplink.keys import SEALING, keys_in, mark_of, read_lines
from backhaul.uplink.sealing import new_secret, seal
from backhaul.uplink.token import Token, encoded
from tests.enrolling import MAIN, NEW, config_of, enrol, run_until, status_of, token_for
from tests.onnxmodels import brightness_model
from tests.publishing import Publisher
from tests.tiny_s3 import KEY_ID, SECRET, TinyS3
from tests.tinymodels import tiny_model
from tests.unit.node.test_running import put_frames

pytestmark = pytest.mark.usefixtures("hastily")


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
