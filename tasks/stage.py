"""A stage: a cached task that is timed and runs in one process at a time."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, ParamSpec, TypeVar, get_type_hints

import numpy as np
from prefect import get_run_logger, task
from prefect.context import TagsContext, TaskRunContext
from prefect.runtime import task_run
from pydantic import BaseModel, ConfigDict, SkipValidation

from backhaul.code import UserCode
from backhaul.errors import MissingObjectError
from backhaul.events import StageBegan, StageEnded, emit, within
from backhaul.layout import CHECKPOINT
from backhaul.randomness import generator
from backhaul.storage.holder import Holder
from backhaul.storage.lease import Lease, OnWait, lease
from backhaul.storage.objects import artifacts_in, has, has_all_it_names, is_whole
from backhaul.values.artifacts import Artifact
from backhaul.values.results import LookedUp, Timing
from tasks.keys import Inputs, Libraries, StageKey, no_libraries
from tasks.results import DamagedResultError, StoredResults, kind_of

P = ParamSpec("P")
R = TypeVar("R")


class NotCachedError(LookupError):
    """A stage that may only be looked up in the cache has no result there yet."""


@dataclass
class Lookups:
    """Stages that were looked up in the cache instead of being run.

    Args:
        entries: The stages, in the order in which they were looked up.
    """

    entries: list[LookedUp] = field(default_factory=list)


class Step(BaseModel):
    """The step of a campaign in which a stage runs: seed, method, batch, store and device.

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
        detector: The campaign's own detector, by which checkpoints that it trained are run.
        trust: Whether code in checkpoints may be run, as the campaign's config says.
        lookups: If given, its stages are looked up in the cache and none is run: nothing is
            written, no server is asked, and one without a result raises `NotCachedError`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    resources: ClassVar[frozenset[str]] = frozenset(
        {
            "root",
            "method",
            "device",
            "threads",
            "keep_checkpoints",
            "detector",
            "trust",
            "lookups",
        }
    )

    root: str
    seed: int
    method: str = ""
    batch: int | None = None
    device: str = "auto"
    threads: int = 2
    keep_checkpoints: Literal["all", "ensemble"] = "all"
    detector: UserCode | None = None
    trust: bool = False
    lookups: SkipValidation[Lookups | None] = None

    def __str__(self) -> str:
        if not self.method and self.batch is None:
            return "init"
        return (self.method or "batch") + ("" if self.batch is None else str(self.batch))

    def rng(self, *path: str) -> np.random.Generator:
        """Return the random generator of a stage of this step."""
        return generator(self.seed, *path, "initial" if self.batch is None else self.batch)

    def needed(self, result: Any) -> Iterator[Artifact]:
        """Yield the artifacts in a stage's result that must be there."""
        pruned = CHECKPOINT if self.keep_checkpoints == "ensemble" else None
        for artifact in artifacts_in(result):
            if pruned is None or not artifact.uri.endswith(pruned):
                yield artifact


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


_on_wait: ContextVar[OnWait | None] = ContextVar("on_wait", default=None)


@contextmanager
def told_of_waits(on_wait: OnWait) -> Iterator[None]:
    """Meanwhile, stages that wait for another process tell of each look at its lease.

    Args:
        on_wait: See `backhaul.storage.lease.lease`.
    """
    token = _on_wait.set(on_wait)
    try:
        yield
    finally:
        _on_wait.reset(token)


_own_lease: ContextVar[Lease | None] = ContextVar("own_lease", default=None)


_thorough: ContextVar[bool] = ContextVar("thorough", default=False)


@contextmanager
def thorough() -> Iterator[None]:
    """Within the block, cached results count only if what their tables name is there as well.

    It takes a look into each table, so it is for a run in which stored objects were lost.
    """
    token = _thorough.set(True)
    try:
        yield
    finally:
        _thorough.reset(token)


def is_thorough() -> bool:
    """Return whether this is within `thorough`."""
    return _thorough.get()


def _finds_all(needed: Iterator[Artifact]) -> bool:
    """Return whether all artifacts are there; what is damaged of them is set aside."""
    deep = has_all_it_names if _thorough.get() else has
    found = [deep(artifact) for artifact in needed]  # a list, as each is looked at
    return all(found)


