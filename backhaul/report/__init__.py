"""One HTML page of a campaign, made from nothing but the run's folder."""

from backhaul.report.page import write_report
from backhaul.report.tables import gains

__all__ = ["gains", "write_report"]
