"""Results as plain data: what a record in a store says never runs anything."""

import base64
import json
import pickle
import shutil
import subprocess
from dataclasses import replace as replace_field
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from backhaul.campaign.migration import STEPS
from backhaul.errors import InputError
from backhaul.storage.objects import read_bytes, replace, write_bytes
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import Sent, Timing
from tasks.results import KINDS, DamagedResultError, StoredResults
from tasks.stage import Lookups, NotCachedError, Step, stage, timed

ran: list[str] = []


@stage("test-made", random=False)
def make(name: str, *, step: Step) -> Artifact:
    ran.append(name)
    return write_bytes(step.root, name.encode(), ".txt")


@flow
def call(root: str) -> tuple[Artifact, list[Timing]]:
    with timed() as timings:
        made = make("content", step=Step(root=root, seed=0))
    return made, timings


def look(root: str) -> Artifact:
    return make("content", step=Step(root=root, seed=0, lookups=Lookups()))


def record_of(root: Path) -> Path:
    (file,) = (root / ".backhaul" / "results").iterdir()
    return file


pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


def test_a_store_holds_our_data_alone_and_the_next_call_finds_them(tmp_path: Path) -> None:
    first, _ = call(str(tmp_path))
    record = json.loads(record_of(tmp_path).read_text())
    below = Path(first.uri).relative_to(tmp_path / ".backhaul").as_posix()
    data = first.model_dump() | {"uri": below}
    assert record.pop("checksum")
    assert record == {"type": "artifact", "schema": 1, "data": data}
    second, (timing,) = call(str(tmp_path))
    assert timing.cached
    assert second == first == look(str(tmp_path))


def test_a_moved_store_is_a_hit(tmp_path: Path) -> None:
    first, _ = call(str(tmp_path / "here"))
    shutil.move(tmp_path / "here", tmp_path / "there")
    second, (timing,) = call(str(tmp_path / "there"))
    assert timing.cached
    assert second.sha256 == first.sha256
    assert read_bytes(second) == b"content"
    assert second.uri.startswith(str(tmp_path / "there"))


class Evil:
    def __reduce__(self) -> Any:
        return subprocess.check_call, (["touch", "evil"],)


def _enveloped(serializer: str, result: str) -> dict[str, Any]:
    return {"metadata": {"serializer": {"type": serializer}}, "result": result}


