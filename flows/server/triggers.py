"""What a Prefect server shows of triggers: their last decision, with what was found."""

from __future__ import annotations

from backhaul.layout import RunFiles
from backhaul.triggers.decisions import Decision
from backhaul.triggers.wording import line_of, markdown
from flows.server.publish import best_effort, key_of
from flows.server.temporary import is_temporary
from tasks.shown import show


def publish_decision(files: RunFiles, decision: Decision | None) -> None:
    """Show a decision as the artifact ``<run>-triggers``, unless the last one was the same.

    A temporary server has no UI, and gets none.

    Args:
        files: Where the files of the run lie.
        decision: The decision; None = there is none.
    """
    if decision is None or decision.times > 1 or is_temporary():
        return
    with best_effort("the decision of the triggers"):
        key = key_of(files.name, "triggers")
        show("markdown", markdown(decision), f"{files.name}: {line_of(decision)}", key)
