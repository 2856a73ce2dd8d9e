"""One HTML page of a campaign, and all else that people look at of it, made again."""

from backhaul.report.page import write_report

__all__ = ["write_report"]
