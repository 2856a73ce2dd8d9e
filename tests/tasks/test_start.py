from pathlib import Path

import pytest

from backhaul.errors import InputError
from backhaul.learn.given import find_checkpoints
from backhaul.learn.settings import Start


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("init_ckpt_10", "init_ckpt_20", "iqr_ckpt_20", "iqr_ckpt_30", "iqr_ckpt_60"):
        (tmp_path / f"{name}.pt").write_bytes(name.encode())
    (tmp_path / "random_ckpt_25.pt").write_bytes(b"of another method")
    (tmp_path / "best.pt").write_bytes(b"of nobody knows when")
    return tmp_path


def found(path: Path, epoch: int | None = None) -> list[tuple[int, str]]:
    given = find_checkpoints(Start(checkpoint=str(path), epoch=epoch))
    return [(each.epoch, Path(each.uri).stem) for each in given]


def test_older_ones_of_its_past_come_along(folder: Path) -> None:
    assert found(folder / "iqr_ckpt_30.pt") == [
        (10, "init_ckpt_10"),
        (20, "iqr_ckpt_20"),
        (30, "iqr_ckpt_30"),
    ]


def test_where_the_epoch_is_another_than_the_name_says_it_comes_alone(folder: Path) -> None:
    assert found(folder / "iqr_ckpt_30.pt", 80) == [(80, "iqr_ckpt_30")]
    assert found(folder / "iqr_ckpt_30.pt", 25) == [(25, "iqr_ckpt_30")]
    assert found(folder / "best.pt", 7) == [(7, "best")]


def test_a_changed_file_is_noticed(folder: Path) -> None:
    start = Start(checkpoint=str(folder / "best.pt"), epoch=1)
    before = find_checkpoints(start)
    (folder / "best.pt").write_bytes(b"another model by the same name")
    assert find_checkpoints(start) != before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("best.pt", "set start.epoch, or --epoch"),
        ("init_ckpt_11.pt", "no such file"),
        ("nowhere/init_ckpt_10.pt", "no such folder or bucket"),
    ],
)
def test_what_cannot_be_started_from_is_said(folder: Path, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        found(folder / name)
