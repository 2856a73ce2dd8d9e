"""What `backhaul doctor` looks at: one module a place, one function a check."""

from backhaul.health.check import Answer, Check, Result, Status, examine

__all__ = ["Answer", "Check", "Result", "Status", "examine"]
