"""What `backhaul doctor` looks at: one module a place, one function a check."""

from tasks.health.check import Answer, Check, Result, Status, examine
from tasks.health.checkup import all_checks

__all__ = ["Answer", "Check", "Result", "Status", "all_checks", "examine"]
