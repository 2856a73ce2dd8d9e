"""What `backhaul doctor` finds on a machine and in a store; the server's part is in e2e."""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError
from backhaul.health import Answer, Check, Status, examine, machine, software, storage
from backhaul.health.check import ok
from backhaul.health.clock import compare_clocks
from backhaul.look.devices import Gpu
from blocks.opening import resolve

PLENTY = machine.Limits(0, 0)


# How questions are asked


def test_an_error_or_a_long_silence_fails_its_own_check_alone() -> None:
    def breaks() -> Answer:
        raise KeyError("unforeseen")

    def refuses() -> Answer:
        raise InputError("no: two\nlines")

    def waits() -> Answer:
        time.sleep(5)
        return ok("late")

    checks = (
        Check("breaks", breaks),
        Check("silent", waits, patience_s=0.1),
        Check("refuses", refuses),
        Check("after breaks", lambda: ok("never"), needs="breaks"),
        Check("after that", lambda: ok("never"), needs="after breaks"),
        Check("well", lambda: ok("here")),
        Check("after well", lambda: ok("there"), needs="well"),
    )
    start = time.monotonic()
    found = {result.name: result.answer for result in examine(checks)}
    assert time.monotonic() - start < 2
    assert found["breaks"].found == "KeyError: 'unforeseen'"
    assert found["silent"].found == "no answer within 0.1 s"
    assert found["refuses"].found == "no: two lines"
    assert {found[name].status for name in ("breaks", "silent", "refuses")} == {Status.FAILED}
    assert found["after breaks"] == Answer(Status.NOT_ASKED, "needs: breaks")
    assert found["after that"] == Answer(Status.NOT_ASKED, "needs: after breaks")
    assert found["well"] == ok("here")
    assert found["after well"] == ok("there")


def test_a_timeout_of_the_question_itself_is_told_as_an_error() -> None:
    def times_out() -> Answer:
        raise TimeoutError("by the other side")

    (result,) = examine([Check("slow", times_out)])
    assert result.answer.found == "TimeoutError: by the other side"


# Software


def test_the_checkout_says_which_packages_are_needed() -> None:
    wanted = software.wanted()
    assert wanted.python == ">=3.11"
    assert {"prefect==3.8.8", "fastapi>=0.139,<0.151"} <= set(wanted.packages)


def test_wrong_and_missing_packages_are_named_with_what_was_expected() -> None:
    answer = software.check_packages(
        ["numpy<1", "nosuch-package>=3", "pydantic>=2", "other; extra == 'dev'"]
    )
    assert answer.status == Status.FAILED
    wrong, missing = answer.found.split("; ")
    assert wrong.startswith("numpy 2.")
    assert wrong.endswith("expected <1")
    assert missing == "nosuch-package is missing, expected >=3"
    assert "pip install" in answer.remedy
    assert software.check_packages(["pydantic>=2", "prefect"]).status == Status.OK


def test_another_python_is_told() -> None:
    assert software.check_python(">=3.11").status == Status.OK
    assert "expected <3" in software.check_python("<3").found


# Machine


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (PLENTY, Status.OK),
        (machine.Limits(10**18, 0), Status.WARNING),
        (machine.Limits(10**19, 10**18), Status.FAILED),
    ],
)
def test_too_little_disk_or_memory_is_told_by_its_limits(
    limits: machine.Limits, status: Status, tmp_path: Path
) -> None:
    for answer in (
        machine.check_disk(tmp_path / "not" / "yet", limits),
        machine.check_memory(limits),
    ):
        assert answer.status == status
        assert "GB" in answer.found
        assert bool(answer.remedy) == (status != Status.OK)
    assert not (tmp_path / "not").exists()


def test_gpus_are_listed_and_the_one_of_the_config_must_be_among_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "visible_gpus", lambda: (Gpu("A100", 80 * 10**9),))
    assert machine.check_gpu("auto") == ok("0: A100, 80 GB")
    assert machine.check_gpu("0").status == Status.OK
    assert machine.check_gpu("1").status == Status.FAILED
    monkeypatch.setattr(machine, "visible_gpus", tuple)
    assert "sees no GPU" in machine.check_gpu("0").found
    assert machine.check_gpu("cpu").status == Status.OK
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert machine.check_gpu("auto").status == Status.OK
    monkeypatch.setattr("shutil.which", lambda _: "nvidia-smi")
    assert machine.check_gpu("auto").status == Status.WARNING


@pytest.mark.parametrize(
    ("ahead_s", "status", "told"),
    [
        (0, Status.OK, "apart"),
        (-3, Status.OK, "apart"),
        (3, Status.OK, "apart"),
        (-60, Status.FAILED, "s ahead of"),
        (60, Status.FAILED, "s behind the"),
    ],
)
def test_clocks_are_compared(ahead_s: float, status: Status, told: str) -> None:
    answer = compare_clocks(lambda: formatdate(time.time() + ahead_s, usegmt=True))
    assert answer.status == status
    assert told in answer.found


