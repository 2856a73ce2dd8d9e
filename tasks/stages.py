"""A stage: a cached task that is run again when what it made is gone, and that is timed."""

from __future__ import annotations

import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar

import numpy as np
from prefect import get_run_logger, task
from prefect.context import TaskRunContext
from pydantic import BaseModel, ConfigDict

from backhaul.randomness import generator
from tasks.caching import StageKey
from tasks.store import artifacts_in, exists

P = ParamSpec("P")
R = TypeVar("R")


class Step(BaseModel):
    """Which step of a campaign a stage is, and on what it runs.

    Only `seed` and `batch` can change a result, and only in stages that draw at random.

    Args:
        root: Root of the store.
        seed: The campaign's seed.
        method: Label of the method; empty for what all methods share.
        batch: Number of the batch; None before the first.
        device: Where the detector runs.
        threads: CPU threads of the detector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    resources: ClassVar[frozenset[str]] = frozenset({"root", "method", "device", "threads"})

    root: str
    seed: int
    method: str = ""
    batch: int | None = None
    device: str = "auto"
    threads: int = 2

    def __str__(self) -> str:
        if not self.method and self.batch is None:
            return "init"
        return (self.method or "batch") + ("" if self.batch is None else str(self.batch))

    def rng(self, *path: str) -> np.random.Generator:
        """Return the random generator of a stage of this step."""
        return generator(self.seed, *path, "initial" if self.batch is None else self.batch)


class Timing(BaseModel):
    """How long a stage took, and whether its result came from the cache."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    seconds: float
    cached: bool


_timings: ContextVar[list[Timing] | None] = ContextVar("timings", default=None)


@contextmanager
def timed() -> Iterator[list[Timing]]:
    """Collect the timings of all stages that run within the block."""
    entries: list[Timing] = []
    token = _timings.set(entries)
    try:
        yield entries
    finally:
        _timings.reset(token)


_locks: defaultdict[str, Lock] = defaultdict(Lock)
_locks_guard = Lock()


def _one_at_a_time(key: str) -> Lock:
    with _locks_guard:
        return _locks[key]


class Stage(Generic[P, R]):
    """A cached Prefect task. Calling it runs the task, or takes its result from the cache.

    Methods side by side may come to the same key, for example when each sends the whole batch.
    The first then computes, and the others wait and take its result.
    """

    def __init__(self, function: Callable[P, R], name: str, version: int, random: bool) -> None:
        self.name = name
        self.signature = inspect.signature(function)
        self.policy = StageKey(stage=name, version=version, exclude=() if random else ("step",))
        self.task: Any = task(  # type: ignore[call-overload] # its overloads miss this call
            function,
            name=name,
            task_run_name=f"{name}-{{step}}",
            cache_policy=self.policy,
            persist_result=True,
            result_serializer="json",
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the stage's result; its objects exist, or the task is run again."""
        inputs = self.signature.bind(*args, **kwargs).arguments
        with _one_at_a_time(self.policy.key_of(inputs)):
            result = self._run(self.task, *args, **kwargs)
            if not all(exists(artifact) for artifact in artifacts_in(result)):
                get_run_logger().warning("%s: a cached object is gone, once more", self.name)
                result = self._run(self.task.with_options(refresh_cache=True), *args, **kwargs)
        return result

    def _run(self, runner: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        started = time.monotonic()
        state = runner(*args, return_state=True, **kwargs)
        result: R = state.result()
        if (entries := _timings.get()) is not None:
            seconds = round(time.monotonic() - started, 3)
            entries.append(
                Timing(stage=self.name, seconds=seconds, cached=state.name == "Cached")
            )
        return result


def stage(
    name: str, *, random: bool, version: int = 1
) -> Callable[[Callable[P, R]], Stage[P, R]]:
    """Make a function with a keyword argument ``step`` a stage of the campaign.

    Args:
        name: Name of the stage, the same in all layers.
        random: Whether it draws at random, so that seed and batch belong to its key.
        version: Raise it whenever the same inputs would give another result.
    """
    return lambda function: Stage(function, name, version, random)


def stage_key() -> str:
    """Return the cache key of the stage that is running."""
    context = TaskRunContext.get()
    if context is None:
        raise RuntimeError("no stage is running")
    policy = context.task.cache_policy
    assert isinstance(policy, StageKey)  # noqa: S101 - a stage has no other
    return policy.key_of(context.parameters)
