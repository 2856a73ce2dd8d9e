from __future__ import annotations

import json
import resource
import sqlite3
from contextlib import closing
from dataclasses import MISSING, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backhaul.errors import InputError
from backhaul.node.container import DamagedFrameError, Kept, describe, pack, unpack
from backhaul.node.coverage import Coverage, unit
from backhaul.node.disk import MOST_QUARANTINED, FolderDisk
from backhaul.node.embedding import WIDTH, embedding
from backhaul.node.frame import Frame, Why
from backhaul.node.journal import NAME, DamagedJournalError, Journal
from backhaul.node.queue import Queue
from backhaul.node.ranks import Ranks
from backhaul.node.recent import Recent
from backhaul.node.records import Memory, Window
from backhaul.node.recovery import open_journal, recover
from backhaul.node.sidecar import packed
from backhaul.node.trace import Trace

DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of b"hello"
FRAME = Frame(DIGEST, 7, 1.5, 5, 4_096, ".jpg", 0.5, window=3, policy="p", model="m")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 20))
def test_a_rank_is_the_part_that_is_smaller(utilities: list[float], most: int) -> None:
    ranks = Ranks(most)
    for n, utility in enumerate(utilities):
        recent = np.array(utilities[max(0, n + 1 - most) : n + 1])
        expected = ((recent < utility).sum() + (recent == utility).sum() / 2) / len(recent)
        assert ranks.rank(utility) == pytest.approx(expected)
    assert Ranks(most, ranks.recent).recent == ranks.recent


FRAMES = st.lists(
    st.tuples(
        st.floats(0, 1), st.integers(1, 9), st.sampled_from(["valued", "explored", "wanted"])
    ),
    max_size=30,
)


@given(FRAMES, st.data())
def test_the_queue_is_in_order(
    given_: list[tuple[float, int, Why]], data: st.DataObject
) -> None:
    density = lambda frame: frame.value / frame.size_bytes  # noqa: E731
    queue = Queue(density, density)
    first = {"wanted": 2, "explored": 1, "valued": 0}
    frames = [
        replace(
            FRAME,
            digest=str(n),
            number=n,
            value=value,
            size_bytes=size,
            disk_bytes=size,
            why=why,
        )
        for n, (value, size, why) in enumerate(given_)
    ]
    for frame in frames:
        queue.put(frame)
    if frames:
        out = data.draw(st.sampled_from(frames))
        queue.discard(out.digest)
        frames.remove(out)
    order = sorted(frames, key=lambda f: (first[f.why], f.value / f.size_bytes, f.number))
    assert list(queue) == order[::-1]
    assert queue.worst() == (order[0] if order else None)
    assert queue.best() == (order[-1] if order else None)
    small = [frame for frame in order if frame.size_bytes < 4]
    assert queue.best(lambda f: f.size_bytes < 4) == (small[-1] if small else None)
    assert queue.disk_bytes == sum(frame.size_bytes for frame in frames)
    assert queue.smallest_bytes == min((frame.size_bytes for frame in frames), default=np.inf)


def test_worth_that_fell_is_seen_when_a_frame_is_next() -> None:
    worth = {"a": 3.0, "b": 2.0, "c": 1.0}
    queue = Queue(lambda frame: worth[frame.digest], lambda frame: -worth[frame.digest])
    for name in worth:
        queue.put(replace(FRAME, digest=name))
    worth["a"] = 0.5
    best = queue.best()
    assert best is not None
    assert best.digest == "b"
    worst = queue.worst()
    assert worst is not None
    assert worst.digest == "a"


