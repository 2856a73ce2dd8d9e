"""Lists of an earlier run, written by hand."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.data.lists import play_lists, read_lists
from backhaul.data.pathindex import PathIndex
from backhaul.data.settings import Batches
from backhaul.errors import InputError
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

BOX = Labels.from_rows([[0, 0.5, 0.5, 0.2, 0.2]])
LISTS = {
    "init_train": "a0 a1",
    "init_valid": "a2",
    "init_test": "a3",
    "sample0": "b1 b0",
    "sample1": "b3 b2",
    "sample2": "b4 b5",
    "sample3": "b6",
}
Write = Callable[..., Path]


def image_set(uris: list[str], unlabelled: tuple[str, ...] = ()) -> ImageSet:
    rows = [
        (f"id-{i:03d}", uri, 64, 64, 100, None, None if uri in unlabelled else BOX, None, None)
        for i, uri in enumerate(uris)
    ]
    columns = {name: [row[j] for row in rows] for j, name in enumerate(IMAGE_COLUMNS)}
    return ImageSet(pd.DataFrame(columns, dtype=object), ("cat",))


IMAGES = image_set([f"/data/images/{p}{i}.png" for p in "abc" for i in range(8)])


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lists, ``"a0 a1"`` standing for two paths on another machine."""

    def lists(changes: Mapping[str, str | None]) -> Path:
        for name, images in {**LISTS, **changes}.items():
            if images is not None:
                lines = [f"D:\\set\\images\\{image}.png\n" for image in images.split()]
                (tmp_path / f"{name}.txt").write_text("".join(lines))
        return tmp_path

    return lists


def names(images: ImageSet) -> str:
    return " ".join(Path(uri).stem for uri in images.table["uri"])


def arriving(holdout: int = 1, count: int | None = None) -> Batches:
    return Batches(holdout_batches=holdout, count=count)


def test_images_are_initial_and_arrive_as_listed(write: Write) -> None:
    splits, parts, unlisted = play_lists(IMAGES, read_lists(write({})), arriving(0))
    assert names(splits.train) == "a0 a1"
    assert (names(splits.valid), names(splits.test)) == ("a2", "a3")
    assert [names(batch) for batch in parts.numbered] == ["b1 b0", "b3 b2", "b4 b5"]
    assert names(parts.leftover) == "b6"  # smaller than the first
    assert names(parts.holdout) == ""
    assert names(unlisted) == "a4 a5 a6 a7 b7 c0 c1 c2 c3 c4 c5 c6 c7"


@pytest.mark.parametrize(
    ("changes", "batches", "expected"),
    [
        ({}, arriving(1), (["b1 b0", "b3 b2", "b4 b5"], "b6", "")),
        ({}, arriving(2), (["b1 b0", "b3 b2"], "b4 b5 b6", "")),
        ({}, arriving(1, 1), (["b1 b0"], "b6", "b3 b2 b4 b5")),
        ({}, arriving(0, 4), (["b1 b0", "b3 b2", "b4 b5", "b6"], "", "")),
        ({"holdout": "c1"}, arriving(2), (["b1 b0", "b3 b2", "b4 b5"], "c1", "b6")),
        ({"holdout": "c1"}, arriving(0), (["b1 b0", "b3 b2", "b4 b5"], "", "b6")),
    ],
)
def test_what_is_held_out_and_left_over(
    write: Write,
    changes: dict[str, str],
    batches: Batches,
    expected: tuple[list[str], str, str],
) -> None:
    _, parts, _ = play_lists(IMAGES, read_lists(write(changes)), batches)
    played = [names(batch) for batch in parts.numbered]
    assert (played, names(parts.holdout), names(parts.leftover)) == expected


@pytest.mark.parametrize(
    ("changes", "batches", "message"),
    [
        ({"sample1": "b3 z9"}, arriving(), r"sample1\.txt:2: .*z9\.png is not in the data set"),
        (
            {"sample1": "b3 a2"},
            arriving(),
            r"txt:2: .* before, in .*init_valid\.txt:1",
        ),
        ({}, arriving(3, 2), r"lists: 2 batches and 3 held out are wanted, there are 4 lists"),
        ({}, arriving(4), r"lists: 1 batches and 4 held out are wanted"),
    ],
)
def test_lists_that_do_not_fit_are_refused(
    write: Write, changes: dict[str, str], batches: Batches, message: str
) -> None:
    lists = read_lists(write(changes))
    with pytest.raises(InputError, match=message):
        play_lists(IMAGES, lists, batches)


def test_all_that_is_wrong_is_counted_and_some_of_it_named(write: Write) -> None:
    lists = read_lists(write({"sample0": " ".join(f"x{i}" for i in range(9))}))
    with pytest.raises(InputError, match=r"sample0\.txt:5: .*\n\.\.\. and 4 more$"):
        play_lists(IMAGES, lists, arriving())


def test_an_initial_image_needs_labels(write: Write) -> None:
    images = image_set(list(IMAGES.table["uri"]), unlabelled=("/data/images/a1.png",))
    with pytest.raises(InputError, match=r"init_train\.txt:2: .*a1\.png has no labels"):
        play_lists(images, read_lists(write({})), arriving())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init_train": ""}, r"init_train\.txt: is empty"),
        ({"init_test": None}, r"init_test\.txt: No such file"),
        ({"sample1": None}, r"sample1\.txt: expected a list of images there"),
        ({f"sample{i}": None for i in range(4)}, r"sample0\.txt: expected a list"),
    ],
)
def test_missing_and_empty_lists_are_named(
    write: Write, changes: dict[str, str | None], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_lists(write(changes))


def test_a_list_that_is_no_text_is_named(write: Write) -> None:
    folder = write({})
    (folder / "sample0.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"sample0\.txt: expected UTF-8 text"):
        read_lists(folder)


def test_the_longest_common_tail_decides(write: Write) -> None:
    index = PathIndex(["/d/day/cam1/1.png", "/d/night/cam1/1.png", "/d/cam2/1.png"])
    assert index.find("/old/night/cam1/1.png") == ([1], 3)
    assert index.find("cam2/1.png") == ([2], 2)
    assert index.find("cam1/1.png") == ([0, 1], 2)
    assert index.find("1.png") == ([0, 1, 2], 1)
    assert index.find("2.png") == ([], 0)
    images = image_set(["/data/x/a0.png", "/data/y/a0.png"])
    with pytest.raises(InputError, match=r":1: .* may be /data/x/a0\.png or /data/y/a0\.png"):
        play_lists(images, read_lists(write({})), arriving())


PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)


@given(paths=st.lists(PARTS, min_size=1, max_size=8, unique_by=tuple), root=st.booleans())
def test_a_path_always_means_itself_wherever_the_set_was_moved(
    paths: list[list[str]], root: bool
) -> None:
    uris = ["/root/" + "/".join(parts) for parts in paths]
    index = PathIndex(uris)
    for row, uri in enumerate(uris):
        written = uri if root else uri.replace("/root/", "C:\\other\\root\\")
        assert index.find(written)[0] == [row]
