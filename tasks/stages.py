"""A stage: a cached task that is run again when what it made is gone, and that is timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar

from prefect import get_run_logger, task
from prefect.context import TaskRunContext

from tasks.caching import StageKey
from tasks.store import artifacts_in, exists

P = ParamSpec("P")
R = TypeVar("R")

INFRASTRUCTURE = ("root", "where")
"""Inputs that every stage leaves out of its key: the store's root and the names for logs."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where in a campaign a stage runs: for names and logs, never for what is computed."""

    method: str = ""
    batch: int | None = None

    def __str__(self) -> str:
        batch = "" if self.batch is None else str(self.batch)
        return "-".join(part for part in (self.method, batch) if part) or "shared"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a stage took, and whether its result came from the cache."""

    stage: str
    where: Where
    seconds: float
    cached: bool


@dataclass(slots=True)
class Ledger:
    """What the stages of one campaign took. Appending to a list is safe between threads."""

    timings: list[Timing] = field(default_factory=list)


ledger: ContextVar[Ledger] = ContextVar("ledger")


class Stage(Generic[P, R]):
    """A cached Prefect task. Calling it runs the task, or takes its result from the cache."""

    def __init__(
        self, function: Callable[P, R], name: str, version: int, exclude: tuple[str, ...]
    ) -> None:
        self.name = name
        self.task: Any = task(
            function,
            name=name,
            task_run_name=f"{name}-{{where}}",
            cache_policy=StageKey(name, version, (*INFRASTRUCTURE, *exclude)),
            persist_result=True,
            result_serializer="json",
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the stage's result; its objects exist, or the task is run again."""
        result = self._run(self.task, *args, **kwargs)
        if not all(exists(artifact) for artifact in artifacts_in(result)):
            get_run_logger().warning("%s: a cached object is gone, running it again", self.name)
            result = self._run(self.task.with_options(refresh_cache=True), *args, **kwargs)
        return result

    def _run(self, runner: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        started = time.monotonic()
        state = runner(*args, return_state=True, **kwargs)
        result: R = state.result()
        where = kwargs.get("where")
        if isinstance(where, Where) and (entries := ledger.get(None)) is not None:
            cached = state.name == "Cached"
            entries.timings.append(
                Timing(self.name, where, time.monotonic() - started, cached)
            )
        return result


def stage(
    name: str, *, version: int = 1, exclude: tuple[str, ...] = ()
) -> Callable[[Callable[P, R]], Stage[P, R]]:
    """Make a function a stage of the campaign.

    Args:
        name: Name of the stage, the same in all layers.
        version: Raise it whenever the same inputs would give another result.
        exclude: Inputs that cannot change the result.
    """
    return lambda function: Stage(function, name, version, exclude)


def stage_key() -> str:
    """Return the cache key of the stage that is running."""
    context = TaskRunContext.get()
    if context is None:
        raise RuntimeError("no stage is running")
    policy = context.task.cache_policy
    assert isinstance(policy, StageKey)  # noqa: S101 - a stage has no other
    return policy.compute_key(context, context.parameters, {})
