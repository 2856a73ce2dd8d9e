"""Run checks one after the other, each with a time limit and its errors caught."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from threading import Thread

from backhaul.errors import InputError


class Status(StrEnum):
    """Outcome of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Answer:
    """Answer of a check.

    Args:
        status: How it went.
        found: What is there.
        remedy: What to do, best a command to type; empty where all is well.
    """

    status: Status
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """A question about this machine or a service.

    Args:
        name: What it is about.
        ask: Finds the answer.
        needs: Name of an earlier check without which asking makes no sense.
        patience_s: Time after which the question counts as not answered, seconds.
    """

    name: str
    ask: Callable[[], Answer]
    needs: str | None = None
    patience_s: float = 8.0


@dataclass(frozen=True)
class Result:
    """An answered check, and the time it took, seconds."""

    name: str
    answer: Answer
    seconds: float


def ok(found: str) -> Answer:
    """Return the answer of a check that passed."""
    return Answer(Status.OK, found)


def warning(found: str, remedy: str) -> Answer:
    """Return an answer that warns of a problem, with the remedy."""
    return Answer(Status.WARNING, found, remedy)


def failed(found: str, remedy: str) -> Answer:
    """Return the answer of a check that failed, with the remedy."""
    return Answer(Status.FAILED, found, remedy)


def not_asked(reason: str) -> Answer:
    """Return the answer of a check that does not apply, with the reason."""
    return Answer(Status.NOT_ASKED, reason)


def examine(checks: Iterable[Check]) -> Iterator[Result]:
    """Yield the result of each check as soon as it is there."""
    answered: set[str] = set()
    for check in checks:
        start = time.perf_counter()
        if check.needs is None or check.needs in answered:
            answer = _ask(check)
        else:
            answer = not_asked(f"needs: {check.needs}")
        if answer.status in (Status.OK, Status.WARNING):
            answered.add(check.name)
        yield Result(check.name, answer, time.perf_counter() - start)


def _ask(check: Check) -> Answer:
    found: Future[Answer] = Future()

    def ask() -> None:
        try:
            found.set_result(check.ask())
        except Exception as error:
            found.set_exception(error)

    context = contextvars.copy_context()  # Prefect keeps settings in it
    Thread(target=context.run, args=(ask,), daemon=True, name=check.name).start()
    try:
        return found.result(check.patience_s)
    except InputError as error:
        return failed(" ".join(str(error).split()), "mend what is named")
    except Exception as error:
        if not found.done():
            return failed(
                f"no answer within {check.patience_s:g} s",
                "check the address, the network and the load of the other side, and ask again",
            )
        return failed(
            f"{type(error).__name__}: {' '.join(str(error).split())}",
            "not foreseen: please report it with the output of backhaul doctor --json",
        )
