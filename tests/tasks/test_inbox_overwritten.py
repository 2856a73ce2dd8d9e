"""A node that overwrites or removes its files while they are taken in: nothing else suffers.

S3 cannot forbid a node to overwrite what it put, and some stores do not tell removing from
writing.
"""

from collections.abc import Callable
from typing import Any

import pytest

from backhaul.data.images import probe_bytes
from backhaul.inbox import ingestion
from backhaul.inbox import log as ingestion_log
from backhaul.storage import moving
from backhaul.storage.addresses import is_local
from backhaul.storage.objects import read_uri
from backhaul.storage.places import filesystem
from tests.nodes import Store, picture

OTHER, LATER = picture(8), picture(9, size=(20, 20))
FIRST = picture(1)


def remove(store: Store, name: str) -> None:
    fs, path = filesystem(f"{store.root}/inbox/{name}")
    fs.rm_file(path)


ACTS: dict[str, Callable[[Store], None]] = {
    "removes it": lambda store: remove(store, "bad/a.jpg"),
    "puts another image there": lambda store: store.drop("bad/a.jpg", LATER),
    "puts no image there": lambda store: store.drop("bad/a.jpg", b"x" * len(FIRST)),
    "removes what it saw": lambda store: remove(store, "bad/a.detections.json"),
    "puts there what it saw otherwise": lambda store: store.drop(
        "bad/a.detections.json", b"[" + b" " * 50 + b"]"
    ),
}
KEPT = {
    "puts another image there": LATER,
    "puts no image there": b"x" * len(FIRST),
    "removes what it saw": FIRST,
    "puts there what it saw otherwise": FIRST,
}
"""What is in the store in the end, wherever."""

MOMENTS = {
    "after it was listed": (ingestion, "walk", "after"),
    "after it was read": (ingestion, "look_at", "after"),
    "before it is copied": (moving, "move", "before"),
    "before the original is removed": (moving, "_delete_s3", "before"),
}


def meanwhile(module: Any, name: str, when: str, act: Callable[[], None]) -> Any:
    """Return a function of a module that does something else as well, once."""
    known = getattr(module, name)
    done: list[bool] = []

    def call(*arguments: Any) -> Any:
        about_it = name == "walk" or "bad/a.jpg" in str(arguments)
        first = about_it and not done
        done.extend([True] if first else [])
        if first and when == "before":
            act()
        result = known(*arguments)
        if first and when == "after":
            act()
        return result

    return call


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_node_does_meanwhile_harms_itself_alone(
    moment: str, act: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.drop("bad/a.detections.json", b"[]")
    store.drop("bad/a.jpg", FIRST)
    store.drop("cam/other.jpg", OTHER)
    module, name, when = MOMENTS[moment]
    acted: list[str] = []

    def strike() -> None:
        ACTS[act](store)
        acted.append(act)

    with monkeypatch.context() as patch:
        changed = meanwhile(module, name, when, strike)
        for place in (module, ingestion, ingestion_log):
            if hasattr(place, name):
                patch.setattr(place, name, changed)
        store.ingest()
    assert "cam/other.jpg" in store.names
    for _ in range(2):
        store.ingest()
    log = store.log
    for row in log.itertuples():
        assert probe_bytes("x", read_uri(str(row.uri))).image_id == row.image_id
    kept = list(store.tree("ingested/").values())
    assert OTHER in kept
    assert acted or (is_local(store.root) and name == "_delete_s3")  # a disk renames at once
    assert not acted or KEPT.get(act, OTHER) in kept
    before = store.tree()
    assert store.ingest().n_new == 0
    assert store.tree() == before
