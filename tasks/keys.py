"""Cache keys that stay the same across runs, processes, machines and versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from inspect import Parameter, Signature
from typing import Any, TypeAlias

from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext

from backhaul.identity import canonical, content_digest

Inputs: TypeAlias = Mapping[str, Any]
Libraries: TypeAlias = Callable[[Inputs], tuple[str, ...]]
"""From the inputs of a stage to the distributions whose version can change its result."""


def no_libraries(inputs: Inputs) -> tuple[str, ...]:
    """Return no libraries: the stage's result depends on our own code alone."""
    return ()


def libraries(*names: str) -> Libraries:
    """Return a function that names these distributions for all inputs of a stage."""
    return lambda inputs: names


@dataclass
class StageKey(CachePolicy):
    """Key a task by its stage, the stage's version, its libraries and its inputs' content.

    Prefect's own policies hash the wrapper's text, which misses a change in the code it calls
    and notices one in a comment. A stage says its version instead: raise it whenever the same
    inputs would give another result.

    Args:
        stage: Name of the stage.
        version: Version of its behaviour.
        exclude: Inputs that cannot change the result (the store's root, a label for logs).
        signature: Parameters of the stage. An input that equals its default has no place in a
            key, so a parameter may be added.
        names: By names of parameters, the names that they had when they were keyed first.
        uses: The libraries whose version matters.
    """

    stage: str = ""
    version: int = 1
    exclude: tuple[str, ...] = ()
    signature: Signature = field(default_factory=Signature)
    names: Mapping[str, str] = field(default_factory=dict)
    uses: Libraries = no_libraries

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str:
        """Return the cache key of a task's inputs, as Prefect asks for it.

        Args:
            task_ctx: Prefect's context of the task run; not used.
            inputs: Arguments of the call by parameter name.
            flow_parameters: Parameters of the flow; not used.
            **kwargs: Not used.
        """
        return self.key_of(inputs)

    def key_of(self, inputs: Inputs) -> str:
        """Return `<stage>-v<version>-<digest>`."""
        body = {
            self.names.get(name, name): canonical(item)
            for name, item in inputs.items()
            if name not in self.exclude and not self._is_default(name, item)
        }
        if used := self.uses(inputs):
            body["libraries"] = {name: version_of(name) for name in used}
        return f"{self.stage}-v{self.version}-{content_digest(body)}"

    def _is_default(self, name: str, item: Any) -> bool:
        parameter = self.signature.parameters.get(name)
        default = Parameter.empty if parameter is None else parameter.default
        return default is not Parameter.empty and canonical(item) == canonical(default)


@cache
def version_of(library: str) -> str:
    """Return the version of a distribution without its build label, such as ``+cpu``.

    Empty where it is not installed, as on a machine that only looks results up.
    """
    try:
        return metadata.version(library).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""
