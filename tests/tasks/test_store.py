from pathlib import Path

import pandas as pd
import pytest

from backhaul.errors import CorruptArtifactError, MissingObjectError
from backhaul.storage.objects import (
    artifacts_in,
    exists,
    read_bytes,
    read_value,
    replace,
    write_bytes,
    write_value,
)
from backhaul.values.artifacts import Artifact


def test_equal_content_is_one_object(tmp_path: Path) -> None:
    first = write_bytes(str(tmp_path), b"abc", ".bin")
    assert write_bytes(str(tmp_path), b"abc", ".bin") == first
    assert read_bytes(first) == b"abc"
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


def test_tables_come_back_as_they_were(tmp_path: Path) -> None:
    table = pd.DataFrame({"image_id": ["007", "a"], "x": [1.5, float("nan")]})
    stored = write_value(str(tmp_path), table)
    pd.testing.assert_frame_equal(read_value(pd.DataFrame, stored), table, check_dtype=False)


def test_damage_and_loss_are_told_apart(tmp_path: Path) -> None:
    stored = write_bytes(str(tmp_path), b"abc", ".bin")
    Path(stored.uri).write_bytes(b"abd")
    with pytest.raises(CorruptArtifactError, match="does not match its digest"):
        read_bytes(stored)
    Path(stored.uri).unlink()
    assert not exists(stored)
    with pytest.raises(MissingObjectError, match="is gone from the store"):
        read_bytes(stored)


def test_replacing_leaves_no_partial_file(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "er" / "state.json"
    for content in (b"1", b"22"):
        replace(str(place), content)
        assert place.read_bytes() == content
    assert [p.name for p in place.parent.iterdir()] == ["state.json"]


def test_a_remote_filesystem_serves_as_well() -> None:
    stored = write_bytes("memory://bucket/prefix", b"abc", ".bin")
    assert stored.uri.startswith("memory://bucket/prefix/.backhaul/objects/")
    assert read_bytes(stored) == b"abc"


def test_artifacts_are_found_wherever_they_are() -> None:
    a, b = Artifact(uri="u", sha256="1"), Artifact(uri="v", sha256="2")
    assert list(artifacts_in({"x": [a, 3], "y": (None, {"z": b})})) == [a, b]
