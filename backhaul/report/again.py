"""Regenerate all view files of a run."""

from __future__ import annotations

from backhaul.analysis.writing import write_stored
from backhaul.campaign.finding import read_findings
from backhaul.campaign.runrecords import required_runs
from backhaul.campaign.view import write_view
from backhaul.layout import RunFiles
from backhaul.report.campaign import stored_campaign
from backhaul.report.page import write_report
from backhaul.report.shrinking import Fetch


def make_view(files: RunFiles, fetch: Fetch | None = None) -> str:
    """Write all files of a run, or of the seeds of a campaign, again; return where the page is.

    Nothing of what is there is read. What was pruned from the store is left out.

    Args:
        files: Where the files of the run lie.
        fetch: Reads images in object stores, for the page; None = it shows none of them.

    Raises:
        InputError: If the store knows no such run.
    """
    runs = required_runs(files)
    for records in runs:
        write_view(records)
    for each in dict.fromkeys((*(records.files for records in runs), files)):
        for stored in read_findings(each):  # those of all seeds, and their page, at last
            write_stored(each.view, stored)
        page = write_report(stored_campaign(each), fetch)
    return page