def test_coverage_in_one_pass_is_near_the_greedy_that_sees_all() -> None:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(40, 32))
    of = rng.choice(40, size=3_000, p=rng.dirichlet(np.full(40, 0.3)))
    frames = (centres[of] + 0.4 * rng.normal(size=(3_000, 32))).astype(np.float32)
    value = rng.uniform(0, 1, 3_000)
    vectors = np.array([unit(frame) for frame in frames])
    likeness = np.maximum(vectors @ vectors.T, 0)

    def worth(rows: list[int]) -> float:
        return float(value @ likeness[:, rows].max(axis=1))

    covered, greedy = np.zeros(3_000), list[int]()
    for _ in range(25):
        gains = value @ np.maximum(likeness - covered[:, None], 0)
        greedy.append(int(np.argmax(gains)))
        covered = np.maximum(covered, likeness[:, greedy[-1]])
    coverage = Coverage(32, np.random.default_rng(0))
    queue = Queue(lambda frame: coverage.gain(frames[frame.number]), lambda frame: frame.value)
    for number in range(3_000):
        coverage.see(frames[number], value[number])
        queue.put(replace(FRAME, digest=str(number), number=number, value=value[number]))
        if len(queue) > 1_000:
            worst = queue.worst()
            assert worst is not None
            queue.discard(worst.digest)
        if number + 1 in (32, 64, 128, 256, 512, 1_024, 2_048):
            queue.refresh()
    ours = list[int]()
    for _ in range(25):
        best = queue.best()
        assert best is not None
        ours.append(best.number)
        coverage.send(frames[best.number])
        queue.discard(best.digest)
    assert worth(ours) >= 0.9 * worth(greedy)


def test_gain_falls_to_nothing_for_what_was_sent() -> None:
    coverage = Coverage(3, np.random.default_rng(0), most=4)
    for axis in np.eye(3, dtype=np.float32):
        coverage.see(axis, 1.0)
    assert coverage.gain(np.array([2, 0, 0], np.float32)) == pytest.approx(1 / 3)
    coverage.send(np.array([5, 0, 0], np.float32))
    assert coverage.gain(np.array([1, 0, 0], np.float32)) == 0
    assert coverage.gain(np.array([0, 1, 1], np.float32)) == pytest.approx(2**0.5 / 3)
    assert coverage.gain(np.zeros(3, np.float32)) == 0


@given(arrays.arrays(np.float32, (6, 4), elements=st.floats(-2, 2, width=32)))
def test_nearest_of_the_recent(vectors: np.ndarray) -> None:
    recent = Recent(4, most=3)
    for number, vector in enumerate(vectors[:5]):
        recent.put(str(number), vector)
    _, apart = recent.nearest(vectors[5])
    expected = np.linalg.norm(vectors[2:5] - vectors[5], axis=1).min()
    assert apart == pytest.approx(float(expected), abs=1e-3)


def test_what_is_forgotten_is_near_to_nothing() -> None:
    recent, at = Recent(2, most=3), np.array([1, 1], np.float32)
    recent.put("a", at)
    recent.put("b", 2 * at)
    recent.forget("a")
    recent.forget("c")
    assert recent.nearest(at)[0] == "b"
    recent.forget("b")
    assert recent.nearest(at) == ("", float("inf"))
    recent.put("d", 3 * at)
    assert recent.nearest(at)[0] == "d"


def test_a_frame_describes_itself() -> None:
    kept = Kept(FRAME, {"frame_id": "a", "why": "valued"}, b"hello")
    data = pack(kept)
    assert unpack(data, DIGEST) == kept
    assert describe(lambda n: data[:n], 60).frame == FRAME
    assert describe(lambda n: data[:n], 1 << 16).sidecar == kept.sidecar


@given(st.integers(0, 1_000), st.integers(1, 255))
def test_a_changed_byte_is_found(place: int, flip: int) -> None:
    data = bytearray(pack(Kept(FRAME, {"frame_id": "a"}, b"hello")))
    data[place % len(data)] ^= flip
    with pytest.raises(DamagedFrameError):
        unpack(bytes(data), DIGEST)


@given(st.integers(0, 300))
def test_a_file_that_was_cut_off_is_found(length: int) -> None:
    data = pack(Kept(FRAME, {}, b"hello"))
    with pytest.raises(DamagedFrameError):
        unpack(data[: min(length, len(data) - 1)], DIGEST)


