"""The store on S3, as it is and as it fails: busy, cut off, away, with wrong keys."""

import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import s3fs
from botocore.exceptions import ClientError

from backhaul.errors import CorruptArtifactError, MissingObjectError, StoreError
from backhaul.fleet.nodes import read_fleet
from backhaul.storage import places
from backhaul.storage.conditional import create, read_or_none, swap
from backhaul.storage.lease import lease
from backhaul.storage.listing import folders_in, listing, names_in, stored_at
from backhaul.storage.objects import (
    exists,
    exists_at,
    get_file,
    put_file,
    read_bytes,
    read_uri,
    read_value,
    remove,
    replace,
    set_damaged_aside,
    write_bytes,
    write_checkpoint,
    write_value,
)
from backhaul.storage.places import patiently
from backhaul.values.artifacts import Artifact
from tests.faulty_proxy import Faults, faulty_proxy

s3 = pytest.mark.s3
BIG = 40 * 2**20
SECRET = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of one


@pytest.fixture
def root(object_store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The root of a store in a bucket, for this test alone."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    forget()
    return f"s3://edge/store/{tmp_path.name}"


def forget() -> None:
    """Let the next request read the environment again."""
    s3fs.S3FileSystem.clear_instance_cache()


Through = Callable[[Faults], None]


@pytest.fixture
def through(root: str, object_store: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Through]:
    """A function that puts a proxy with faults between us and the store."""
    running = []

    def start(faults: Faults) -> None:
        proxy = faulty_proxy(object_store.environment["AWS_ENDPOINT_URL_S3"], faults)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.__enter__())
        running.append(proxy)
        forget()

    yield start
    forget()
    for proxy in running:
        proxy.__exit__(None, None, None)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that goes up in three parts."""
    path = tmp_path_factory.mktemp("big") / "big.pt"
    path.write_bytes(os.urandom(BIG))
    return path


@s3
def test_objects_are_put_once_and_read_back(root: str) -> None:
    first = write_bytes(root, b"abc", ".bin")
    assert write_bytes(root, b"abc", ".bin") == first
    assert first.uri.startswith(f"{root}/.backhaul/objects/")
    assert exists(first)
    assert read_bytes(first) == b"abc"
    assert read_bytes(write_bytes(root, b"", ".bin")) == b""
    table = pd.DataFrame({"image_id": ["007", "a"], "x": [1.5, float("nan")]})
    stored = write_value(root, table)
    pd.testing.assert_frame_equal(read_value(pd.DataFrame, stored), table, check_dtype=False)


@s3
def test_damage_and_loss_are_told_apart(root: str, tmp_path: Path) -> None:
    stored = write_bytes(root, b"abc", ".bin")
    replace(stored.uri, b"abd")
    with pytest.raises(CorruptArtifactError, match="does not match its digest"):
        read_bytes(stored)
    remove(stored.uri)
    remove(stored.uri)
    assert not exists(stored)
    assert read_or_none(stored.uri) is None
    for ask in (lambda: read_bytes(stored), lambda: get_file(stored.uri, tmp_path / "x")):
        with pytest.raises(MissingObjectError, match="is gone from the store"):
            ask()
    assert not (tmp_path / "x").exists()


@s3
def test_a_damaged_object_is_set_aside(root: str) -> None:
    whole, damaged = write_bytes(root, b"abc", ".bin"), write_bytes(root, b"abcd", ".bin")
    replace(damaged.uri, b"abcx")
    for each in (whole, damaged):
        set_damaged_aside(each.uri)
    assert exists(whole)
    assert not exists(damaged)
    [kept] = listing(f"{root}/.backhaul/damaged")
    assert kept.uri.startswith(damaged.uri.replace("/objects/", "/damaged/objects/"))
    assert read_uri(kept.uri) == b"abcx"


@s3
def test_names_in_a_folder_and_what_lies_below_it(root: str) -> None:
    assert names_in(root) == []
    for name in ("b", "a c", "ü", "deep/er", "deep/est"):
        replace(f"{root}/{name}", name.encode())
    assert names_in(root) == ["a c", "b", "ü"]
    assert read_uri(f"{root}/ü") == "ü".encode()
    assert exists_at(f"{root}/deep/er")
    remove(f"{root}/deep")
    assert not exists_at(f"{root}/deep/er")
    assert names_in(root) == ["a c", "b", "ü"]


@s3
def test_folders_are_named_without_what_lies_in_them(root: str) -> None:
    assert folders_in(f"{root}/nodes") == []
    assert stored_at(f"{root}/nodes/cam-1/status.json") is None
    for name in ("cam-1/status.json", "cam-2/windows/1.json", "wants.json"):
        replace(f"{root}/nodes/{name}", b"{}")
    assert folders_in(f"{root}/nodes") == ["cam-1", "cam-2"]
    found = stored_at(f"{root}/nodes/cam-1/status.json")
    assert found is not None
    assert (found.uri, found.size_bytes) == (f"{root}/nodes/cam-1/status.json", 2)
    assert abs(found.modified - time.time()) < 600
    assert stored_at(f"{root}/nodes/cam-2") is None
    (fleet,) = read_fleet(root, time.time(), 900)
    assert fleet.name == "cam-1"


@s3
def test_a_large_file_goes_up_in_parts(root: str, big: Path, tmp_path: Path) -> None:
    stored = write_checkpoint(root, big, "5" * 64)
    assert exists(stored)
    get_file(stored.uri, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    info = places.filesystem(stored.uri)[0].info(stored.uri)
    assert info["ETag"].strip('"').endswith("-3")  # what S3 says of three parts


@s3
def test_one_of_eight_creates_it(root: str) -> None:
    for attempt in range(2):  # losers may wait for seconds at SeaweedFS
        start = threading.Barrier(8)

        def compete(number: int, attempt: int = attempt, start: Any = start) -> bool:
            start.wait()
            return create(f"{root}/lease{attempt}", f"{number}".encode())

        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(compete, range(8)))
        assert sum(won) == 1
        assert int(read_uri(f"{root}/lease{attempt}")) == won.index(True)


@s3
def test_one_of_eight_swaps_it(root: str) -> None:
    place = f"{root}/state.json"
    assert not swap(place, b"0", b"1")
    replace(place, b"begin")
    for attempt in range(2):  # losers may wait for seconds at SeaweedFS
        old = read_uri(place)

        def compete(number: int, attempt: int = attempt, old: bytes = old) -> bool:
            return swap(place, old, f"{attempt} {number}".encode())

        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(compete, range(8)))
        assert sum(won) == 1
        assert read_uri(place) == f"{attempt} {won.index(True)}".encode()
    assert not swap(place, b"begin", b"again")


CUT = """
import sys
from pathlib import Path
from backhaul.storage.objects import put_file
put_file(Path(sys.argv[1]), sys.argv[2])
"""


@s3
def test_a_cut_put_leaves_nothing(root: str, through: Through, big: Path) -> None:
    slow = Faults(bytes_per_s=8e6)
    through(slow)
    place = f"{root}/objects/big.pt"
    command = [sys.executable, "-c", CUT, str(big), place]
    with subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2]) as process:
        while slow.received < 0.6 * BIG:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    slow.bytes_per_s = None
    assert not exists_at(place)
    assert names_in(f"{root}/objects") == []
    put_file(big, place)
    assert read_uri(place) == big.read_bytes()


def use_everything(root: str, big: Path, folder: Path) -> None:
    """Use every function of the store, and check what each says."""

    def play(number: int) -> None:
        place = f"{root}/many/{number}"
        replace(place, b"old")
        assert create(f"{place}.lease", b"mine")
        assert not create(f"{place}.lease", b"theirs")
        assert swap(place, b"old", f"{number}".encode())
        assert not swap(place, b"old", b"newer")
        assert int(read_uri(place)) == number
        assert exists_at(place)
        assert not exists_at(f"{place}.none")
        assert read_bytes(write_bytes(root, f"object {number}".encode(), ".bin"))
        with lease(root, f"key{number % 3}", lambda holder, waited_s: None) as held:
            held.require()
        remove(f"{place}.lease")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(play, range(8)))
    assert names_in(f"{root}/many") == sorted(map(str, range(8)))
    assert names_in(f"{root}/.backhaul/leases") == []
    put_file(big, f"{root}/big.pt")
    get_file(f"{root}/big.pt", folder / "big.pt")
    assert (folder / "big.pt").read_bytes() == big.read_bytes()


@s3
@pytest.mark.parametrize(
    "faults",
    [Faults(busy=0.3, seed=4), Faults(busy=0.1, reset=0.1, lost=0.1, seed=4)],
    ids=["busy", "busy-reset-lost"],
)
def test_everything_works_while_three_requests_in_ten_fail(
    faults: Faults, root: str, through: Through, big: Path, tmp_path: Path
) -> None:
    through(faults)
    use_everything(root, big, tmp_path)
    assert faults.failed > 30


def upload_while_away(root: str, faults: Faults, seconds: float) -> None:
    """Upload many objects; after the first of them the store is away for some time."""

    def put(number: int) -> Artifact:
        if number == 20:
            faults.take_down(seconds)
        return write_bytes(root, f"{number:01000d}".encode(), ".bin")

    started = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        stored = list(threads.map(put, range(200)))
    assert time.monotonic() - started > seconds
    assert [int(read_bytes(artifact)) for artifact in stored] == list(range(200))


@s3
def test_an_upload_goes_on_when_the_store_is_back(
    root: str, through: Through, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults()
    through(faults)
    with caplog.at_level(logging.WARNING):
        upload_while_away(root, faults, 6.0)
    assert "the store does not answer" in caplog.text
    assert os.environ[SECRET] not in caplog.text


@s3
@pytest.mark.slow
def test_an_upload_goes_on_after_a_minute(root: str, through: Through) -> None:
    faults = Faults()
    through(faults)
    upload_while_away(root, faults, 60.0)


@s3
def test_a_store_that_stays_away_is_said_clearly(
    root: str, through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults()
    through(faults)
    faults.take_down(60)
    monkeypatch.setattr(places, "PATIENCE_S", 1.0)
    with pytest.raises(StoreError, match="stayed away for 1 s") as wrong:
        patiently(lambda: places.filesystem(root)[0].cat_file(root))()
    assert os.environ[SECRET] not in whole(wrong.value)


@s3
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({SECRET: "wr0ng-secret"}, "refuses these keys"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "refuses these keys"),
        ({"AWS_ACCESS_KEY_ID": None, SECRET: None}, "needs keys: set AWS_ACCESS_KEY_ID"),
    ],
    ids=["secret", "key", "none"],
)
def test_wrong_keys_are_said_clearly_and_not_repeated(
    changes: dict[str, str | None],
    reason: str,
    root: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, known = f"{root}/a", tmp_path / "known"
    replace(place, b"a")
    known.write_bytes(b"x")
    right = os.environ[SECRET]
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    forget()
    calls: list[Callable[[], object]] = [
        lambda: replace(place, b"b"),
        lambda: read_uri(place),
        lambda: exists_at(place),
        lambda: exists_at(f"{root}/none"),
        lambda: names_in(root),
        lambda: remove(place),
        lambda: create(place, b"b"),
        lambda: swap(place, b"a", b"b"),
        lambda: get_file(place, tmp_path / "x"),
        lambda: put_file(known, place),
        lambda: write_bytes(root, b"b", ".bin"),
    ]
    for call in calls:
        started = time.monotonic()
        with pytest.raises(StoreError, match=reason) as wrong:
            call()
        assert time.monotonic() - started < 5
        assert right not in whole(wrong.value)
        assert "wr0ng-secret" not in whole(wrong.value)


def whole(error: BaseException) -> str:
    """Return an error as it is printed, with what it came from."""
    return "".join(traceback.format_exception(error))


def test_a_bucket_that_is_gone_is_said_clearly() -> None:
    answer = {
        "Error": {"Code": "NoSuchBucket", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 404},
    }

    def write() -> None:
        refusal = ClientError(answer, "PutObject")
        raise FileNotFoundError("The specified bucket does not exist") from refusal

    with pytest.raises(StoreError, match=r"no such bucket .*: make it, or mend the address"):
        patiently(write)()


def test_other_errors_pass_as_they_are() -> None:
    def broken() -> None:
        raise KeyError("x")

    def missing() -> None:
        raise FileNotFoundError("x")

    for function, kind in ((broken, KeyError), (missing, FileNotFoundError)):
        with pytest.raises(kind):
            patiently(function)()
