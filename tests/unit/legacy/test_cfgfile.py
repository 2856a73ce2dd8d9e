import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.campaign.legacy.cfgfile import read_cfg
from backhaul.errors import InputError

Write = Callable[..., Path]
WORDS = st.text("abcxyz019_./-", min_size=1, max_size=12)


def test_defect_35_comments_after_values_are_kept_apart(write: Write) -> None:
    path = write(
        "a.cfg", "bandwidth = 60 # images\nlog = run#1/\n#sample_set = x\noutput = # none\n"
    )
    entries = read_cfg(path).entries
    assert {k: (e.value, e.comment) for k, e in entries.items()} == {
        "bandwidth": ("60", "images"),
        "log": ("run#1/", ""),
        "output": ("", "none"),
    }
    assert entries["bandwidth"].place == "a.cfg:1"


def test_a_child_wins_over_its_parents(write: Write) -> None:
    write("config/middle.cfg", "inherit = config/retrain.cfg\nbandwidth = 30\nclip = 2\n")
    child = write("config/child.cfg", "inherit = config/middle.cfg\nbandwidth = 60\n")
    cfg = read_cfg(child)
    entries = cfg.entries
    assert [str(parent.path) for parent in cfg.parents] == [
        "config/middle.cfg",
        "config/retrain.cfg",
    ]
    assert not any(parent.beside for parent in cfg.parents)
    assert entries["bandwidth"].value == "60"
    assert entries["clip"].value == "2"
    assert entries["img_size"].place == "config/retrain.cfg:32"


def test_a_parent_may_lie_beside_its_child(write: Write) -> None:
    child = write("config/child.cfg", "inherit = retrain.cfg\n")
    cfg = read_cfg(child)
    assert cfg.entries["n_cpu"].value == "4"
    assert [parent.beside for parent in cfg.parents] == [True]


def test_the_working_directory_comes_before_the_folder_of_the_file(write: Write) -> None:
    write("retrain.cfg", "n_cpu = 1\n")
    cfg = read_cfg(write("config/child.cfg", "inherit = retrain.cfg\n"))
    assert cfg.entries["n_cpu"].place == "retrain.cfg:1"
    assert "inherit" not in cfg.entries


def test_defect_35_a_circle_is_named(write: Write) -> None:
    write("a.cfg", "inherit = b.cfg\n")
    write("b.cfg", "inherit = c.cfg\n")
    write("c.cfg", "inherit = ./a.cfg\n")
    with pytest.raises(InputError, match=r"a\.cfg -> b\.cfg -> c\.cfg -> a\.cfg"):
        read_cfg(Path("a.cfg"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("inherit = nowhere.cfg", "a.cfg:1: inherit: nowhere.cfg: no such file"),
        ("bandwidth 60", "a.cfg:1: expected key = value"),
        ("clip = 1\n\nclip = 2", "a.cfg:3: clip was set before, in a.cfg:1"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(write: Write, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(reason)):
        read_cfg(write("a.cfg", text))


def test_a_missing_file_is_one_line(write: Write) -> None:
    with pytest.raises(InputError, match=r"b\.cfg: No such file"):
        read_cfg(Path("b.cfg"))


@given(st.dictionaries(st.from_regex(r"[a-z]\w{0,8}", fullmatch=True), WORDS), WORDS)
def test_every_value_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str], comment: str
) -> None:
    values.pop("inherit", None)
    path = tmp_path_factory.mktemp("cfg") / "any.cfg"
    path.write_text("".join(f"{k}={v}  # {comment}\n" for k, v in values.items()))
    assert {k: e.value for k, e in read_cfg(path).entries.items()} == values
