"""Cache keys that hold across runs, processes and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext

from backhaul.identity import content_digest


@dataclass
class StageKey(CachePolicy):
    """Key a task by its stage, the stage's version and the content of its inputs.

    Prefect's own policies hash the wrapper's text, which misses a change in the code it calls
    and notices one in a comment. A stage says its version instead: raise it whenever the same
    inputs would give another result.

    Args:
        stage: Name of the stage.
        version: Version of its behaviour.
        exclude: Inputs that cannot change the result (the store's root, a label for logs).
        neutral: Inputs with the value that stands for "as before there was this input"; with
            that value they leave the key as it is.
    """

    stage: str = ""
    version: int = 1
    exclude: tuple[str, ...] = ()
    neutral: Mapping[str, Any] = field(default_factory=dict)

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str:
        """Return the key of a task's inputs, as Prefect asks for it."""
        return self.key_of(inputs)

    def key_of(self, inputs: Mapping[str, Any]) -> str:
        """Return `<stage>-v<version>-<digest>`."""
        body = {
            name: item
            for name, item in inputs.items()
            if name not in self.exclude
            and (name not in self.neutral or item != self.neutral[name])
        }
        return f"{self.stage}-v{self.version}-{content_digest(body)}"
