"""Keep a finding where people look for it."""

from __future__ import annotations

from pathlib import Path

from backhaul.analysis.finding import Finding


def keep(run_folder: Path, finding: Finding) -> tuple[Path, ...]:
    """Write a finding into a run's folder, and the run's page with it; return the files."""
    from backhaul.analysis.writing import write_finding
    from backhaul.report import write_report

    return (*write_finding(run_folder, finding), write_report(run_folder))
