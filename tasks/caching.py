"""Cache keys that hold across runs, processes and machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from pydantic import BaseModel

from backhaul.artifacts import Artifact


def canonical(value: Any) -> Any:
    """Return `value` as plain JSON data in which equal content is equal text.

    A model's ``resources``, such as a device or a number of threads, are left out: they do not
    say what is computed, only with what.

    Raises:
        TypeError: If the value has no canonical form; pass an `Artifact` or exclude the input.
    """
    match value:
        case Artifact():
            return {"sha256": value.sha256}  # where it lies must not matter
        case BaseModel():
            resources = getattr(type(value), "resources", ())
            return {name: canonical(item) for name, item in value if name not in resources}
        case dict():
            return {str(key): canonical(item) for key, item in sorted(value.items())}
        case list() | tuple():
            return [canonical(item) for item in value]
        case Path():
            return value.as_posix()
        case None | str() | bool() | int() | float():
            return value
    raise TypeError(f"{type(value).__name__} has no canonical form")


def content_digest(value: Any) -> str:
    """Return 32 hexadecimal digits that are equal for equal content."""
    text = json.dumps(canonical(value), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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
    """

    stage: str = ""
    version: int = 1
    exclude: tuple[str, ...] = ()

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
        body = {name: item for name, item in inputs.items() if name not in self.exclude}
        return f"{self.stage}-v{self.version}-{content_digest(body)}"
