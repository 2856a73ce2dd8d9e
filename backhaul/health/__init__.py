"""Checks of `backhaul doctor`: one module per subject, one function per check."""

from backhaul.health.check import Answer, Check, Result, Status, examine

__all__ = ["Answer", "Check", "Result", "Status", "examine"]
