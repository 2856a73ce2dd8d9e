"""The tables of commands that are imported when they are called, and what a start imports."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from backhaul.cli import analyze, commands
from backhaul.cli.lazy import Entry, load
from tests.predicted import Predicted, write_frames, write_texts

ROOT = Path(__file__).resolve().parents[3]
ALL = [*commands.COMMANDS.items(), *analyze.COMMANDS.items()]
HEAVY = ("pandas", "pyarrow", "prefect", "torch", "ultralytics", "sklearn", "scipy", "plotly")


@pytest.mark.parametrize(("name", "entry"), ALL, ids=[name for name, _ in ALL])
def test_the_summary_of_a_command_begins_its_own_help(name: str, entry: Entry) -> None:
    command = load(name, entry)
    paragraph = (command.help or "").split("\n\n")[0]
    assert " ".join(paragraph.split()) == entry.summary


def test_a_command_of_no_table_is_named() -> None:
    with pytest.raises(SystemExit) as ended:
        typer.main.get_command(commands.app)(["nosuch"])
    assert ended.value.code == 2


def imported(*arguments: str) -> set[str]:
    """Return which of the heavy libraries a command has imported at its end."""
    code = (
        "import sys\n"
        f"sys.argv = ['backhaul', *{list(arguments)!r}]\n"
        "from backhaul.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('IMPORTED', *(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("IMPORTED")[2].split())


def test_help_imports_neither_commands_nor_what_they_need() -> None:
    assert imported("--help") == set()
    assert imported("data", "--help") == set()


def test_a_choice_by_predictions_imports_no_detector_and_no_orchestrator(
    tmp_path: Path,
) -> None:
    frames = write_frames(tmp_path / "frames", ["a", "b", "c"])
    box = Predicted(0, 0.5, (2, 2, 20, 20))
    given = str(write_texts(tmp_path / "labels", {"a": [box], "b": [box]}))
    arguments = ("select", given, "--images", str(frames), "--count", "2", "--out")
    assert imported(*arguments, str(tmp_path / "out.csv")) <= {"pandas", "pyarrow"}
    assert (tmp_path / "out.csv").is_file()
    light = "import sys, backhaul; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", light], capture_output=True, check=True)
    assert done.stdout.split() == [b"False"]


def test_what_needs_no_tables_imports_none() -> None:
    assert imported("methods") == set()
    assert imported("validate", "--quick", str(ROOT / "configs" / "quickstart.yaml")) == set()
