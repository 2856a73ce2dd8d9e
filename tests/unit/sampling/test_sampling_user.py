"""A user's own code, named in the config."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from backhaul.errors import InputError
from backhaul.sampling import Method, UserSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Offers, Pool
from backhaul.values.selections import Selection

PoolOf = Callable[..., Pool]

CODE = """
from pathlib import Path

from backhaul.sampling import RandomSampling

class Largest:
    def __init__(self, n=2):
        self.n = n

    def select(self, pool, bandwidth, *, rng):
        largest = sorted(zip(pool.size_bytes.tolist(), pool.image_id), reverse=True)
        return [image_id for _, image_id in largest[: self.n]]

def everything(pool, bandwidth, rng):
    return pool.image_id

def twice(pool, bandwidth, rng):
    return (name for name in ("b", "a", "b"))

def selection(pool, bandwidth, rng):
    return RandomSampling(label="mine").select(pool, bandwidth, rng=rng)

def overspent(pool, bandwidth, rng):
    unlimited = bandwidth.model_copy(update={"images": 99, "bytes": None})
    return RandomSampling().select(pool, unlimited, rng=rng)

def unknown(pool, bandwidth, rng):
    return ["a", "zebra"]

def files(pool, bandwidth, rng):
    return [pool.files[2], Path(pool.files[0]), pool.image_id[2]]

def a_text(pool, bandwidth, rng):
    return "a"

def nothing(pool, bandwidth, rng):
    return None
"""


@pytest.fixture
def select(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Selection]:
    name = f"user_code_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)

    def run(attribute: str, pool: Pool, images: int = 99, **more: object) -> Selection:
        params = {"params": more.pop("params", {})}
        code = {"use": f"{name}:{attribute}", **params}
        method = TypeAdapter(Method).validate_python({"kind": "user", "code": code, **more})
        return method.select(pool, Bandwidth(images=images), rng=np.random.default_rng(0))

    return run


@pytest.fixture
def pool(pool_of: PoolOf) -> Pool:
    return pool_of({"a": [(0, 0.3)], "b": [(1, 0.4)], "c": []}, [30, 10, 20])


def test_a_class_is_built_with_its_params(select: Callable[..., Selection], pool: Pool) -> None:
    assert list(select("Largest", pool).table["image_id"]) == ["a", "c"]
    table = select("Largest", pool, params={"n": 1}).table
    assert table["image_id"].tolist() == ["a"]
    assert table["size_bytes"].tolist() == [30]
    assert table["method"].tolist() == ["Largest"]
    assert table["reason"].str.fullmatch(r"chosen by \w+:Largest").all()


def test_ids_keep_their_order_and_count_once(
    select: Callable[..., Selection], pool: Pool
) -> None:
    assert list(select("twice", pool).table["image_id"]) == ["b", "a"]


def test_files_name_images_as_well(select: Callable[..., Selection], pool: Pool) -> None:
    files = ("/data/a.png", "/data/b.png", "/data/c.png")
    offers = Offers.originals(pool.image_id, pool.size_bytes, files)
    table = select("files", dataclasses.replace(pool, offers=offers)).table
    assert table["image_id"].tolist() == ["c", "a"]
    assert table["size_bytes"].tolist() == [20, 30]


def test_a_selection_keeps_its_reasons(select: Callable[..., Selection], pool: Pool) -> None:
    table = select("selection", pool, images=2).table
    assert len(table) == 2
    assert (table["method"] == "selection").all()
    assert table["reason"].str.contains("class|undetected").all()


@pytest.mark.parametrize("attribute", ["everything", "overspent"])
def test_what_is_too_much_is_dropped(
    select: Callable[..., Selection], pool: Pool, attribute: str
) -> None:
    assert len(select(attribute, pool, images=2)) == 2


def test_what_is_too_much_is_dropped_by_class_if_asked(
    select: Callable[..., Selection], pool_of: PoolOf
) -> None:
    pool = pool_of({f"{c}-{i}": [(c, 0.5)] for c, n in ((0, 900), (1, 20)) for i in range(n)})
    table = select("everything", pool, images=30, stratify=True).table
    assert Counter(table["image_id"].str[0]) == {"0": 15, "1": 15}


def test_an_unknown_image_is_refused(select: Callable[..., Selection], pool: Pool) -> None:
    with pytest.raises(InputError, match=r":unknown: chose 'zebra', expected ids"):
        select("unknown", pool)


@pytest.mark.parametrize("attribute", ["a_text", "nothing"])
def test_what_is_no_list_of_ids_is_refused(
    select: Callable[..., Selection], pool: Pool, attribute: str
) -> None:
    with pytest.raises(InputError, match="expected a Selection, image ids or files, got"):
        select(attribute, pool)


@pytest.mark.parametrize(
    ("function", "label"), [("square", "square"), ("arctan2", "arctan"), ("log1p", "log1p")]
)
def test_the_label_is_the_name_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, label: str
) -> None:
    name = f"user_label_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(f"def {function}(pool, bandwidth, rng): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    method = TypeAdapter(Method).validate_python(f"{name}:{function}")
    assert isinstance(method, UserSampling)
    assert method.label == label


@pytest.mark.parametrize(
    ("needs", "expected"),
    [("", frozenset()), ('choose.needs = ["features"]', frozenset({"features"}))],
)
def test_needs_are_what_the_code_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs: str, expected: frozenset[str]
) -> None:
    name = f"user_needs_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(f"def choose(pool, bandwidth, rng): ...\n{needs}\n")
    monkeypatch.syspath_prepend(tmp_path)
    method = TypeAdapter(Method).validate_python(f"{name}:choose")
    assert method.needs == expected


def test_needs_that_nobody_knows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"wrong_needs_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        "def choose(pool, bandwidth, rng): ...\nchoose.needs = {'labels'}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValidationError, match="needs labels, expected some of scores"):
        TypeAdapter(Method).validate_python(f"{name}:choose")
