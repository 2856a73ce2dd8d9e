"""How a run, and each of its methods, ended."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

Overall: TypeAlias = Literal[
    "running",
    "completed",
    "awaiting-labels",
    "awaiting-approval",
    "completed-with-failures",
    "failed",
]
"""How a run as a whole stands: it completed with failures only if not all of it failed."""


class MethodOutcome(BaseModel):
    """How a method ended, and if it did not complete, why.

    Args:
        state: How it ended.
        error: Why it did not complete.
        for_approval: Whether it waits for a person's decision, and not for labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["running", "completed", "failed", "waiting"]
    error: str | None = None
    for_approval: bool = False

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is not used, so that earlier versions read it as well."""
        fields: dict[str, Any] = handler(self)
        if not self.for_approval:
            del fields["for_approval"]
        return fields


class RunOutcome(BaseModel):
    """How the methods of a run ended, by label, and the run with them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    methods: dict[str, MethodOutcome] = {}
    state: Overall = "running"

    @classmethod
    def of(cls, methods: dict[str, MethodOutcome]) -> RunOutcome:
        """Return the outcome of a run from those of its methods."""
        states = {outcome.state for outcome in methods.values()}
        if states == {"failed"}:
            return cls(methods=methods, state="failed")
        if "failed" in states:
            return cls(methods=methods, state="completed-with-failures")
        if any(outcome.for_approval for outcome in methods.values()):
            return cls(methods=methods, state="awaiting-approval")
        waiting = "waiting" in states
        return cls(methods=methods, state="awaiting-labels" if waiting else "completed")
