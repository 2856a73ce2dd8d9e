"""What a node makes of what is published and was changed on the way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Timestamp
from tuf.ngclient._internal import trusted_metadata_set

from backhaul.node.updates.errors import RefusedError, UnreachedError
from backhaul.node.updates.source import SIGNED_AT
from backhaul.publication.keys import make_keys, renew_keys
from backhaul.publication.publishing import refresh
from backhaul.uplink.folder import FolderHome
from backhaul.uplink.home import LinkDownError
from tests.publishing import Publisher, Taker
from tests.tinymodels import tiny_model

OTHER: dict[str, Any] = {"policies": ({"kind": "stream", "name": "other"},)}


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """A publisher of one model; its nodes do not try models, which has tests of its own."""
    monkeypatch.setattr("backhaul.node.updates.check.try_model", lambda *_: None)
    made = Publisher(tmp_path / "home")
    made.put(tiny_model())
    return made


@pytest.fixture
def taker(publisher: Publisher, tmp_path: Path) -> Taker:
    """A node that has taken what was published first."""
    made = Taker(publisher, tmp_path / "node")
    assert made.check() is not None
    return made


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def grow(path: Path) -> None:
    with path.open("r+b") as file:
        os.truncate(file.fileno(), 50_000_000)


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)


def forged(path: Path) -> None:
    """Sign with keys of somebody else's."""
    other = Publisher(path.parents[3] / "other")
    other.put(tiny_model(0.1))
    path.write_bytes(other.timestamp.read_bytes())


def unsigned(path: Path) -> None:
    fields = json.loads(path.read_bytes())
    fields["signatures"][0]["sig"] = "0" * 128
    path.write_bytes(json.dumps(fields).encode())


def later(path: Path) -> None:
    """Say a later expiry than was signed."""
    fields = json.loads(path.read_bytes())
    fields["signed"]["expires"] = "2099-01-01T00:00:00Z"
    path.write_bytes(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("pattern", "spoil"),
    [
        (f"metadata/{role}", spoil)
        for role in ("timestamp.json", "*.snapshot.json", "*.targets.json")
        for spoil in (cut, unsigned, grow)
    ]
    + [("metadata/timestamp.json", forged), ("metadata/timestamp.json", later)]
    + [
        (place, spoil)
        for place in ("targets/groups/all/*.release.json", "targets/models/*.onnx")
        for spoil in (cut, flip, grow)
    ],
)
def test_what_is_spoiled_is_refused_and_what_works_stays(
    taker: Taker, pattern: str, spoil: Callable[[Path], None]
) -> None:
    publisher, before = taker.publisher, taker.setup
    publisher.put(tiny_model(0.7), **OTHER)
    whole = publisher.state("whole")
    spoil(newest(publisher.published, pattern))
    with pytest.raises(RefusedError):
        taker.check()
    assert taker.setup == before
    assert taker.checker.shelf.current is not None
    assert taker.checker.shelf.current.release == before.release

    publisher.show(whole)  # once all is well again, it is taken
    ready = taker.check()
    assert ready is not None
    assert ready.setup.policies[0].name == "other"


def test_an_older_state_is_refused(taker: Taker) -> None:
    publisher = taker.publisher
    old = publisher.state("old")
    publisher.put(tiny_model(0.7))
    taker.check()
    new = taker.setup
    publisher.show(old)
    with pytest.raises(RefusedError, match="version"):
        taker.check()
    assert taker.setup == new


def test_files_of_two_times_are_refused(taker: Taker) -> None:
    """Mix and match: the newest timestamp, and under the name of its snapshot an older one."""
    publisher = taker.publisher
    publisher.put(tiny_model(0.7))
    metadata = publisher.published / "metadata"
    (metadata / "2.snapshot.json").write_bytes((metadata / "1.snapshot.json").read_bytes())
    with pytest.raises(RefusedError):
        taker.check()


@pytest.mark.parametrize("ahead_days", [8, 400])
def test_what_expired_stops_updates_and_nothing_else(taker: Taker, ahead_days: float) -> None:
    before = taker.setup
    taker.publisher.put(tiny_model(0.7))
    taker.clock_s = ahead_days * 86_400
    with pytest.raises(RefusedError, match="expired"):
        taker.check()
    assert taker.setup == before


class Long(datetime):
    """A clock that was never set."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Long:
        return cls(1970, 1, 1, tzinfo=tz)


def test_a_clock_that_is_behind_goes_by_what_was_signed_last(
    taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By that clock nothing ever expires; by the time of its own signature this has."""
    clock = SimpleNamespace(datetime=Long, timezone=timezone)
    monkeypatch.setattr(trusted_metadata_set, "datetime", clock)
    taker.clock_s = -56 * 365 * 86_400
    taker.publisher.put(tiny_model(0.7))
    assert taker.check() is not None
    taker.publisher.days = -1.0  # good until yesterday
    taker.publisher.put(tiny_model(0.6))
    with pytest.raises(RefusedError, match="expired"):
        taker.check()


