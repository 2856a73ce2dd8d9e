"""Where a run stands whose images arrive hour by hour: ``state.json``, and its next batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pandas as pd
from pydantic import BaseModel, ConfigDict

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import (
    INITIAL,
    RoundRecord,
    Standing,
    read_record,
    read_setting,
)
from backhaul.campaign.setting import Round
from backhaul.data.settings import InboxData
from backhaul.inbox.files import fused_of, images_of, label_file
from backhaul.inbox.labels import read_truth
from backhaul.inbox.log import read_log
from backhaul.inbox.tolabel import remove_list
from backhaul.storage.conditional import create, read_or_none, swap
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet

LOG = logging.getLogger(__name__)


class RunState(BaseModel):
    """How far a run has come. It does not grow with what is behind it.

    Args:
        log: Number of the last entry of the inbox's log that was taken in.
        formed: Batches formed so far.
        waiting: Rows of the images that wait for their batch to be full.
        batches: Rows of the batches that a method still has to play, by number.
        played: Batches that each method has behind it, by label.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    log: int = 0
    formed: int = 0
    waiting: Artifact | None = None
    batches: dict[int, Artifact] = {}
    played: dict[str, int] = {}

    def pending(self, label: str) -> range:
        """Return the numbers of the batches that a method still has to play."""
        return range(self.played.get(label, 0), self.formed)

    def after(self, label: str, number: int, labels: tuple[str, ...]) -> RunState:
        """Return the state once a method has played batch `number`, of all with `labels`."""
        played = {**self.played, label: max(number + 1, self.played.get(label, 0))}
        behind_all = min(played.get(each, 0) for each in labels)
        left = {n: rows for n, rows in self.batches.items() if n >= behind_all}
        return self.model_copy(update={"played": played, "batches": left})


def read_state(folder: str) -> RunState:
    """Return where the run in `folder` stands."""
    content = read_or_none(_place(folder))
    return RunState() if content is None else RunState.model_validate_json(content)


def advance(folder: str, change: Callable[[RunState], RunState]) -> RunState:
    """Change the state of a run by a conditional put, and return it.

    Where another was faster, `change` is called once more, with what that one left.
    """
    place = _place(folder)
    while True:
        content = read_or_none(place)
        old = RunState() if content is None else RunState.model_validate_json(content)
        new = change(old)
        if new == old:
            return old
        data = new.model_dump_json(indent=1).encode()
        if create(place, data) if content is None else swap(place, content, data):
            return new


def _place(folder: str) -> str:
    return f"{folder}/state.json"


def take_in(config: CampaignConfig, folder: str) -> RunState:
    """Form batches of what the inbox's log has in addition, and return the state then.

    A batch has ``sampling_batch`` images in the order in which they came; fewer wait. Images of
    the initial data set are left out.
    """
    known = frozenset(read_value(ImageSet, read_setting(folder).dataset).ids)
    return advance(folder, lambda state: _with_new(state, config, known))


def _with_new(state: RunState, config: CampaignConfig, known: frozenset[str]) -> RunState:
    entries = read_log(config.store, state.log)
    if not entries:
        return state
    waited = [] if state.waiting is None else [read_value(pd.DataFrame, state.waiting)]
    rows = pd.concat([*waited, *(rows for _, rows in entries)], ignore_index=True)
    new = rows[~rows["image_id"].isin(known)].reset_index(drop=True)
    if repeated := len(rows) - len(new):
        LOG.warning("%d images are in the initial data set: left out", repeated)
    size = config.batches.sampling_batch
    n_full = len(new) // size
    batches = {
        state.formed + k: write_value(config.store, _part(new, k * size, size))
        for k in range(n_full)
    }
    left = _part(new, n_full * size, size)
    LOG.info("%d batches of %d images are full, %d images wait", n_full, size, len(left))
    return state.model_copy(
        update={
            "log": entries[-1][0],
            "formed": state.formed + n_full,
            "waiting": write_value(config.store, left) if len(left) else None,
            "batches": state.batches | batches,
        }
    )


def _part(rows: pd.DataFrame, start: int, size: int) -> pd.DataFrame:
    return rows.iloc[start : start + size].reset_index(drop=True)


class ArrivingCourse:
    """The batches that arrived and that a method has not played, from where it stood."""

    def __init__(
        self, config: CampaignConfig, inbox: InboxData, folder: str, label: str, labels_at: str
    ) -> None:
        self._root = config.store
        self._labels = tuple(arm.label for arm in config.arms)
        self._inbox, self._folder, self._label = inbox, folder, label
        self._labels_at = labels_at
        self._setting = read_setting(folder)
        done = read_state(folder).played.get(label, 0)
        last = f"{label}{done - 1}" if done else INITIAL
        self.standing: Standing = read_record(folder, last).standing
        self._class_names = read_value(ImageSet, self._setting.dataset).class_names

    def rounds(self) -> Iterator[Round]:
        """Yield every full batch that is pending; its labels are read when it is its turn."""
        state = read_state(self._folder)
        for number in state.pending(self._label):
            yield self._round(number, read_value(pd.DataFrame, state.batches[number]))

    def passed(self, record: RoundRecord) -> None:
        """Note in ``state.json`` that the method has played a batch."""
        assert record.batch is not None  # noqa: S101 - only the initial training has none
        number = record.batch
        remove_list(self._folder, self._label, number)
        advance(self._folder, lambda state: state.after(self._label, number, self._labels))

    def _round(self, number: int, rows: pd.DataFrame) -> Round:
        images = images_of(rows, self._class_names)
        source = self._inbox.label_source or self._inbox.labels
        truth = read_truth(self._labels_at, rows, self._class_names, source)
        from_node = self._inbox.detections == "node" and bool(rows["detections"].notna().all())
        seen = fused_of(rows, self._class_names) if from_node else None
        return Round(
            number=number,
            images=write_value(self._root, images),
            truth=write_value(self._root, truth),
            following=None,
            common=self._setting.common,
            old_test=self._setting.old_test,
            seen=None if seen is None else write_value(self._root, seen),
            label_files=write_value(self._root, self._label_files(rows)),
        )

    def _label_files(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return where the labels of each image are to be put."""
        names = zip(rows["node"], rows["name"], strict=True)
        files = [f"{self._labels_at}/{label_file(node, name)}" for node, name in names]
        table = rows[["image_id", "node", "name"]]
        return table.assign(image=rows["uri"], labels=files)
