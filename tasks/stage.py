"""A stage: a cached task that one process at a time runs, and that is timed."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Generic, Literal, ParamSpec, TypeVar

import numpy as np
from prefect import get_run_logger, task
from prefect.context import TagsContext, TaskRunContext
from prefect.results import ResultRecord  # type: ignore[attr-defined] # not in its __all__
from prefect.runtime import task_run
from pydantic import BaseModel, ConfigDict

from backhaul.errors import MissingObjectError
from backhaul.layout import CHECKPOINT
from backhaul.randomness import generator
from backhaul.storage.lease import Lease, lease
from backhaul.storage.objects import artifacts_in, exists
from backhaul.values.results import LookedUp, Timing
from tasks.keys import StageKey
from tasks.results import StoredResults

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
        keep_checkpoints: Whether all checkpoints of a result must be there, or some may have
            been pruned, as no ensemble of this run looks with them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    resources: ClassVar[frozenset[str]] = frozenset(
        {"root", "method", "device", "threads", "keep_checkpoints"}
    )

    root: str
    seed: int
    method: str = ""
    batch: int | None = None
    device: str = "auto"
    threads: int = 2
    keep_checkpoints: Literal["all", "ensemble"] = "all"

    def __str__(self) -> str:
        if not self.method and self.batch is None:
            return "init"
        return (self.method or "batch") + ("" if self.batch is None else str(self.batch))

    def rng(self, *path: str) -> np.random.Generator:
        """Return the random generator of a stage of this step."""
        return generator(self.seed, *path, "initial" if self.batch is None else self.batch)

    def finds(self, result: Any) -> bool:
        """Return whether what a stage's result refers to is there."""
        needed = artifacts_in(result)
        if self.keep_checkpoints == "ensemble":
            needed = (each for each in needed if not each.uri.endswith(CHECKPOINT))
        return all(exists(artifact) for artifact in needed)


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


class NotCachedError(LookupError):
    """A stage that is only looked up has no result yet."""


_lookups: ContextVar[list[LookedUp] | None] = ContextVar("lookups", default=None)


@contextmanager
def looked_up() -> Iterator[list[LookedUp]]:
    """Look stages up in the cache within the block, and run none; collect what was found.

    Nothing is written, and no server is asked. A stage without a result raises NotCachedError.
    """
    entries: list[LookedUp] = []
    token = _lookups.set(entries)
    try:
        yield entries
    finally:
        _lookups.reset(token)


_held: ContextVar[Lease | None] = ContextVar("held", default=None)


class Stage(Generic[P, R]):
    """A cached Prefect task. Calling it runs the task, or takes its result from the cache.

    Methods side by side, also on other machines, may come to the same key, for example when
    each sends the whole batch. The first then computes, and the others wait for its result.
    """

    def __init__(
        self,
        function: Callable[P, R],
        name: str,
        version: int,
        random: bool,
        about: Callable[[Mapping[str, Any]], str],
        after: Callable[[Step, str], None],
    ) -> None:
        self.name = name
        self.about = about
        self.after = after
        self.signature = inspect.signature(function)
        self.policy = StageKey(stage=name, version=version, exclude=() if random else ("step",))
        self.task: Any = task(  # type: ignore[call-overload] # its overloads miss this call
            function,
            name=name,
            task_run_name=self._run_name,
            cache_policy=self.policy,
            persist_result=True,
            result_serializer="json",
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the stage's result; its objects exist, or the task is run again."""
        inputs = self.signature.bind(*args, **kwargs).arguments
        step, key = inputs["step"], self.policy.key_of(inputs)
        if (found := _lookups.get()) is not None:
            return self._look_up(found, step, key)
        with lease(step.root, key, self._tell) as held:
            token = _held.set(held)
            try:
                return self._run_or_read(step, key, *args, **kwargs)
            finally:
                _held.reset(token)

    def _look_up(self, found: list[LookedUp], step: Step, key: str) -> R:
        try:
            content = StoredResults(root=step.root).read_path(key)
        except MissingObjectError:
            found.append(LookedUp(stage=self.name, key=key, cached=False))
            raise NotCachedError(key) from None
        result: R = ResultRecord.deserialize(content).result
        there = step.finds(result)
        found.append(LookedUp(stage=self.name, key=key, cached=there))
        if not there:
            raise NotCachedError(key)
        return result

    def _run_or_read(self, step: Step, key: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        runner = self._storing_in(step.root)
        result = self._run(runner, key, *args, **kwargs)
        if not step.finds(result):
            get_run_logger().warning("%s: a cached object is gone, once more", self.name)
            runner.refresh_cache = True
            result = self._run(runner, key, *args, **kwargs)
        self.after(step, key)
        return result

    def _storing_in(self, root: str) -> Any:
        """Return the task with its results in the store at `root`."""
        runner = self.task.with_options()
        runner.result_storage = StoredResults(root=root)
        return runner

    def _run_name(self) -> str:
        parameters = task_run.parameters
        return f"{self.name}-{parameters['step']}{self.about(parameters)}"

    def _tell(self, holder: str) -> None:
        get_run_logger().info("%s: waits for %s, which is at it", self.name, holder)

    def _run(self, runner: Any, key: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        started = time.monotonic()
        with TagsContext(current_tags=set()):  # for a tag Prefect asks the server for limits
            state = runner(*args, return_state=True, **kwargs)
        result: R = state.result()
        if cached := state.name == "Cached":
            get_run_logger().info("%s: cached, %s", self.name, key)
        if (entries := _timings.get()) is not None:
            seconds = round(time.monotonic() - started, 3)
            entries.append(Timing(stage=self.name, seconds=seconds, cached=cached, key=key))
        return result


def _nothing(parameters: Mapping[str, Any]) -> str:
    return ""


def _leave(step: Step, key: str) -> None:
    """Do nothing once the result is stored."""


def stage(
    name: str,
    *,
    random: bool,
    version: int = 1,
    about: Callable[[Mapping[str, Any]], str] = _nothing,
    after: Callable[[Step, str], None] = _leave,
) -> Callable[[Callable[P, R]], Stage[P, R]]:
    """Make a function with a keyword argument ``step`` a stage of the campaign.

    Args:
        name: Name of the stage, the same in all layers.
        random: Whether it draws at random, so that seed and batch belong to its key.
        version: Raise it whenever the same inputs would give another result.
        about: From the parameters of a run to what ends its name in the UI.
        after: Called with step and key once the result is stored, to clear up what led to it.
    """
    return lambda function: Stage(function, name, version, random, about, after)


def require_lease() -> None:
    """Do nothing if the stage that is running is still the only one of its key.

    Raises:
        LeaseLostError: If another process took it over.
    """
    if (held := _held.get()) is not None:
        held.require()


def stage_key() -> str:
    """Return the cache key of the stage that is running."""
    context = TaskRunContext.get()
    if context is None:
        raise RuntimeError("no stage is running")
    policy = context.task.cache_policy
    assert isinstance(policy, StageKey)  # noqa: S101 - a stage has no other
    return policy.key_of(context.parameters)
