"""Folders of trainings, also of those whose process was killed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backhaul.learn.training.scratch import PREFIX, scratch_folder

HOLDER = """
import sys
from backhaul.learn.training.scratch import scratch_folder
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
    foreign = tmp_path / f"{PREFIX}mine"
    foreign.mkdir()
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
        assert sorted(tmp_path.iterdir()) == sorted([folder, foreign])  # one of no lock stays