def test_the_journal_keeps_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.put(replace(FRAME, doubtful=True))
    memory = Memory(number=9, window=Window(number=2, counts={"suppressed": 3}))
    journal.remember(memory.model_dump_json(by_alias=True))
    journal.commit()
    journal.put(replace(FRAME, digest="other"))
    journal.close()
    again = Journal(path)
    assert list(again.waiting()) == [replace(FRAME, doubtful=True)]
    assert again.memory() == memory
    again.remove(DIGEST, 1, b"v")
    again.commit()
    assert (list(again.waiting()), again.gone(), again.sent_vectors()) == ([], [DIGEST], [b"v"])
    again.close()


def test_a_journal_of_a_version_that_knew_less_of_frames_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    old = [field.name for field in fields(Frame) if field.default is MISSING]
    with closing(sqlite3.connect(path)) as base:
        base.execute("DROP TABLE waiting")
        base.execute(f"CREATE TABLE waiting ({', '.join(old)}, PRIMARY KEY (digest))")
        marks = ", ".join("?" * len(old))
        values = [getattr(FRAME, name) for name in old]
        base.execute(f"INSERT INTO waiting VALUES ({marks})", values)  # noqa: S608 - our names
        base.commit()
    journal = Journal(path)
    required = {name: getattr(FRAME, name) for name in old}
    assert list(journal.waiting()) == [Frame(**required)]
    journal.put(FRAME)
    journal.commit()
    assert list(journal.waiting()) == [FRAME]
    journal.close()


def test_a_journal_of_a_version_that_knew_more_of_frames_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with closing(sqlite3.connect(path)) as base:
        base.execute("ALTER TABLE waiting ADD COLUMN later DEFAULT 'x'")
    journal = Journal(path)
    journal.put(FRAME)
    journal.commit()
    assert list(journal.waiting()) == [FRAME]
    journal.close()


def test_the_journal_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path, durable=False)
    for number in range(12_000):
        digest = f"{number:064d}"
        journal.put(replace(FRAME, digest=digest, number=number))
        journal.remove(digest, number, bytes(900) if number % 2 else None)
        if number % 100 == 0:
            journal.commit()
    journal.commit()
    assert len(journal.gone()) <= 5_600
    assert len(journal.sent_vectors()) <= 1_600
    journal.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 8_000_000


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 300])
def test_a_damaged_journal_says_so(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(damage)
    if damage:
        with pytest.raises(DamagedJournalError):
            Journal(path)
    else:
        Journal(path).close()


def test_a_journal_on_a_full_disk_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path, disk = tmp_path / NAME, FolderDisk(tmp_path / "frames")
    journal, _ = open_journal(path, disk)
    journal.remember(Memory(number=9).model_dump_json(by_alias=True))
    journal.commit()
    journal.close()
    before = path.read_bytes()
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))  # as of a disk without room
    try:
        with pytest.raises(InputError, match=NAME):
            open_journal(path, disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert path.read_bytes() == before
    again, away = open_journal(path, disk)
    assert (again.memory().number, away) == (9, None)
    again.close()


def test_files_are_whole_and_what_is_put_away_is_bounded(tmp_path: Path) -> None:
    disk = FolderDisk(tmp_path / "frames")
    (tmp_path / "frames" / ".half").write_bytes(b"x")
    disk = FolderDisk(tmp_path / "frames")
    assert list((tmp_path / "frames").iterdir()) == []
    for number in range(30):
        disk.write(f"{number:02d}", b"data")
        disk.quarantine(f"{number:02d}")
    disk.write("a", b"data")
    disk.flush()
    assert list(disk.names()) == ["a"]
    assert (disk.read("a"), disk.read("a", 2)) == (b"data", b"da")
    assert len(list((tmp_path / "quarantine").iterdir())) == MOST_QUARANTINED
    disk.remove("a")
    disk.remove("a")
    assert list(disk.names()) == []


def test_what_is_put_away_is_bounded_in_bytes(tmp_path: Path) -> None:
    disk = FolderDisk(tmp_path / "frames")
    for number in range(4):
        disk.write(f"{number}", bytes(1_500_000))
        disk.quarantine(f"{number}")
    assert len(list((tmp_path / "quarantine").iterdir())) == 2
    disk.write("large", bytes(9_000_000))
    disk.quarantine("large")
    kept = sum(path.stat().st_size for path in (tmp_path / "quarantine").iterdir())
    assert kept <= 4_000_000


def test_a_journal_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / NAME
    Journal(path).close()
    base = sqlite3.connect(path)
    base.execute("PRAGMA user_version=2")
    base.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="a newer version of Backhaul wrote it"):
        open_journal(path, FolderDisk(tmp_path / "frames"))
    assert path.read_bytes() == before


