"""Keys that home seals for one node, and the private files that keep secrets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backhaul.untrusted import UnreadableFileError
from backhaul.uplink.keys import SEALING, key_text, keys_in, mark_of, read_lines
from backhaul.uplink.privatefile import read_private, write_private
from backhaul.uplink.sealing import SealedError, new_secret, seal, unseal
from backhaul.uplink.signature import Keys

KEYS = Keys("AKIDNEW", "the/new+secret", "of a session".replace(" ", "-"))


def test_who_has_the_secret_opens_and_nobody_else() -> None:
    secret = new_secret()
    sealed = seal(KEYS, "cam-1", secret)
    opened = unseal(sealed, "cam-1", secret)
    assert opened.keys == KEYS
    assert abs(opened.sealed_s - time.time()) < 60
    assert not any(word in sealed for word in ("AKIDNEW", "cam-1", "secret"))
    with pytest.raises(SealedError, match="another node"):
        unseal(sealed, "cam-2", secret)
    for text, by in (
        (sealed, new_secret()),
        (sealed[:-4], secret),
        ("é", secret),
        ("\ud800", secret),  # as JSON may say it
        ("", secret),
    ):
        with pytest.raises(SealedError, match="changed, or sealed with another secret"):
            unseal(text, "cam-1", by)
    for place in range(0, len(sealed), 7):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(SealedError):
            unseal(sealed[:place] + other + sealed[place + 1 :], "cam-1", secret)


def test_a_key_file_says_its_keys(tmp_path: Path) -> None:
    path, secret = tmp_path / "keys", new_secret()
    write_private(path, key_text(KEYS, secret))
    assert path.stat().st_mode & 0o777 == 0o600
    lines = read_lines(path)
    assert keys_in(lines, path) == KEYS
    assert lines[SEALING] == secret


def test_a_mark_tells_keys_apart_and_says_nothing_of_them() -> None:
    assert mark_of("AKIDNEW") != mark_of("AKIDOLD")
    assert len(mark_of("AKIDNEW")) == 8
    assert "AKID" not in mark_of("AKIDNEW")


@pytest.mark.parametrize("step", ["open", "fdopen", "fsync", "replace"])
def test_a_private_file_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Ended(BaseException):
        """The process ends."""

    def end(*_: Any, **__: Any) -> None:
        raise Ended

    path = tmp_path / "keys"
    write_private(path, "old\n")
    with monkeypatch.context() as patched:
        place = Path if step == "replace" else os
        patched.setattr(place, step, end)
        with pytest.raises(Ended):
            write_private(path, "new\n" * 1_000)
    assert read_private(path) == "old\n"
    write_private(path, "new\n")  # though the draft of the one that ended lies there
    assert read_private(path) == "new\n"
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]


def test_a_full_disk_leaves_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys"
    write_private(path, "old\n")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space") as told:
        write_private(path, "new\n")
    assert told.value.filename == str(path)  # by which a command tells it in one line
    assert read_private(path) == "old\n"
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("a secret")
    path.chmod(0o640)
    with pytest.raises(UnreadableFileError, match="chmod 600") as told:
        read_private(path)
    assert "a secret" not in str(told.value)


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    write_private(tmp_path / "there/keys", "old\n")
    (tmp_path / "keys").symlink_to(tmp_path / "there/keys")
    write_private(tmp_path / "keys", "new\n")
    assert (tmp_path / "keys").is_symlink()
    assert read_private(tmp_path / "there/keys") == "new\n"


ENDLESS = """
import sys
from pathlib import Path
from backhaul.uplink.privatefile import write_private
path, number = Path(sys.argv[1]), 0
while True:
    number += 1
    write_private(path, f"{number}\\n" * 2_000)
    print(flush=True)
"""


@pytest.mark.slow
def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    path, rng = tmp_path / "keys", np.random.default_rng(0)
    for _ in range(5):
        command = [sys.executable, "-c", ENDLESS, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.05)))
            writer.kill()
        lines = read_private(path).splitlines()
        assert len(lines) == 2_000
        assert len(set(lines)) == 1
