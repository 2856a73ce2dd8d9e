"""Write findings as JSON, CSV and PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from backhaul.analysis.png import draw
from backhaul.campaign.finding import FINDING, Finding, StoredFinding
from backhaul.campaign.view import write_csv
from backhaul.errors import InputError, StoreError
from backhaul.layout import RunFiles, View
from backhaul.storage.objects import read_value, remove, replace
from backhaul.values.artifacts import Artifact


def keep_finding(
    files: RunFiles, finding: Finding, tables: Mapping[str, Artifact] | None = None
) -> tuple[str, ...]:
    """Store a finding with its run, and write its files into the run's folder.

    Args:
        files: Where the files of the run lie.
        finding: The finding.
        tables: Further tables that belong to it, by the names of their files.

    Returns:
        The files that were written, see `write_finding`.
    """
    stored = StoredFinding(finding=finding, tables=dict(tables or {}))
    FINDING.write(files.finding(finding.name), stored)
    return write_stored(files.view, stored)


def write_stored(view: View, stored: StoredFinding) -> tuple[str, ...]:
    """Write the files of a stored finding, and its further tables."""
    for name, table in stored.tables.items():
        write_csv(view.finding(name, ""), read_value(pd.DataFrame, table))
    return write_finding(view, stored.finding)


def write_finding(view: View, finding: Finding) -> tuple[str, ...]:
    """Write the files of a finding into the folder of a run and return their addresses.

    These are ``analysis/<name>.json``, the finding itself, ``.csv``, its table, and, if it has
    charts, ``.png``. Each replaces an earlier one in one step.

    Raises:
        InputError: If they cannot be written there.
    """
    files = {".json": finding.model_dump_json(indent=1).encode(), **_contents(finding)}
    places = {view.finding(finding.name, suffix): data for suffix, data in files.items()}
    written = _write(places)
    if not finding.charts:
        remove(view.finding(finding.name, ".png"))  # of an earlier one
    return written


def write_beside(source: Path, finding: Finding) -> tuple[str, ...]:
    """Write table and charts of a finding beside a file of the user's.

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
    stem = source.with_name(finding.name)
    return _write({f"{stem}{suffix}": data for suffix, data in _contents(finding).items()})


def _contents(finding: Finding) -> dict[str, bytes]:
    files = {".csv": finding.table.to_csv(index=False).encode()}
    return files | ({".png": draw(finding)} if finding.charts else {})


def _write(files: Mapping[str, bytes]) -> tuple[str, ...]:
    for place, content in files.items():
        try:
            replace(place, content)
        except (OSError, StoreError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{place}: could not be written: {reason}") from None
    return tuple(files)
