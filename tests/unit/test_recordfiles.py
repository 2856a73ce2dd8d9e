"""Records as they are written, and as a later version reads them."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from backhaul.campaign import migration
from backhaul.campaign.recordfiles import RecordType
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from backhaul.values.artifacts import Artifact


class Made(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    tables: dict[str, tuple[Artifact, ...]] = {}


MADE = RecordType("made-up", Made)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return RunFiles(tmp_path.as_posix(), "tiny").round("made")


def artifact(root: Path | str, name: str = "ab/abc.parquet") -> Artifact:
    return Artifact(uri=f"{root}/.backhaul/objects/{name}", sha256="abc")


def test_places_are_relative_and_follow_the_store(tmp_path: Path) -> None:
    old, new = (RunFiles((tmp_path / name).as_posix(), "tiny").round("a") for name in "ab")
    MADE.write(old, Made(name="x", tables={"a": (artifact(tmp_path / "a"),)}))
    stored = json.loads(Path(old).read_text())
    assert stored["tables"]["a"][0]["uri"] == "objects/ab/abc.parquet"
    (tmp_path / "a").rename(tmp_path / "b")
    assert MADE.read(old) is None
    again = MADE.read(new)
    assert again == Made(name="x", tables={"a": (artifact(tmp_path / "b"),)})


def test_what_lies_outside_of_the_store_is_no_part_of_a_record(place: str) -> None:
    elsewhere = Artifact(uri="s3://other/a.parquet", sha256="d")
    with pytest.raises(ValueError, match="expected a place below"):
        MADE.write(place, Made(name="x", tables={"a": (elsewhere,)}))
    assert MADE.read(place) is None


def test_an_older_record_is_brought_up_to_date_and_stays_as_it_is(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By schema 1 it had a title, by schema 2 a label."""
    Path(place).parent.mkdir(parents=True)
    Path(place).write_text('{"schema": 1, "title": "x"}')

    def renamed(old: str, new: str) -> migration.Step:
        return lambda r: {new if key == old else key: value for key, value in r.items()}

    monkeypatch.setitem(migration.STEPS, ("made-up", 1), renamed("title", "label"))
    monkeypatch.setitem(migration.STEPS, ("made-up", 2), renamed("label", "name"))
    assert RecordType("made-up", Made, schema=3).read(place) == Made(name="x")
    assert Path(place).read_text() == '{"schema": 1, "title": "x"}'


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"schema": 2, "name": "x"}, "written by a newer version"),
        ({"schema": 1, "name": "x", "more": 1}, "more: Extra inputs are not permitted"),
        ({"schema": 1}, "name: Field required"),
        ({"name": "x"}, "schema: expected a number from 1 on, got None"),
        ([], "expected a made-up, got list"),
    ],
)
def test_what_cannot_be_read_ends_with_one_line(place: str, record: Any, reason: str) -> None:
    Path(place).parent.mkdir(parents=True)
    Path(place).write_text(json.dumps(record))
    with pytest.raises(InputError, match=reason) as caught:
        MADE.read(place)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(place)
