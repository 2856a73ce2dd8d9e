"""Write findings as files: for programs, for spreadsheets, and to look at."""

from __future__ import annotations

import uuid
from pathlib import Path

from backhaul.analysis.finding import FOLDER, Finding
from backhaul.analysis.png import draw
from backhaul.errors import InputError


def write_finding(run_folder: Path, finding: Finding) -> tuple[Path, ...]:
    """Write a finding into a run's folder and return the files.

    These are ``analysis/<name>.json``, the finding itself, ``.csv``, its table, and, if it has
    charts, ``.png``. Each replaces an earlier one in one step.

    Raises:
        InputError: If they cannot be written there.
    """
    stem = run_folder / FOLDER / finding.name
    text = finding.model_dump_json(indent=1)
    _replace(stem.with_name(f"{stem.name}.json"), text.encode())
    files = [stem.with_name(f"{stem.name}.json"), *write_table(stem.parent, finding)]
    if not finding.charts:
        stem.with_name(f"{stem.name}.png").unlink(missing_ok=True)  # of an earlier one
    return tuple(files)


def write_table(folder: Path, finding: Finding) -> tuple[Path, ...]:
    """Write the table of a finding, and its charts if it has any; return the files.

    Raises:
        InputError: If they cannot be written there.
    """
    files = {".csv": finding.table.to_csv(index=False).encode()}
    if finding.charts:
        files[".png"] = draw(finding)
    for suffix, content in files.items():
        _replace(folder / f"{finding.name}{suffix}", content)
    return tuple(folder / f"{finding.name}{suffix}" for suffix in files)


def write_beside(source: Path, finding: Finding) -> tuple[Path, ...]:
    """Write table and charts beside a file of the user's, as `write_table` does.

    Raises:
        InputError: If a file of that name is there that is no earlier table of this kind.
    """
    table = source.with_name(f"{finding.name}.csv")
    if table.exists():
        header = table.read_bytes().splitlines()[:1]
        if header != finding.table.iloc[:0].to_csv(index=False).encode().splitlines():
            raise InputError(f"{table}: is another file; move it away, the table goes there")
    elif (picture := table.with_suffix(".png")).exists():
        raise InputError(f"{picture}: is another file; move it away, the charts go there")
    return write_table(source.parent, finding)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise InputError(f"{path}: could not be written: {error.strerror}") from None
    finally:
        if draft.exists():
            draft.unlink()
