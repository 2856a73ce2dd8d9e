"""Records that are written once are read once, and one that was replaced is read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backhaul.campaign.keptrecords import read_written_once
from backhaul.campaign.recordfiles import RecordType
from backhaul.errors import DamagedRecordError
from backhaul.registry.log import ENTRY, Entry

LATER_S = 5.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "records"
    for number in (1, 2, 3):
        put(folder, number, "first")
    (folder / "note.txt").write_text("no record")
    (folder / "below").mkdir()
    return folder


def put(folder: Path, number: int, reason: str) -> None:
    ENTRY.write(f"{folder}/{number:08d}.json", Entry(kind="accepted", reason=reason))


def reasons(folder: Path) -> list[str]:
    return [entry.reason for entry in read_written_once(ENTRY, str(folder)).values()]


def test_each_is_read_once_until_it_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = RecordType.read

    def noted(kind: RecordType[Entry], place: str) -> Entry | None:
        read.append(Path(place).stem.lstrip("0"))
        return plain(kind, place)

    monkeypatch.setattr(RecordType, "read", noted)
    assert reasons(folder) == ["first"] * 3
    assert reasons(folder) == ["first"] * 3
    assert sorted(read) == ["1", "2", "3"]
    put(folder, 2, "other")
    put(folder, 4, "first")
    assert reasons(folder) == ["first", "other", "first", "first"]
    assert sorted(read) == ["1", "2", "2", "3", "4"]


def test_one_that_is_written_anew_with_the_same_size_is_told_by_its_time(folder: Path) -> None:
    assert reasons(folder) == ["first"] * 3
    put(folder, 3, "third")
    place = folder / "00000003.json"
    os.utime(place, (place.stat().st_atime, place.stat().st_mtime + LATER_S))
    assert reasons(folder) == ["first", "first", "third"]


def test_one_that_is_gone_or_damaged_is_not_kept(folder: Path) -> None:
    assert reasons(folder) == ["first"] * 3
    (folder / "00000001.json").unlink()
    assert reasons(folder) == ["first"] * 2
    (folder / "00000002.json").write_text("{")
    for _ in range(2):
        with pytest.raises(DamagedRecordError, match="expected a registry entry"):
            reasons(folder)


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert read_written_once(ENTRY, str(tmp_path / "none")) == {}
