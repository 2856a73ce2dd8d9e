"""Folders of trainings, also of those whose process was killed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backhaul.storage.scratch import PREFIX, remove_abandoned, scratch_folder

HOLDER = """
import sys
from backhaul.storage.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "weights.pt").write_bytes(b"large")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_it_is_gone_after_the_block(tmp_path: Path) -> None:
    with scratch_folder() as folder:
        (folder / "images").mkdir()
        assert folder.parent == tmp_path
    assert not folder.exists()


def test_that_of_a_killed_process_goes_and_that_of_a_live_one_stays(tmp_path: Path) -> None:
    foreign = [tmp_path / "backhaul-mine", tmp_path / f"{PREFIX}link", tmp_path / f"{PREFIX}x"]
    foreign[0].mkdir()
    (foreign[0] / "file").write_text("kept")
    foreign[1].symlink_to(foreign[0])
    foreign[2].write_text("no folder")
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with scratch_folder():
            assert (theirs / "weights.pt").exists()
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert theirs.exists()
    with scratch_folder() as folder:
        assert sorted(tmp_path.iterdir()) == sorted([folder, *foreign])
        assert folder.stat().st_mode & 0o777 == 0o700
    assert (foreign[0] / "file").read_text() == "kept"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of another user")
def test_that_of_another_user_stays(tmp_path: Path) -> None:
    theirs = tmp_path / f"{PREFIX}theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    remove_abandoned()
    assert theirs.exists()


def test_that_of_a_process_goes_with_it(tmp_path: Path) -> None:
    code = "from backhaul.look.libraries import settings_folder as f; print(f(), f())"
    environment = {k: v for k, v in os.environ.items() if k != "YOLO_CONFIG_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"TMPDIR": str(tmp_path)},
    )
    first, second = map(Path, done.stdout.split())
    assert first == second
    assert first.parent.parent == tmp_path
    assert not list(tmp_path.iterdir())
