"""The HTML page of a campaign, and regeneration of all its view files."""

from backhaul.report.page import write_report

__all__ = ["write_report"]
