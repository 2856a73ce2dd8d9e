"""Tokens, new keys and which keys nodes use, by the commands of home."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from backhaul.cli.fleet import fleet
from backhaul.errors import InputError
from backhaul.fleet.wants import want
from backhaul.publication.keys import make_keys
from backhaul.uplink.keys import mark_of
from backhaul.uplink.sealing import unseal
from backhaul.uplink.token import Token, decoded
from tests.commands import called

SIGNS = "signs+requests/of-the-node"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the operator works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def key_file(path: Path, key_id: str = "node-cam-1", **more: str) -> str:
    lines = {
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": SIGNS,
        "AWS_ENDPOINT_URL_S3": "http://seaweedfs:8333",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "BACKHAUL_STORE": "s3://edge/site/a",
        **more,
    }
    path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    path.chmod(0o600)
    return str(path)


def token(*words: str) -> Token:
    return decoded(called(fleet, "token", *words))


def say(store: Path, **status: Any) -> None:
    """Let the node say how it is."""
    place = store / "nodes/cam-1"
    place.mkdir(parents=True, exist_ok=True)
    (place / "status.json").write_text(json.dumps({"time_s": time.time(), **status}))


def test_a_token_has_what_the_operator_gave(here: Path) -> None:
    keys = key_file(here / "cam-1.env", AWS_SESSION_TOKEN="of-a-session")  # noqa: S106
    make_keys(here / "signing")
    (here / "night.yaml").write_text(
        "node: another\nstatus_s: 60\nupdates: {root: here.json, every_s: 60}\n"
        "uplink: {kind: s3, bucket: ignored, endpoint: 'https://home:8333', ca_file: /ca.pem}\n"
    )
    found = token(
        *("cam-1", "--keys", keys, "--config", "night.yaml", "--root", "signing/root.json"),
        *("--group", "night", "--days", "1"),
    )
    assert (found.node, found.group) == ("cam-1", "night")
    assert found.root == (here / "signing/root.json").read_text()
    assert found.keys.keys.secret == SIGNS
    assert found.keys.keys.token == "of-a-session"  # noqa: S105
    uplink = found.uplink
    assert (uplink.bucket, uplink.prefix, uplink.region) == ("edge", "site/a", "eu-north-1")
    assert (uplink.endpoint, uplink.ca_file) == ("https://home:8333", "/ca.pem")
    assert found.expires_s == pytest.approx(time.time() + 86_400, abs=60)
    record = here / "node-secrets/cam-1.json"
    assert record.stat().st_mode & 0o777 == 0o600
    assert record.parent.stat().st_mode & 0o077 == 0
    assert json.loads(record.read_text())["secret"] == found.sealing
    assert SIGNS not in record.read_text()
    other = token("cam-2", "--keys", keys, "--endpoint", "https://there")
    assert other.uplink.endpoint == "https://there"
    assert (other.root, other.settings) == (None, {})


def test_a_second_token_takes_a_word_more(here: Path) -> None:
    keys = key_file(here / "cam-1.env")
    first = token("cam-1", "--keys", keys)
    with pytest.raises(InputError, match="cam-1 has a token already; --again"):
        token("cam-1", "--keys", keys)
    assert token("cam-1", "--keys", keys, "--again").sealing != first.sealing


@pytest.mark.parametrize(
    ("config", "words", "line"),
    [
        ("statuss_s: 5", (), "night.yaml: statuss_s: is no key of a node"),
        ("updates: {every_s: 5}", (), "night.yaml: updates: expected root.json"),
        ("{}", ("--root", "night.yaml"), "--root: expected root.json"),
        ("{}", ("--store", "folder"), "--store: expected s3://BUCKET/PREFIX"),
        ("{}", ("--endpoint", "host"), "uplink.endpoint: expected http"),
        ("{}", ("--group", "a/b"), "group: "),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_kept(
    here: Path, config: str, words: tuple[str, ...], line: str
) -> None:
    keys = key_file(here / "cam-1.env")
    (here / "night.yaml").write_text(config)
    with pytest.raises(InputError) as told:
        token("cam-1", "--keys", keys, "--config", "night.yaml", *words)
    assert str(told.value).startswith(line)
    assert SIGNS not in str(told.value)
    assert not (here / "node-secrets").exists()


def test_updates_that_are_no_settings_are_told(here: Path) -> None:
    keys = key_file(here / "cam-1.env")
    make_keys(here / "signing")
    (here / "night.yaml").write_text("updates: true")
    words = ("cam-1", "--keys", keys, "--config", "night.yaml", "--root", "signing/root.json")
    with pytest.raises(InputError, match=r"^night.yaml: updates: "):
        token(*words)


def test_a_key_file_for_all_to_read_is_refused(here: Path) -> None:
    keys = key_file(here / "cam-1.env")
    (here / "cam-1.env").chmod(0o644)
    with pytest.raises(InputError, match=r"chmod 600"):
        token("cam-1", "--keys", keys)


def test_new_keys_are_sealed_beside_what_else_is_wanted(here: Path) -> None:
    made = token("cam-1", "--keys", key_file(here / "old.env"))
    want(str(here), "cam-1", ["ab" * 32])
    words = ("--store", str(here))
    newer = key_file(here / "new.env", "node-cam-1-2")
    said = called(fleet, "rotate", "cam-1", "--keys", newer, *words)
    assert "node-cam-1-2 waits for it, sealed" in said
    text = (here / "nodes/cam-1/wants.json").read_text()
    assert SIGNS not in text
    sealed = unseal(json.loads(text)["keys"], "cam-1", made.sealing)
    assert sealed.keys.key_id == "node-cam-1-2"
    want(str(here), "cam-1", ["cd" * 32])
    wants = json.loads((here / "nodes/cam-1/wants.json").read_text())
    assert wants["frames"] == ["ab" * 32, "cd" * 32]
    assert wants["keys"] == json.loads(text)["keys"]
    with pytest.raises(InputError, match="no token was made for cam-2"):
        called(fleet, "rotate", "cam-2", "--keys", newer, *words)


def test_keys_of_no_form_are_told_and_change_nothing(here: Path) -> None:
    token("cam-1", "--keys", key_file(here / "old.env"))
    before = (here / "node-secrets/cam-1.json").read_text()
    wrong = key_file(here / "new.env", "node-cam-1-2", AWS_SECRET_ACCESS_KEY="of two words")  # noqa: S106
    with pytest.raises(InputError, match=r"^secret: expected printable ASCII") as told:
        called(fleet, "rotate", "cam-1", "--keys", wrong, "--store", str(here))
    assert "two words" not in str(told.value)
    assert (here / "node-secrets/cam-1.json").read_text() == before
    assert not (here / "nodes").exists()


def test_a_rotation_that_was_cut_off_is_told_and_done_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(BaseException):
        """The process ends."""

    def end(*_: object, **__: object) -> None:
        raise Ended

    token("cam-1", "--keys", key_file(here / "old.env"))
    newer = key_file(here / "new.env", "node-cam-1-2")
    say(here, keys=mark_of("node-cam-1"))
    with monkeypatch.context() as patched:
        patched.setattr("backhaul.fleet.enrolment.ask", end)
        with pytest.raises(Ended):
            called(fleet, "rotate", "cam-1", "--keys", newer, "--store", str(here))
    assert "still uses old keys" in called(fleet, "keys", "--store", str(here))
    called(fleet, "rotate", "cam-1", "--keys", newer, "--store", str(here))
    say(here, keys=mark_of("node-cam-1-2"))
    assert not any(word in called(fleet, "keys", "--store", str(here)) for word in ("old", "?"))


def test_it_is_shown_which_keys_nodes_use(here: Path) -> None:
    words = ("keys", "--store", str(here))
    assert "no token was made" in called(fleet, *words)
    token("cam-1", "--keys", key_file(here / "old.env"))
    newer = key_file(here / "new.env", "node-cam-1-2")
    assert "not yet" in called(fleet, *words)
    assert "has told no keys" in called(fleet, *words)
    say(here, keys=mark_of("node-cam-1"))
    assert "old" not in called(fleet, *words)
    called(fleet, "rotate", "cam-1", "--keys", newer, "--store", str(here))
    assert "still uses old keys" in called(fleet, *words)
    say(here, keys=mark_of("node-cam-1"), keys_refused="\x1b[31mno such key")
    said = called(fleet, *words)
    assert "keeps its keys: \\x1b[31mno such key" in said
    assert "\x1b" not in said
    assert "keeps its keys: \\x1b[31mno such key" in called(fleet, "--store", str(here))
    say(here, keys=mark_of("node-cam-1-2"))
    assert not any(word in called(fleet, *words) for word in ("keeps", "old", "?"))
    say(here, keys=mark_of("another"))
    assert "uses keys that are none of these" in called(fleet, *words)
    (here / "nodes/cam-1/enrolled.json").write_text('{"time_s": 1e9}')
    assert "2001-09-09" in called(fleet, *words)
    for wrong in ('{"time_s": "x"}', "[]", '{"time_s": 1e99}', "{"):
        (here / "nodes/cam-1/enrolled.json").write_text(wrong)
        assert "not yet" in called(fleet, *words)


def test_a_damaged_record_is_named(here: Path) -> None:
    token("cam-1", "--keys", key_file(here / "old.env"))
    (here / "node-secrets/cam-1.json").write_text('{"secret": "x"}')
    with pytest.raises(InputError, match=r"cam-1.json: is damaged"):
        called(fleet, "keys", "--store", str(here))
