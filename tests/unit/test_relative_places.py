"""Places in tables are stored relative to what may be moved, and read as they are today."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.errors import InputError
from backhaul.storage import objects
from backhaul.storage.dataroots import DataRoots
from backhaul.storage.objects import note_data_root, read_uri, read_value, write_value
from backhaul.storage.relative import (
    data_sets_in,
    with_absolute_places,
    with_relative_places,
)

FIRST, SECOND = "a" * 32, "b" * 32
STORES = ["/s", "/data/store", "s3://bucket/store"]
ROOTS = ["/data", "/data/in", "s3://bucket/data"]
OTHERS = ["/dataset/x.png", "/else/ä b.png", "data:no/x.png", "s3://bucket/data2/x.png", None]

paths = st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1))


def below(roots: list[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda root, path: "/".join([root, "p", *path]), st.sampled_from(roots), paths
    )


@given(
    uris=st.lists(below([*STORES, *ROOTS]) | st.sampled_from(OTHERS)),
    store=st.sampled_from(STORES),
    roots=st.lists(st.sampled_from(ROOTS), min_size=2, max_size=2, unique=True),
)
def test_both_ways_and_elsewhere(uris: list[str | None], store: str, roots: list[str]) -> None:
    digests = dict(zip(sorted(roots, key=len, reverse=True), (FIRST, SECOND), strict=True))
    table = pa.table({"uri": pa.array(uris, pa.string()), "other": pa.array(uris, pa.string())})
    stored = with_relative_places(table, store, digests)
    assert stored["other"] == table["other"]
    left = [uri for uri in stored["uri"].to_pylist() if uri is not None]
    assert not any(uri.startswith(f"{r}/") for r in (store, *roots) for uri in left)
    here = {digest: root for root, digest in digests.items()}
    assert set(data_sets_in(stored)) <= here.keys()
    named = {digest: here[digest] for digest in data_sets_in(stored)}
    assert with_absolute_places(stored, store, named) == table
    there = {digest: f"/moved/{digest}" for digest in named}
    moved = with_absolute_places(stored, "/new", there)
    again = {root: digest for digest, root in there.items()}
    assert with_relative_places(moved, "/new", again) == stored


def test_tables_without_places_name_no_data_set() -> None:
    assert data_sets_in(pa.table({"uri": [1, 2], "name": [f"data:{FIRST}/a", None]})) == []
    assert data_sets_in(pa.table({"file": pa.array([None], pa.string())})) == []


@pytest.fixture
def another_process(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(objects, "_data_roots", DataRoots())
    return monkeypatch


def test_a_data_set_that_is_moved_is_found_by_other_processes(
    tmp_path: Path, another_process: pytest.MonkeyPatch
) -> None:
    store, table = str(tmp_path), pd.DataFrame({"uri": ["/here/a.png", "/else/a.png"]})
    note_data_root(store, FIRST, "/here")
    stored = write_value(store, table)
    another_process.setattr(objects, "_data_roots", DataRoots())
    assert read_value(pd.DataFrame, stored).equals(table)
    assert write_value(store, table) == stored

    note_data_root(store, FIRST, "/there")
    another_process.setattr(objects, "_data_roots", DataRoots())
    moved = read_value(pd.DataFrame, stored)
    assert list(moved["uri"]) == ["/there/a.png", "/else/a.png"]
    assert write_value(store, moved) == stored
    assert write_value(store, table) != stored  # nothing lies there any more


def test_of_two_states_of_a_data_set_tables_keep_theirs(
    tmp_path: Path, another_process: pytest.MonkeyPatch
) -> None:
    store, table = str(tmp_path), pd.DataFrame({"uri": ["/here/a.png"]})
    stored = {}
    for digest in (FIRST, SECOND):
        note_data_root(store, digest, "/here")
        stored[digest] = write_value(store, table)
    assert stored[FIRST].content != stored[SECOND].content
    for digest in (FIRST, SECOND, FIRST):
        assert write_value(store, read_value(pd.DataFrame, stored[digest])) == stored[digest]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, f"is gone, so that nobody knows where the data set {FIRST} lies"),
        (b"{", "is damaged"),
        (b'{"schema": 1}', "is damaged"),
        (b'{"schema": 9, "root": "/"}', "was written by a newer version of Backhaul"),
    ],
)
def test_without_its_root_a_data_set_is_not_found(
    content: bytes | None, message: str, tmp_path: Path, another_process: pytest.MonkeyPatch
) -> None:
    note_data_root(str(tmp_path), FIRST, "/here")
    stored = write_value(str(tmp_path), pd.DataFrame({"uri": ["/here/a.png"]}))
    (file,) = (tmp_path / ".backhaul" / "roots").iterdir()
    assert read_uri(str(file)) == b'{"schema": 1, "root": "/here"}'
    file.unlink() if content is None else file.write_bytes(content)
    another_process.setattr(objects, "_data_roots", DataRoots())
    with pytest.raises(InputError, match=message):
        read_value(pd.DataFrame, stored)
