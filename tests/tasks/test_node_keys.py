"""`backhaul doctor` tries what a node's keys may do, and says when one key does all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backhaul.errors import InputError
from backhaul.health import Status
from backhaul.health.nodekeys import check_node_keys, read_keys
from blocks.opening import resolve
from tests.identities import IDENTITIES, STORE, environment_of

URI = f"s3://edge/{STORE}"


@pytest.fixture
def file_of(
    object_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Writes the keys of somebody into a file; this process has home's."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    known = {each.access_key: each.secret_key for each in IDENTITIES}
    known["backhaul"] = object_store.secret_key

    def write(access_key: str, secret_key: str | None = None) -> Path:
        secret = known[access_key] if secret_key is None else secret_key
        file = tmp_path / "node.env"
        file.write_text(f"AWS_ACCESS_KEY_ID={access_key}\nAWS_SECRET_ACCESS_KEY='{secret}'\n")
        return file

    return write


def files_in(object_store: Any) -> list[str]:
    """The objects of the store; SeaweedFS lists a folder that is empty by now as one."""
    found = object_store.filesystem.find(f"edge/{STORE}")
    return [name for name in found if name != f"edge/{STORE}"]


@pytest.mark.s3
@pytest.mark.parametrize(
    ("who", "status", "told"),
    [
        ("node-cam-1", Status.OK, "may not list the store, read what is home's, overwrite"),
        ("backhaul", Status.FAILED, "one key does all"),
        ("home-site", Status.FAILED, "one key does all"),
        ("reader-chief", Status.FAILED, "may list the store, read what is home's"),
        ("annotator-ann", Status.FAILED, "may write labels"),
    ],
)
def test_what_keys_may_do_is_tried(
    who: str, status: Status, told: str, file_of: Any, object_store: Any
) -> None:
    before = files_in(object_store)
    file = file_of(who)
    answer = check_node_keys(URI, resolve, file)
    assert (answer.status, told in answer.found) == (status, True), answer
    assert ("docs/security.md" in answer.remedy) == (status == Status.FAILED)
    assert read_keys(file)[1] not in str(answer)
    assert files_in(object_store) == before


@pytest.mark.s3
@pytest.mark.parametrize("wrong", [("nobody", "x"), ("node-cam-1", "wrong")])
def test_keys_that_the_store_does_not_know_are_not_called_good(
    wrong: Any, file_of: Any
) -> None:
    answer = check_node_keys(URI, resolve, file_of(*wrong))
    assert answer.status == Status.FAILED
    assert "the keys are refused" in answer.found


@pytest.mark.s3
def test_who_asks_needs_homes_keys(
    file_of: Any, object_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_of("node-cam-1")
    for name, value in environment_of(object_store, "worker-gpu").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="cannot be written: ask with home's keys"):
        check_node_keys(URI, resolve, file)


def test_without_keys_it_says_what_cannot_be_seen(tmp_path: Path) -> None:
    asked = check_node_keys(URI, resolve, None)
    assert asked.status == Status.NOT_ASKED
    assert "cannot be seen" in asked.found
    assert f"--store {URI} --node-keys FILE" in asked.remedy
    assert check_node_keys(str(tmp_path), resolve, None).status == Status.NOT_ASKED
    (tmp_path / "empty.env").write_text("AWS_ACCESS_KEY_ID=\n")
    (tmp_path / "binary.env").write_bytes(b"\xff\xfe")
    for name in ("empty.env", "binary.env", "missing.env", "."):
        with pytest.raises(InputError, match=r"expected lines|cannot be read"):
            read_keys(tmp_path / name)