# Store: a folder


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    answer = storage.check_store(str(tmp_path / "new" / "store"), resolve)
    assert answer.status == Status.OK, answer
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".backhaul").mkdir()
    assert storage.check_store(str(tmp_path), resolve).status == Status.OK
    assert [path.name for path in tmp_path.rglob("*")] == [".backhaul"]


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = storage.check_store(str(tmp_path / "file" / "store"), resolve)
    assert answer.status == Status.FAILED
    assert "cannot write" in answer.found


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space is left"),
        (OSError(errno.EROFS, "Read-only file system"), "cannot write: [Errno 30] Read-only"),
    ],
)
def test_a_full_or_read_only_disk_is_told(
    error: OSError, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.pipe_file", refuse)
    answer = storage.check_store(str(tmp_path), resolve)
    assert answer.status == Status.FAILED
    assert told in answer.found
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_which_two_writers_win_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "create", lambda uri, data: True)
    answer = storage.check_store(str(tmp_path), resolve)
    assert "cannot create if absent: two writers of one name both win" in answer.found
    assert "If-None-Match" in answer.remedy


def test_a_store_of_an_unknown_kind_is_told() -> None:
    answer = storage.check_store("nosuch://edge", resolve)
    assert answer.status == Status.FAILED
    assert "s3://BUCKET/PREFIX" in answer.remedy


# Store: S3


@pytest.fixture(scope="module")
def bucket(object_store: Any) -> None:
    """A bucket that no block of another test has keys for."""
    object_store.filesystem.call_s3("create_bucket", Bucket="health")


@pytest.fixture
def in_bucket(
    bucket: None, object_store: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Sets the environment of the object store, with changes; None = not set."""
    return lambda **changes: _set(monkeypatch, object_store.environment | changes)


def _set(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str | None]) -> None:
    import s3fs

    for name, value in environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # it keeps what it read from the environment


@pytest.fixture(autouse=True)
def forgotten_filesystems() -> Iterator[None]:
    yield
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.s3
def test_a_bucket_is_tried_and_left_as_it_was(object_store: Any, in_bucket: Any) -> None:
    in_bucket()
    before = object_store.filesystem.find("health")
    answer = storage.check_store("s3://health/some/where", resolve)
    assert answer.status == Status.OK, answer
    for step in ("write", "MB/s", "read back", "create if absent", "delete"):
        assert step in answer.found
    assert object_store.filesystem.find("health") == before
    assert storage.check_store_clock("s3://health/some/where", resolve).status == Status.OK


@pytest.mark.s3
@pytest.mark.parametrize(
    ("address", "changes", "told", "remedy"),
    [
        ("s3://nowhere/a", {}, "there is no bucket nowhere", "mkdir('nowhere')"),
        (
            "s3://health",
            {"AWS_SECRET_ACCESS_KEY": "no"},
            "wrong secret",
            "AWS_SECRET_ACCESS_KEY",
        ),
        ("s3://health", {"AWS_ACCESS_KEY_ID": "no"}, "no such access key", "AWS_ACCESS_KEY_ID"),
        (
            "s3://health",
            {
                "AWS_ACCESS_KEY_ID": None,
                "AWS_SECRET_ACCESS_KEY": None,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            },
            "there are no keys",
            "export AWS_ACCESS_KEY_ID",
        ),
        (
            "s3://health",
            {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"},
            "nothing answers at http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_S3",
        ),
    ],
)
def test_a_bucket_that_refuses_is_told(
    address: str,
    changes: dict[str, str | None],
    told: str,
    remedy: str,
    object_store: Any,
    in_bucket: Any,
) -> None:
    in_bucket(**changes)
    answer = storage.check_store(address, resolve)
    assert answer.status == Status.FAILED
    assert answer.found.startswith(f"{address}: ")
    assert told in answer.found
    assert remedy in answer.remedy
    assert object_store.environment["AWS_SECRET_ACCESS_KEY"] not in str(answer)
    assert not object_store.filesystem.exists("nowhere")


@pytest.mark.s3
def test_keys_that_may_only_read_are_told(object_store: Any, in_bucket: Any) -> None:
    in_bucket()
    files = object_store.filesystem
    files.call_s3("create_bucket", Bucket="sealed")
    sealed = {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::sealed/*"}
    statement = {"Effect": "Deny", "Principal": "*", **sealed}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    files.call_s3("put_bucket_policy", Bucket="sealed", Policy=json.dumps(policy))
    answer = storage.check_store("s3://sealed/a", resolve)
    deadline = time.monotonic() + 10
    while answer.status == Status.OK and time.monotonic() < deadline:  # policies need a moment
        answer = storage.check_store("s3://sealed/a", resolve)
    assert answer.found == "s3://sealed/a: cannot write: Access Denied."
    assert "what the keys" in answer.remedy


@pytest.mark.s3
def test_a_data_set_may_lie_in_a_bucket(object_store: Any, in_bucket: Any) -> None:
    in_bucket()
    object_store.filesystem.pipe_file("health/cars/data.yaml", b"")
    assert storage.check_data(_on("s3://health/cars"), resolve) == ok("s3://health/cars")
    answer = storage.check_data(_on("s3://health/bikes"), resolve)
    assert answer.found == "data.root: nothing at s3://health/bikes"


def test_a_data_set_that_is_gone_is_named(tmp_path: Path) -> None:
    assert storage.check_data(_on(str(tmp_path)), resolve).status == Status.OK
    config = _on(str(tmp_path), data={"root": str(tmp_path / "gone")})
    answer = storage.check_data(config, resolve)
    assert answer.found == f"initial.data.root: nothing at {tmp_path / 'gone'}"


def _on(root: str, **initial: object) -> CampaignConfig:
    return CampaignConfig.model_validate(
        {
            "name": "cars",
            "data": {"kind": "folder", "root": root},
            "initial": initial,
            "bandwidth": {"images": 5},
            "methods": ["iqr"],
        }
    )
