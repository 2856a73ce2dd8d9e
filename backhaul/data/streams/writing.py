"""Streams as YOLO folders of JPEG files."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from backhaul.data.images import OnProgress
from backhaul.data.memory import machine_memory
from backhaul.data.settings import FolderData, StreamData
from backhaul.data.source import fingerprint, read_anywhere
from backhaul.data.streams.capture import Scene, capture
from backhaul.data.streams.digitscenes import DrawnScenes
from backhaul.data.streams.folderscenes import FoundScenes
from backhaul.data.streams.names import StreamPart, frame_name
from backhaul.data.streams.plan import plan
from backhaul.data.wholefolder import Recipe
from backhaul.data.yolofolder import new_yolo_folder, put_labelled
from backhaul.identity import canonical
from backhaul.randomness import generator
from backhaul.storage.imagefiles import localise
from backhaul.storage.scratch import scratch_folder

RECORD = "stream.json"
"""The file with the settings; written last, it marks the stream as whole."""

_VERSION = 1  # raise it whenever the same settings would give other frames


class Scenes(Protocol):
    """What streams are made of."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their ids."""

    def scene(self, part: StreamPart, number: int, node: int, /) -> Scene:
        """Return what a node sees of the scene of this number; only this part shows it."""

    def background(self, part: StreamPart, number: int, node: int, /) -> Scene:
        """Return what a node sees once the objects of that scene are gone."""


def stream_recipe(data: StreamData, seed: int, store: str) -> Recipe:
    """Return how a stream is made: a YOLO folder whose names of files are of `names`.

    The same settings, seed and scenes give the same bytes, and the same first frames if there
    are to be more.

    Args:
        data: Settings of the stream.
        seed: Of the campaign: each has a stream of its own.
        store: Root of the store, relative to which a data set in it is known.

    Raises:
        InputError: If the folder with the scenes is not there.
    """
    identity: dict[str, Any] = {"version": _VERSION, "stream": canonical(data), "seed": seed}
    if isinstance(data.of, FolderData):
        identity["of"] = fingerprint(data.of, store)
    settings = json.dumps(identity, sort_keys=True)
    return Recipe(RECORD, settings, partial(_write, data=data, seed=seed))


def _write(folder: Path, data: StreamData, seed: int) -> None:
    rng = partial(generator, data.seed, "stream", seed)
    with scratch_folder() as copies:
        scenes: Scenes
        if isinstance(data.of, FolderData):
            with machine_memory() as memory:
                report = read_anywhere(data.of, _quiet, _quiet, memory)
            report.require_clean()
            scenes = FoundScenes(localise(report.images, copies), data, rng)
        else:
            scenes = DrawnScenes(data.of, rng)
        new_yolo_folder(folder, scenes.class_names)
        for each in plan(data, rng):
            show = scenes.background if each.is_empty else scenes.scene
            scene = show(each.part, each.scene, each.node)
            jpeg, labels = capture(scene, rng("frame", each.part, each.node, each.time))
            name = frame_name(each.node, each.part, each.time, scene.name)
            put_labelled(folder, name, jpeg, labels.rows())


_quiet: OnProgress = lambda done, total: None  # noqa: E731
