"""What a table says is told apart from how it is stored."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backhaul.errors import CorruptArtifactError
from backhaul.storage import objects
from backhaul.storage.digests import table_digest
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import (
    read_value,
    replace,
    write_checkpoint,
    write_value,
)

NAMES = ["b", None, "", "weiß", "b"]
FIRST, SECOND = [{"x": 1.0, "id": 2}], [{"x": None, "id": 1}, None]
TABLE = pa.table(
    {
        "name": pa.array(NAMES),
        "count": pa.array([1, None, 3, 0, -5]),
        "share": pa.array([0.5, None, 0.0, 1e300, -1.0]),
        "known": pa.array([True, None, False, True, True]),
        "labels": pa.array(
            [FIRST, None, [], SECOND, []],
            pa.list_(pa.struct([("x", pa.float64()), ("id", pa.int32())])),
        ),
        "nothing": pa.array([None] * 5, pa.string()),
    }
)
DIGEST = table_digest(TABLE)


def with_column(name: str, values: Any, kind: Any = None) -> pa.Table:
    place = TABLE.column_names.index(name)
    return TABLE.set_column(place, name, pa.array(values, kind))


def stored(**options: Any) -> pa.Table:
    buffer = BytesIO()
    pq.write_table(TABLE, buffer, **options)
    return pq.read_table(BytesIO(buffer.getvalue()))


@pytest.mark.parametrize(
    "same",
    [
        stored(compression="gzip", use_dictionary=False),
        stored(version="1.0", row_group_size=2),
        stored(data_page_version="2.0", store_schema=False),
        pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(2)]),
        pa.concat_tables([TABLE.slice(3), TABLE]).slice(2),
        TABLE.select(sorted(TABLE.column_names, reverse=True)),
        TABLE.drop_columns(["nothing"]),
        with_column("name", NAMES, pa.large_string()),
        with_column("name", pa.array(NAMES).dictionary_encode()),
        with_column("count", [1, None, 3, 0, -5], pa.int16()),
        with_column("share", [0.5, None, -0.0, 1e300, -1.0]),
        TABLE.replace_schema_metadata({"pandas": "{}"}),
    ],
)
def test_how_a_table_is_stored_does_not_matter(same: pa.Table) -> None:
    assert table_digest(same) == DIGEST


@pytest.mark.parametrize(
    "other",
    [
        TABLE.slice(1),
        TABLE.drop_columns(["known"]),
        TABLE.rename_columns(["names", *TABLE.column_names[1:]]),
        TABLE.replace_schema_metadata({"class_names": '["a"]'}),
        TABLE.take([1, 0, 2, 3, 4]),
        with_column("name", ["b", "", "", "weiß", "b"]),
        with_column("name", ["b", None, "w", "eiß", "b"]),
        with_column("count", [1.0, None, 3.0, 0.0, -5.0]),
        with_column("count", [1, 0, 3, 0, -5]),
        with_column("share", [0.5, float("nan"), 0.0, 1e300, -1.0]),
        with_column("labels", [[], None, FIRST, SECOND, []]),
        with_column("labels", [FIRST, [], [], SECOND, []]),
        with_column("nothing", ["", None, None, None, None]),
    ],
)
def test_what_a_table_says_matters(other: pa.Table) -> None:
    assert table_digest(other) != DIGEST


def test_the_digest_is_as_it_was() -> None:
    assert DIGEST == ("a63d3826228ca6c1a173f7b28fa3971968f83007d093f896332e059e2e6a1cb5")


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="have no digest"):
        table_digest(pa.table({"span": pa.array([1], pa.duration("s"))}))


def test_versions_that_write_other_bytes_say_the_same_and_do_not_clash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"number": np.arange(100)})
    ours = write_value(str(tmp_path), frame)
    with monkeypatch.context() as patch:
        patch.setattr(objects, "parquet_of", later_parquet)
        theirs = write_value(str(tmp_path), frame)
    assert ours.content == theirs.content
    assert ours.sha256 != theirs.sha256
    assert ours.uri != theirs.uri
    for artifact in (ours, theirs):
        pd.testing.assert_frame_equal(read_value(pd.DataFrame, artifact), frame)


def later_parquet(table: pa.Table) -> bytes:
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="gzip")
    return buffer.getvalue()


def test_bytes_are_checked_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = write_value(str(tmp_path), pd.DataFrame({"number": [1]}))
    other = write_value(str(tmp_path), pd.DataFrame({"number": [2]}))
    replace(artifact.uri, Path(other.uri).read_bytes())
    monkeypatch.setattr(objects, "parquet_in", None)
    with pytest.raises(CorruptArtifactError):
        read_value(pd.DataFrame, artifact)


def test_a_checkpoint_is_a_checked_copy_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    weights, folder = tmp_path / "weights.pt", tmp_path / "own"
    folder.mkdir()
    weights.write_bytes(b"weights")
    artifact = write_checkpoint(str(tmp_path / "store"), weights, "c" * 64)
    assert artifact.content == "c" * 64
    local = local_object(artifact, folder)
    assert local.parent == folder
    assert local.read_bytes() == b"weights"
    local.unlink()
    replace(artifact.uri, b"weightz")
    with pytest.raises(CorruptArtifactError):
        local_object(artifact, folder)
    assert not any(folder.iterdir())


def test_places_in_the_store_are_those_of_where_it_lies(tmp_path: Path) -> None:
    here = tmp_path / "here"
    uris = [f"{here}/.backhaul/objects/aa/a.png", f"{here}/ingested/b.jpg", "/elsewhere/c.jpg"]
    frame = pd.DataFrame({"uri": uris, "n": [1, 2, 3]})
    stored = write_value(str(here), frame)
    assert list(read_value(pd.DataFrame, stored)["uri"]) == uris
    here.rename(tmp_path / "there")
    moved = stored.model_copy(update={"uri": stored.uri.replace("/here/", "/there/")})
    expected = [uri.replace("/here/", "/there/") for uri in uris]
    assert list(read_value(pd.DataFrame, moved)["uri"]) == expected
    again = write_value(str(tmp_path / "there"), frame.assign(uri=expected))
    assert (again.content, again.sha256) == (stored.content, stored.sha256)
