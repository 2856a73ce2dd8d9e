"""Names and paths that nothing can have end a command in one line, with exit code 2."""

import sys
from pathlib import Path

import pytest

from backhaul.cli.commands import run_app

LONG = "a" * 300
CONFIG = Path(__file__).parents[3] / "configs/quickstart.yaml"


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", LONG],
        ["report", "a\nb"],
        ["report", "a\0b"],
        ["analyze", "compare", LONG],
        ["analyze", "classes", LONG],
        ["data", "check", LONG],
        ["data", "check", "/proc"],
        ["validate", f"{LONG}.yaml"],
        ["validate", "/dev/zero"],
        ["validate", "."],
        ["validate", str(CONFIG), "--set", f"name={LONG}"],
        ["validate", str(CONFIG), "--quick", "--set", "store=~nouser/x"],  # makes no images
        ["validate", str(CONFIG), "--quick", "--set", 'store="a\\0b"'],
        ["validate", str(CONFIG), "--quick", "--set", f"store={LONG}"],
        ["validate", str(CONFIG), "--quick", "--set", "lists=~nouser"],
        ["validate", str(CONFIG), "--set", f"data={{kind: folder, root: {LONG}}}"],
        ["validate", str(CONFIG), "--quick", "--set", "training.model=~nouser/x.pt"],
        ["import-cfg", f"{LONG}.cfg"],
        ["import-sedna", f"{LONG}.yaml"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(LONG, "LONG").replace("\0", "NUL"),
)
def test_they_end_in_one_line(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["backhaul", *arguments])
    with pytest.raises(SystemExit) as ended:
        run_app()
    said = capsys.readouterr().err.strip()  # a progress bar leaves an empty line
    assert ended.value.code == 2
    assert said.startswith("error: ")
    assert "\n" not in said
