from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from backhaul.events import (
    NOWHERE,
    Happening,
    Place,
    RoundBegan,
    emit,
    is_heard,
    listening,
    within,
)


def test_nobody_has_to_listen() -> None:
    assert not is_heard()
    emit(RoundBegan())


def test_what_happens_has_the_innermost_place() -> None:
    heard: list[Happening] = []
    with listening(heard.append):
        emit(RoundBegan())
        with within("iqr"), within("iqr", 3):
            assert is_heard()
            emit(RoundBegan())
        emit(RoundBegan())
    emit(RoundBegan())
    assert [happening.place for happening in heard] == [NOWHERE, Place("iqr", 3), NOWHERE]


def test_threads_with_a_copy_of_the_context_are_heard() -> None:
    heard: list[Happening] = []
    with listening(heard.append), within("iqr"), ThreadPoolExecutor(1) as threads:
        threads.submit(copy_context().run, emit, RoundBegan()).result()
    assert [happening.place for happening in heard] == [Place("iqr")]


def test_places_have_names() -> None:
    names = [str(p) for p in (NOWHERE, Place("iqr"), Place("iqr", 0), Place("", 1))]
    assert names == ["initial model", "iqr", "iqr batch 0", "all methods batch 1"]
