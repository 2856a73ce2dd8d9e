"""YAML of anybody's."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backhaul.campaign.configfile import load_config
from backhaul.data.formats import read
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.yamltext import parse_documents, parse_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)
HOSTILE = {
    "bomb": BOMB + "name: *a9\nnames: *a9\n",
    "bomb in keys": BOMB + "? *a9\n: 1\n",
    "an alias within itself": "name: &a [*a]\nnames: *a\n",
    "an alias within itself, once": "name: &a {b: [*a]}\n",
    "no date": "name: 2024-99-99\nnames: 2024-99-99\n",
    "no time": "name: 2024-01-01T99:99:99Z\n",
    "many digits": f"name: {'9' * 5000}\n",
    "depth": "name: " + "[" * 5000,
    "depth of keys": "{a: " * 5000,
    "no text": "\x00\x01",
    "a tag": "name: !!python/object/apply:os.system [true]\n",
    "keys that are lists": "? [1, 2]\n: 3\n",
    "half": "name: [a, b",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_ends_with_one_short_line_in_little_time(name: str, tmp_path: Path) -> None:
    started = time.monotonic()
    config, data = tmp_path / "c.yaml", tmp_path / "data.yaml"
    for path in (config, data):
        path.write_text(HOSTILE[name])
    with pytest.raises(InputError) as of_config:
        load_config(config)
    with pytest.raises(InputError) as of_data:
        read(FolderData(root=tmp_path.as_posix(), format="yolo"))
    for caught in (of_config, of_data):
        assert max(map(len, str(caught.value).splitlines())) < 1000
    assert time.monotonic() - started < 5


def test_bytes_that_are_no_text_are_no_yaml() -> None:
    with pytest.raises(InputError, match="not YAML"):
        parse_yaml(b"name: \xff\xfe")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=30,
    )
)
def test_other_text_is_read_as_ever(value: object) -> None:
    text = yaml.safe_dump([value, value])  # with aliases
    assert parse_yaml(text) == yaml.safe_load(text)
    assert parse_yaml(text.encode()) == yaml.safe_load(text)


def test_documents_are_bounded_each() -> None:
    assert parse_documents("a: 1\n---\nb: 2\n---\n") == [{"a": 1}, {"b": 2}, None]
    with pytest.raises(InputError, match="aliases"):
        parse_documents(f"a: 1\n---\n{HOSTILE['bomb']}")
