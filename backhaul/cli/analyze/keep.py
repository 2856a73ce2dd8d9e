"""Keep a finding where people look for it."""

from __future__ import annotations

from backhaul.analysis.finding import Finding
from backhaul.cli.runplace import RunPlace, remote_pictures


def keep(place: RunPlace, finding: Finding) -> tuple[str, ...]:
    """Write a finding into a run's folder, and the run's page with it; return the files."""
    from backhaul.analysis.writing import write_finding
    from backhaul.report import write_report

    files = write_finding(place.folder, finding)
    page = write_report(place.folder, remote_pictures(place.folder))
    return tuple(place.address_of(path) for path in (*files, page))
