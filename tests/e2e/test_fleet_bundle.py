"""An archive of all that is known of a node, by the command; the node answers while it runs."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backhaul.cli.fleet import fleet
from backhaul.errors import InputError
from backhaul.fleet.bundle import files_of, wait_for_report
from backhaul.fleet.wants import want
from backhaul.node.running import Node
from backhaul.node.settings import NodeConfig
from tests.unit.node.test_running import put_frames, settings


def run(*words: str) -> Result:
    """Run `backhaul fleet`; what it raises is raised."""
    done = CliRunner().invoke(fleet, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def opened(path: Path) -> dict[str, str]:
    """Return the files of an archive, by name."""
    files = {}
    with tarfile.open(path) as tar:
        for name in tar.getnames():
            file = tar.extractfile(name)
            assert file is not None
            files[name.removeprefix("cam-1/")] = file.read().decode()
    return files


def test_a_node_that_runs_answers_and_all_is_in_one_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.node.outgoing.TELL_S", 0.2)
    monkeypatch.setattr("backhaul.fleet.bundle.POLL_S", 0.2)
    put_frames(tmp_path / "frames", 2)
    home, out = tmp_path / "home", tmp_path / "cam-1.tar.gz"
    config = NodeConfig.model_validate(settings(tmp_path, status_s=5))
    window = home / "ingested/told/cam-1/windows/0000000007-00112233445566aa.json"
    window.parent.mkdir(parents=True)
    window.write_text('{"window": 7, "text": "\\u001b[31m"}')
    want(str(home), "cam-1", ["ab" * 32])
    stopping = threading.Event()
    with Node(config) as node:
        thread = threading.Thread(target=lambda: node.run(stopping.is_set))
        thread.start()
        try:
            end_s = time.monotonic() + 20
            while len(list(home.glob("inbox/cam-1/*.jpg"))) < 2 and time.monotonic() < end_s:
                time.sleep(0.05)
            words = ("bundle", "cam-1", "--store", str(home), "--out", str(out))
            done = run(*words, "--ask", "--wait", "0.5")
        finally:
            stopping.set()
            thread.join()
    assert done.exit_code == 0
    assert "has not answered" not in done.stderr
    assert "report.json" in done.stdout
    files = opened(out)
    report = json.loads(files["report.json"])
    assert report["settings"]["node"] == "cam-1"
    assert sum(report["journal"].values()) > 0
    assert json.loads(files["wants.json"])["frames"] == ["ab" * 32]
    assert json.loads(files["view.json"])["status"]["node"] == "cam-1"
    assert json.loads(files["windows/0000000007-00112233445566aa.json"])["window"] == 7
    assert "\x1b" not in "".join(files.values())
    with pytest.raises(InputError, match="is there already"):
        run(*words)


def test_what_a_node_wrote_is_only_ever_data(tmp_path: Path) -> None:
    """It is bounded, also unpacked, and what cannot be read is left out."""
    place = tmp_path / "nodes/cam-1"
    place.mkdir(parents=True)
    lines = ["\x1b]0;title\x07", "fine", {"no": "text"}, "x" * 10_000]
    told = {"question": "1a", "log": lines, "settings": {"\x1b": "\u202e"}}
    (place / "report.json.gz").write_bytes(gzip.compress(json.dumps(told).encode()))
    (place / "status.json").write_text('{"node": "\\u001b[2J", "time_s": 1}')
    (place / "wants.json").write_text('{"frames": [], "keys": "gAAAAsealed", "more": 1}')
    files = files_of(str(tmp_path), "cam-1")
    assert set(files) == {"view.json", "wants.json", "report.json", "log.txt"}
    whole = "".join(files.values())
    assert all(line.isprintable() for line in whole.splitlines())
    assert "gAAAA" not in whole
    assert files["log.txt"].splitlines()[1] == "fine"
    assert max(map(len, files["log.txt"].splitlines())) < 600
    for data in (
        gzip.compress(bytes(10**8)),
        b"no gzip",
        gzip.compress(b"[1]"),
        os.urandom(70_000),
    ):
        (place / "report.json.gz").write_bytes(data)
        assert set(files_of(str(tmp_path), "cam-1")) == {"view.json", "wants.json"}
    with pytest.raises(InputError, match="no name of a node"):
        files_of(str(tmp_path), "../x")


def test_a_node_that_is_silent_is_told_of_and_the_rest_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.fleet.bundle.POLL_S", 0.05)
    release = tmp_path / f"published/targets/groups/all/{'0a' * 32}.release.json"
    release.parent.mkdir(parents=True)
    release.write_text('{"format": 1, "name": "m.onnx"}')
    other = tmp_path / f"published/targets/groups/night/{'0b' * 32}.release.json"
    other.parent.mkdir()
    other.write_text("{}")
    began_s = time.monotonic()
    out = tmp_path / "x.tar.gz"
    words = ("bundle", "cam-1", "--store", str(tmp_path), "--out", str(out))
    done = run(*words, "--ask", "--wait", "0.005")
    assert time.monotonic() - began_s < 10
    assert "cam-1 has not answered within 0.005 minutes" in done.stderr
    assert "cam-1 has never told here how it is" in done.stderr
    files: dict[str, Any] = opened(out)
    both = {"published/all/newest.json", "published/night/newest.json"}
    assert set(files) == {"view.json", "wants.json", *both}
    assert len(json.loads(files["wants.json"])["ask"]) == 16
    (tmp_path / "nodes/cam-1/status.json").write_text(
        json.dumps({"group": "all", "release": "0a" * 6})
    )
    found = {name for name in files_of(str(tmp_path), "cam-1") if name.startswith("published")}
    assert found == {"published/all/newest.json", "published/all/in-use.json"}


def test_an_answer_that_comes_last_counts_and_wrong_words_are_told_before_it_is_asked(
    tmp_path: Path,
) -> None:
    place = tmp_path / "nodes/cam-1"
    place.mkdir(parents=True)

    def answer(_: float) -> None:
        data = gzip.compress(b'{"question": "1a"}')
        (place / "report.json.gz").write_bytes(data)

    assert not wait_for_report(str(tmp_path), "cam-1", "1a", 0, answer)
    assert wait_for_report(str(tmp_path), "cam-1", "1a", 1, answer)
    words = ("bundle", "cam-1", "--store", str(tmp_path), "--ask")
    with pytest.raises(InputError, match=r"none: is no folder"):
        run(*words, "--out", str(tmp_path / "none/x.tar.gz"))
    for wait in ("inf", "nan"):
        assert run(*words, "--wait", wait).exit_code == 2
    assert not (place / "wants.json").exists()
