"""One HTML page of a campaign, made from nothing but the run's folder."""

from backhaul.report.page import write_report

__all__ = ["write_report"]