def test_a_refresh_is_good_again_and_costs_no_new_version_of_the_rest(taker: Taker) -> None:
    publisher = taker.publisher
    publisher.days = -1.0
    refresh(publisher.repository)
    with pytest.raises(RefusedError, match="expired"):
        taker.check()
    publisher.days = 7.0
    refresh(publisher.repository)
    assert taker.check() is None  # all as it was
    assert len(list((publisher.published / "metadata").glob("*.targets.json"))) == 1


def test_stolen_keys_are_of_no_use_once_they_were_renewed(taker: Taker) -> None:
    publisher = taker.publisher
    stolen = publisher.state("stolen")
    thief = publisher.repository
    renew_keys(publisher.folder / "keys")
    publisher.put(tiny_model(0.7))
    assert taker.check() is not None
    taken, renewed = taker.setup, publisher.state("renewed")

    publisher.show(stolen)
    for _ in range(3):  # so that no version of theirs is older
        assert thief.publish(thief.read(), thief.read().targets.targets)
    (publisher.published / "metadata/2.root.json").write_bytes(
        (renewed / "metadata/2.root.json").read_bytes()
    )
    with pytest.raises(RefusedError, match="signed"):
        taker.check()
    assert taker.setup == taken


def test_a_thief_of_the_timestamp_stops_updates_until_keys_are_renewed(taker: Taker) -> None:
    """They sign a time in the future: by that all else has expired."""
    publisher = taker.publisher
    metadata = Metadata[Timestamp].from_bytes(publisher.timestamp.read_bytes())
    metadata.signed.version += 1
    metadata.signed.unrecognized_fields[SIGNED_AT] = "2099-01-01T00:00:00Z"
    metadata.sign(publisher.repository.keys.signers["timestamp"])
    publisher.timestamp.write_bytes(metadata.to_bytes())
    with pytest.raises(RefusedError, match="expired"):
        taker.check()
    renew_keys(publisher.folder / "keys")
    publisher.put(tiny_model(0.7))
    assert taker.check() is not None


def test_a_root_of_others_is_never_trusted(publisher: Publisher, tmp_path: Path) -> None:
    taker = Taker(publisher, tmp_path / "node")
    make_keys(tmp_path / "keys")
    mine = (tmp_path / "keys/roots/1.root.json").read_bytes()
    (publisher.published / "metadata/2.root.json").write_bytes(mine)
    with pytest.raises(RefusedError):
        taker.check()


def test_a_spoiled_model_does_not_come_again_and_again(taker: Taker) -> None:
    publisher, home = taker.publisher, FolderHome(taker.publisher.root)
    taker = Taker(publisher, taker.folder, home)
    publisher.put(tiny_model(0.7))
    model = newest(publisher.published, "targets/models/*.onnx")
    flip(model)
    with pytest.raises(RefusedError):
        taker.check()
    before = home.traffic
    with pytest.raises(RefusedError):
        taker.check()
    assert (home.traffic - before).down_bytes < 700


class Torn(FolderHome):
    """A link that breaks in the middle of a model, once."""

    breaks = True

    def _pieces(self, file: object, name: str, most_bytes: int) -> Iterator[bytes]:
        data = b"".join(super()._pieces(file, name, most_bytes))  # type: ignore[arg-type]
        if name.endswith(".onnx") and self.breaks:
            type(self).breaks = False
            yield data[: len(data) // 2]
            raise LinkDownError("torn")
        yield data


def test_a_link_that_breaks_is_no_refusal_and_what_came_stays(
    publisher: Publisher, tmp_path: Path
) -> None:
    taker = Taker(publisher, tmp_path / "node", Torn(publisher.root))
    with pytest.raises(UnreachedError, match="torn"):
        taker.check()
    assert list((tmp_path / "node/models").glob(".*.part"))
    assert taker.check() is not None


def test_who_has_published_nothing_yet_is_no_error(tmp_path: Path) -> None:
    assert Taker(Publisher(tmp_path / "home"), tmp_path / "node").check() is None


def test_a_model_waits_until_its_bytes_may_come(publisher: Publisher, tmp_path: Path) -> None:
    taker = Taker(publisher, tmp_path / "node")
    with pytest.raises(UnreachedError, match="wait"):
        taker.check(may_bytes=500)
    assert taker.check(may_bytes=10**6) is not None
