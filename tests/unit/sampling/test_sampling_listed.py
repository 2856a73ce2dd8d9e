"""What an earlier run sent, sent again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from backhaul.errors import InputError
from backhaul.identity import content_digest
from backhaul.sampling import ListedSampling, Method
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import FusedDetections
from backhaul.values.offers import Offers, Pool

PoolOf = Callable[..., Pool]
Files = Callable[..., Pool]


@pytest.fixture
def pool(pool_of: PoolOf) -> Files:
    """Makes pools of files, each seen once; ids have nothing to do with names of files."""

    def build(*files: str) -> Pool:
        detections: FusedDetections = pool_of(
            {f"id{i}": [(i % 2, 0.5)] for i in range(len(files))}
        ).detections
        names = tuple(f"id{i}" for i in range(len(files)))
        return Pool(
            Offers.originals(names, np.full(len(files), 10, np.int64), files), detections
        )

    return build


def write(folder: Path, **lists: str) -> Path:
    for name, paths in lists.items():
        (folder / f"{name}.txt").write_text("".join(f"{path}\n" for path in paths.split()))
    return folder


def method(folder: Path, of: str = "iqr", **more: object) -> ListedSampling:
    given = {"kind": "listed", "folder": str(folder), "of": of, **more}
    made = TypeAdapter(Method).validate_python(given)
    assert isinstance(made, ListedSampling)
    return made


def sent(folder: Path, pool: Pool, images: int = 99) -> list[str]:
    bandwidth, rng = Bandwidth(images=images), np.random.default_rng(0)
    table = method(folder).select(pool, bandwidth, rng=rng).table
    file = dict(zip(pool.image_id, pool.files, strict=True))
    return [file[i] for i in table["image_id"]]


def test_each_batch_gets_its_own_list_in_its_order(tmp_path: Path, pool: Files) -> None:
    write(tmp_path, sample0="a b c", sample1="d e f", iqr0_sample_3="c a", iqr1_sample_9="e")
    assert sent(tmp_path, pool("/new/a", "/new/b", "/new/c")) == ["/new/c", "/new/a"]
    assert sent(tmp_path, pool("/new/d", "/new/e", "/new/f")) == ["/new/e"]


def test_of_several_epochs_the_last_counts(tmp_path: Path, pool: Files) -> None:
    write(tmp_path, sample0="a b c", iqr0_sample_9="a", iqr0_sample_10="b")
    assert sent(tmp_path, pool("a", "b", "c")) == ["b"]
    table = method(tmp_path).select(
        pool("a", "b", "c"), Bandwidth(images=1), rng=np.random.default_rng(0)
    )
    assert table.table["reason"].tolist() == ["listed in iqr0_sample_10.txt"]
    assert table.table["method"].tolist() == ["listed-iqr"]


def test_a_batch_of_which_nothing_was_sent_sends_nothing(tmp_path: Path, pool: Files) -> None:
    write(tmp_path, sample0="a b", sample1="c d", sample2="e f")
    write(tmp_path, iqr0_sample_3="a", iqr1_sample_3="")
    assert sent(tmp_path, pool("c", "d")) == []
    assert sent(tmp_path, pool("e", "f")) == []


def test_equal_names_in_other_folders_are_told_apart(tmp_path: Path, pool: Files) -> None:
    """Frames of several cameras are numbered alike."""
    write(
        tmp_path,
        sample0="/old/cam1/1 /old/cam2/2 /old/cam3/3",
        sample1="/old/cam1/2 /old/cam2/3 /old/cam3/1",
        sample2="/old/cam1/3 /old/cam2/1 /old/cam3/2",
        iqr0_sample_3="/old/cam1/1",
        iqr1_sample_3="",
        iqr2_sample_3="/old/cam3/2 /old/cam2/1",
    )
    assert sent(tmp_path, pool("/x/cam1/1", "/x/cam3/3", "/x/cam2/2")) == ["/x/cam1/1"]
    assert sent(tmp_path, pool("/x/cam1/2", "/x/cam2/3", "/x/cam3/1")) == []
    third = pool("/x/cam1/3", "/x/cam2/1", "/x/cam3/2")
    assert sent(tmp_path, third) == ["/x/cam3/2", "/x/cam2/1"]


def test_what_is_too_much_is_dropped(tmp_path: Path, pool: Files) -> None:
    write(tmp_path, sample0="a b c d", iqr0_sample_3="a b c")
    kept = sent(tmp_path, pool("a", "b", "c", "d"), images=2)
    assert len(kept) == 2
    assert set(kept) < {"a", "b", "c"}


def test_other_batches_are_refused(tmp_path: Path, pool: Files) -> None:
    write(tmp_path, sample0="a b c d", sample1="e f g h", iqr0_sample_3="a b")
    with pytest.raises(InputError, match=r"no sample<b>\.txt there holds .* set lists to"):
        sent(tmp_path, pool("a", "e", "x", "y", "z"))


def test_a_path_that_may_be_two_images_is_refused(tmp_path: Path, pool: Files) -> None:
    write(tmp_path, sample0="x/1 y/1", iqr0_sample_3="1")
    with pytest.raises(InputError, match=r"iqr0_sample_3\.txt:1: 1 may be one of 2 images"):
        sent(tmp_path, pool("x/1", "y/1"))


def test_missing_lists_are_named(tmp_path: Path) -> None:
    write(tmp_path, sample0="a b", iqr0_sample_3="a")
    with pytest.raises(ValidationError, match=r"normal<batch>_sample_<epoch>\.txt: no such"):
        method(tmp_path, "normal")
    (tmp_path / "sample0.txt").unlink()
    with pytest.raises(ValidationError, match=r"sample0\.txt: expected a list"):
        method(tmp_path)


def test_the_lists_and_not_their_place_are_the_key(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write(folder, sample0="a b", iqr0_sample_3="a")
    first = method(here)
    assert content_digest(first) == content_digest(method(there))
    assert method(here, digest=first.digest) == first
    write(here, iqr0_sample_3="b")
    assert content_digest(method(here)) != content_digest(first)
    with pytest.raises(ValidationError, match="not those that the campaign started with"):
        method(here, digest=first.digest)


def test_the_label_says_of_whom(tmp_path: Path) -> None:
    write(tmp_path, sample0="a b", iqr0_sample_3="a")
    (tmp_path / "top_10_sample_3.txt").write_text("a\n")
    assert method(tmp_path).label == "listed-iqr"
    assert method(tmp_path, "top_1").label == "listed-top"
    assert method(tmp_path, label="again").label == "again"
