"""Run calls in parallel."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def side_by_side(
    calls: Mapping[K, Callable[[], V]], parallel: int, on_done: Callable[[K, V], None]
) -> dict[K, V]:
    """Run the calls, at most `parallel` at once, each in a copy of the current context.

    The first that fails ends all. Whatever ends this, a signal for example, does not wait for
    those that go on.

    Args:
        calls: The calls, by name.
        parallel: How many are made at once.
        on_done: Called with the name and the result of each that is over, one after the other.
    """
    threads = ThreadPoolExecutor(parallel)
    futures = {threads.submit(copy_context().run, call): key for key, call in calls.items()}
    results: dict[K, V] = {}
    try:
        for future in as_completed(futures):
            key = futures[future]
            results[key] = future.result()
            on_done(key, results[key])
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    return {key: results[key] for key in calls}
