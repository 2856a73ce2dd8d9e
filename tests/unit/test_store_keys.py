"""Keys of the object store: further ones beside the first, and the end of those of before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backhaul.errors import InputError
from deployments.keys import app
from deployments.local.identities import Identity, Keys


@pytest.fixture(autouse=True)
def _administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "admin",
        "AWS_SECRET_ACCESS_KEY": "of-the-administrator",
        "AWS_ENDPOINT_URL_S3": "http://seaweedfs:8333",
        "BUCKET": "edge",
    }.items():
        monkeypatch.setenv(name, value)


def called(folder: Path, *words: str) -> str:
    """Return what a command prints; what it raises is raised."""
    done = CliRunner().invoke(app, [*words, "--folder", str(folder)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def known(folder: Path) -> dict[str, str]:
    """Return the secrets that SeaweedFS is given, by key id, but for the administrator's."""
    rights = json.loads((folder / "s3.json").read_text())
    pairs = [identity["credentials"][0] for identity in rights["identities"]]
    assert {identity["name"] for identity in rights["identities"]} == {
        "admin",
        *(policy["name"] for policy in rights["policies"]),
    }
    return {
        pair["accessKey"]: pair["secretKey"] for pair in pairs if pair["accessKey"] != "admin"
    }


def id_in(text: str) -> str:
    return dict(line.split("=", 1) for line in text.splitlines())["AWS_ACCESS_KEY_ID"]


def test_further_keys_do_the_same_and_the_old_ones_can_be_taken_away(tmp_path: Path) -> None:
    first = id_in(called(tmp_path, "add", "node", "cam-1", "--store", "site/a"))
    other = id_in(called(tmp_path, "add", "node", "cam-2", "--store", "site/a"))
    further = id_in(called(tmp_path, "add", "node", "cam-1", "--store", "site/a", "--another"))
    assert (first, other) == ("node-cam-1", "node-cam-2")
    assert further.startswith("node-cam-1-")
    assert set(known(tmp_path)) == {first, other, further}
    policies = {
        each["name"]: each["content"]
        for each in json.loads((tmp_path / "s3.json").read_text())["policies"]
    }
    assert policies[first] == policies[further] != policies[other]
    listed = called(tmp_path, "list").splitlines()
    assert [line.split() for line in listed] == [
        ["node", "cam-1", further, "site/a"],
        ["node", "cam-1", first, "site/a"],
        ["node", "cam-2", other, "site/a"],
    ]
    assert called(tmp_path, "revoke", "node", "cam-1", "--all-but", further) == f"{first}\n"
    assert set(known(tmp_path)) == {other, further}
    again = called(tmp_path, "revoke", "node", "cam-1", "--all-but", further)
    assert again == "no others are left\n"
    assert called(tmp_path, "revoke", "node", "cam-1") == f"{further}\n"
    assert set(known(tmp_path)) == {other}
    assert id_in(called(tmp_path, "add", "node", "cam-1", "--store", "site/a")) == first


def test_keys_are_gone_once_a_call_that_was_cut_off_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called(tmp_path, "add", "node", "cam-1")
    with monkeypatch.context() as cut_off:
        cut_off.setattr("deployments.keys.Access.write", lambda *_: None)
        called(tmp_path, "revoke", "node", "cam-1")
    assert set(known(tmp_path)) == {"node-cam-1"}
    with pytest.raises(InputError, match="has no keys"):
        called(tmp_path, "revoke", "node", "cam-1")
    assert known(tmp_path) == {}


def test_wrong_words_change_nothing(tmp_path: Path) -> None:
    called(tmp_path, "add", "node", "cam-1", "--store", "a")
    before = known(tmp_path)
    for words, line in (
        (("revoke", "node", "cam-2"), "node cam-2: has no keys"),
        (("revoke", "node", "cam-1", "--all-but", "x"), "node cam-1 has node-cam-1"),
        (("add", "node", "cam-1", "--store", "a"), "has keys already; --another"),
        (("add", "node", "cam-1", "--store", "b", "--another"), "has keys for 'a'"),
    ):
        with pytest.raises(InputError, match=line):
            called(tmp_path, *words)
    assert known(tmp_path) == before


def test_the_files_tell_keys_of_one_from_those_of_a_longer_name(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    for identity in (
        Identity("node", "cam-1"),
        Identity.further("node", "cam-1", ""),
        Identity("node", "cam-1.env"),
        Identity("node", "cam-1-00000000"),
    ):
        keys.add(identity, "edge", "http://127.0.0.1:8333")
    assert len(keys.of("node", "cam-1")) == 2
    assert [each.access_key for each in keys.of("node", "cam-1.env")] == ["node-cam-1.env"]