class Stage(Generic[P, R]):
    """A cached Prefect task; calling it runs the task or takes its result from the cache.

    Methods that run at the same time, also on other machines, may need the same result, for
    example when each sends the whole batch. The first then computes it, and the others wait.
    """

    def __init__(
        self,
        function: Callable[P, R],
        policy: StageKey,
        about: Callable[[Inputs], str],
        after: Callable[[Step, str], None],
    ) -> None:
        self.name = policy.stage
        self.about = about
        self.after = after
        self.policy = policy
        self.function = function
        self.kind = kind_of(get_type_hints(function)["return"])
        self.task: Any = task(  # type: ignore[call-overload] # its overloads miss this call
            function,
            name=self.name,
            task_run_name=self._run_name,
            cache_policy=policy,
            persist_result=True,
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the stage's result; if objects of a cached one are missing, run it again."""
        inputs = self.policy.signature.bind(*args, **kwargs).arguments
        step, key = inputs["step"], self.policy.key_of(inputs)
        if step.lookups is not None:
            return self._look_up(step.lookups, step, key)
        with (
            within(step.method, step.batch),
            lease(step.root, key, self._wait) as own_lease,
        ):
            emit(StageBegan(self.name))
            token = _own_lease.set(own_lease)
            try:
                return self._run_or_read(step, key, *args, **kwargs)
            finally:
                _own_lease.reset(token)

    def _look_up(self, lookups: Lookups, step: Step, key: str) -> R:
        try:
            result: R = self._results(step).result(key)
            there = all(map(is_whole, step.needed(result)))
        except (MissingObjectError, DamagedResultError):
            there = False
        lookups.entries.append(LookedUp(stage=self.name, key=key, cached=there))
        if not there:
            raise NotCachedError(key)
        return result

    def _run_or_read(self, step: Step, key: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        results = self._results(step)
        self._check(results, key)
        runner = self._storing_in(results)
        result = self._run(runner, key, *args, **kwargs)
        if not _finds_all(step.needed(result)):
            get_run_logger().warning("%s: a cached object is gone, once more", self.name)
            runner.refresh_cache = True
            result = self._run(runner, key, *args, **kwargs)
        self.after(step, key)
        return result

    def _check(self, results: StoredResults, key: str) -> None:
        """Do nothing if the stage may run.

        Prefect treats a result that it cannot read as missing, and would overwrite it.

        Raises:
            InputError: If a newer version of Backhaul wrote its result.
        """
        try:
            results.result(key)
        except MissingObjectError:
            return
        except DamagedResultError as error:
            results.set_aside(key, error)

    def _results(self, step: Step) -> StoredResults:
        return StoredResults(root=step.root, kind=self.kind.name)

    def _storing_in(self, results: StoredResults) -> Any:
        """Return the task, set up to keep its results in the store."""
        runner = self.task.with_options()
        runner.result_storage = results
        runner.result_serializer = results.serializer
        return runner

    def _run_name(self) -> str:
        parameters = task_run.parameters
        return f"{self.name}-{parameters['step']}{self.about(parameters)}"

    def _wait(self, holder: Holder, waited_s: float) -> None:
        if not waited_s:
            get_run_logger().info("%s: waits for %s, which is at it", self.name, holder)
        if (on_wait := _on_wait.get()) is not None:
            on_wait(holder, waited_s)

    def _run(self, runner: Any, key: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        started = time.monotonic()
        with TagsContext(current_tags=set()):  # for a tag Prefect asks the server for limits
            state = runner(*args, return_state=True, **kwargs)
        result: R = state.result()
        if cached := state.name == "Cached":
            get_run_logger().info("%s: cached, %s", self.name, key)
        seconds = round(time.monotonic() - started, 3)
        emit(StageEnded(self.name, seconds, cached))
        if (entries := _timings.get()) is not None:
            entries.append(Timing(stage=self.name, seconds=seconds, cached=cached, key=key))
        return result


def _nothing(parameters: Inputs) -> str:
    return ""


def _leave(step: Step, key: str) -> None:
    """Default of `after`: do nothing once the result is stored."""


def stage(
    name: str,
    *,
    random: bool,
    version: int = 1,
    uses: Libraries = no_libraries,
    names: Mapping[str, str] = MappingProxyType({}),
    about: Callable[[Inputs], str] = _nothing,
    after: Callable[[Step, str], None] = _leave,
) -> Callable[[Callable[P, R]], Stage[P, R]]:
    """Make a function with a keyword argument ``step`` a stage of the campaign.

    Args:
        name: Name of the stage, the same in all layers.
        random: Whether it draws at random, so that seed and batch belong to its key.
        version: Raise it whenever the same inputs would give another result.
        uses: From its inputs to the libraries whose version can change its result.
        names: By names of parameters that were renamed, the names that they had at first.
        about: From the parameters of a run to what ends its name in the UI.
        after: Called with step and key once the result is stored, to clear up what led to it.
    """

    def of(function: Callable[P, R]) -> Stage[P, R]:
        policy = StageKey(
            stage=name,
            version=version,
            exclude=() if random else ("step",),
            signature=inspect.signature(function),
            names=names,
            uses=uses,
        )
        return Stage(function, policy, about, after)

    return of


def require_lease() -> None:
    """Do nothing if no other process has taken over the lease of the running stage.

    Raises:
        LeaseLostError: If another process took it over.
    """
    if (own_lease := _own_lease.get()) is not None:
        own_lease.require()


def stage_key() -> str:
    """Return the cache key of the running stage."""
    context = TaskRunContext.get()
    if context is None:
        raise RuntimeError("no stage is running")
    policy = context.task.cache_policy
    assert isinstance(policy, StageKey)  # noqa: S101 - a stage has no other
    return policy.key_of(context.parameters)