POPEN = {"__class__": "subprocess.Popen", "data": {"args": ["touch", "evil"]}}
PICKLED = base64.b64encode(pickle.dumps(Evil())).decode()
OUTSIDE = {"uri": "objects/../../elsewhere.txt", "sha256": "0" * 64}
FORGED = {
    "pickle": _enveloped("pickle", PICKLED),
    "json": _enveloped("json", json.dumps(POPEN)),
    "bare pickle": PICKLED,
    "bare class": POPEN,
    "class in our record": {"type": "artifact", "schema": 1, "data": POPEN},
    "class for a digest": {
        "type": "artifact",
        "schema": 1,
        "data": {"uri": "objects/a", "sha256": POPEN},
    },
    "exception": {"__exc_type__": "os.system", "message": "touch evil"},
    "another type": {"type": "dataset", "schema": 1, "data": {"images": OUTSIDE}},
    "unknown type": {"type": "subprocess.Popen", "schema": 1, "data": {"args": "touch evil"}},
    "our record and more": {"type": "artifact", "schema": 1, "data": OUTSIDE, "metadata": {}},
    "a place outside": {"type": "artifact", "schema": 1, "data": OUTSIDE},
    "an absolute place": {
        "type": "artifact",
        "schema": 1,
        "data": OUTSIDE | {"uri": "/etc/passwd"},
    },
    "a list": [1, 2],
    "nothing": None,
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_record_runs_nothing_and_counts_for_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected, _ = call("store")
    record = record_of(tmp_path / "store")
    record.write_text(json.dumps(FORGED[name]))
    with pytest.raises(NotCachedError):
        look("store")
    ran.clear()
    again, (timing,) = call("store")
    assert (again, ran, timing.cached) == (expected, ["content"], False)
    assert not (tmp_path / "evil").exists()
    assert look("store") == expected


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'])
def test_a_damaged_record_is_computed_once_more(content: bytes, tmp_path: Path) -> None:
    expected, _ = call(str(tmp_path))
    record_of(tmp_path).write_bytes(content)
    with pytest.raises(NotCachedError):
        look(str(tmp_path))
    assert call(str(tmp_path))[0] == expected


def test_one_changed_letter_of_a_record_is_noticed_and_kept(tmp_path: Path) -> None:
    expected, _ = call(str(tmp_path))
    record = record_of(tmp_path)
    changed = record.read_text().replace(".txt", ".png")
    record.write_text(changed)
    with pytest.raises(NotCachedError):
        look(str(tmp_path))
    assert record.read_text() == changed
    assert call(str(tmp_path))[0] == expected
    (kept,) = (tmp_path / ".backhaul" / "damaged" / "results").iterdir()
    assert kept.read_text() == changed


@pytest.mark.parametrize("content", [b"", b"conten", b"another"])
def test_a_damaged_object_is_made_again_and_kept(content: bytes, tmp_path: Path) -> None:
    made, _ = call(str(tmp_path))
    Path(made.uri).write_bytes(content)
    with pytest.raises(NotCachedError):
        look(str(tmp_path))
    assert call(str(tmp_path))[0] == made == look(str(tmp_path))
    assert read_bytes(made) == b"content"
    (kept,) = (tmp_path / ".backhaul" / "damaged" / "objects").glob("*/*")
    assert kept.read_bytes() == content


def test_a_newer_record_is_left_alone(tmp_path: Path) -> None:
    call(str(tmp_path))
    record = record_of(tmp_path)
    newer = json.dumps(json.loads(record.read_text()) | {"schema": 2})
    record.write_text(newer)
    for ask in (call, look):
        with pytest.raises(InputError, match=r"newer version of Backhaul \(artifact"):
            ask(str(tmp_path))
    assert record.read_text() == newer


def test_an_earlier_record_is_converted_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, _ = call(str(tmp_path))
    record = record_of(tmp_path)
    earlier = json.loads(record.read_text())
    del earlier["checksum"]
    earlier["data"]["digest"] = earlier["data"].pop("sha256")  # as if it was called so once
    record.write_text(json.dumps(earlier))
    monkeypatch.setitem(KINDS, "artifact", replace_field(KINDS["artifact"], schema=3))
    monkeypatch.setitem(STEPS, ("artifact", 1), lambda data: {**data, "sha256": data["digest"]})
    monkeypatch.setitem(
        STEPS, ("artifact", 2), lambda data: {k: data[k] for k in data if k != "digest"}
    )
    again, (timing,) = call(str(tmp_path))
    assert (again, timing.cached) == (expected, True)
    assert json.loads(record.read_text()) == earlier

    del earlier["data"]["digest"]
    record.write_text(json.dumps(earlier))
    with pytest.raises(NotCachedError):
        look(str(tmp_path))


def test_a_stage_returns_one_of_our_types() -> None:
    with pytest.raises(TypeError, match="KINDS"):

        @stage("test-path", random=False)
        def path(*, step: Step) -> Path:
            return Path(step.root)


def test_every_kind_of_result_comes_back_as_it_was(tmp_path: Path) -> None:
    made = write_bytes(str(tmp_path), b"x", ".bin")
    values = {
        "artifacts": (made, made),
        "checkpoints": (Checkpoint(epoch=3, artifact=made),),
        "sent": Sent(
            selection=made, chosen=made, n_images=1, n_bytes=2, pool_images=3, pool_bytes=4
        ),
    }
    for name, value in values.items():
        stored = KINDS[name].encode(value, str(tmp_path))
        assert str(tmp_path).encode() not in stored
        assert KINDS[name].decode(stored, str(tmp_path)) == value


def test_what_lies_elsewhere_is_no_result(tmp_path: Path) -> None:
    elsewhere = Artifact(uri="/elsewhere/x", sha256="0")
    with pytest.raises(ValueError, match="expected a place below"):
        KINDS["artifact"].encode(elsewhere, str(tmp_path))
    results = StoredResults(root=str(tmp_path), kind="artifact")
    replace(f"{tmp_path}/.backhaul/results/key", b"{}")
    with pytest.raises(DamagedResultError, match="results/key: expected data of type artifact"):
        results.result("key")