SIDECAR: dict[str, object] = {
    "detections": [],
    "features": None,
    "descriptor": packed(np.ones(4, np.float32)),
}


@pytest.mark.parametrize(
    ("frame", "sidecar"),
    [
        (replace(FRAME, why="walued"), SIDECAR),  # type: ignore[arg-type]
        (FRAME, SIDECAR | {"detections": [7]}),
        (FRAME, SIDECAR | {"detections": [{"class_id": 10**30, "xyxy": [0] * 4, "votes": 1}]}),
        (FRAME, {}),
    ],
)
def test_a_file_whose_description_is_no_longer_one_is_put_away(
    tmp_path: Path, frame: Frame, sidecar: dict[str, object]
) -> None:
    disk = FolderDisk(tmp_path / "frames")
    journal = Journal(tmp_path / NAME, durable=False)
    disk.write(DIGEST, pack(Kept(frame, sidecar, b"hello")))
    found = recover(journal, disk)
    assert (found.waiting, found.adopted) == ((), ())
    assert [path.stem for path in (tmp_path / "quarantine").iterdir()] == [DIGEST]
    journal.close()


def test_embeddings_keep_distances() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 449)).astype(np.float32)
    short = np.array([embedding(vector) for vector in vectors])
    assert short.shape == (50, WIDTH)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)[np.triu_indices(50, 1)]
    ours = np.linalg.norm(short[:, None] - short[None], axis=2)[np.triu_indices(50, 1)]
    assert np.abs(ours / apart - 1).max() < 0.35
    assert np.array_equal(embedding(vectors[0, :100]), vectors[0, :100])


@given(
    st.lists(st.tuples(st.floats(1, 100), st.floats(0, 50)), min_size=1, max_size=8),
    st.floats(0, 500),
    st.floats(0, 5_000),
)
def test_a_trace_carries_what_it_says(
    pieces: list[tuple[float, float]], t: float, n_bytes: float
) -> None:
    begins = np.concatenate([[0.0], np.cumsum([length for length, _ in pieces])])
    rates = np.array([*(rate for _, rate in pieces), 7.0])
    trace = Trace(begins, rates)
    steps = np.linspace(0, t, 2_001)
    rate_at = rates[np.searchsorted(begins, (steps[1:] + steps[:-1]) / 2, side="right") - 1]
    assert trace.carried(t) == pytest.approx((rate_at * np.diff(steps)).sum(), abs=0.05 * t + 1)
    end = trace.ends(t, n_bytes)
    assert trace.carried(end) - trace.carried(t) == pytest.approx(n_bytes, abs=1e-5)


def test_records_of_other_versions_are_read() -> None:
    text = json.dumps(
        {"schema": 1, "number": 4, "of_later": 1, "window": {"number": 3, "new": 2}}
    )
    memory = Memory.model_validate_json(text)
    assert memory.number == 4
    assert memory.window is not None
    assert memory.window.number == 3
