"""Batches of a run whose images arrive hour by hour: how they are formed and played."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pandas as pd

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.labelled import sources_of
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.rounds import read_round
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.runstate import RunState, advance, read_state
from backhaul.campaign.setting import Play
from backhaul.data.settings import InboxData
from backhaul.inbox.files import fused_of, images_of
from backhaul.inbox.labels import read_truth
from backhaul.inbox.log import read_log
from backhaul.inbox.origin import arrivals_of
from backhaul.inbox.telling import told_table, with_told
from backhaul.inbox.tolabel import label_places, remove_list
from backhaul.inbox.windows import summaries_in
from backhaul.layout import INITIAL, RunFiles
from backhaul.sampling import ArrivedSampling
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.images import ImageSet

LOG = logging.getLogger(__name__)


def take_in(config: CampaignConfig, files: RunFiles) -> RunState:
    """Form batches of the images that were added to the inbox's log; return the new state.

    A batch has ``sampling_batch`` images in order of arrival; if there are fewer, they wait for
    more. Images of the initial data set are left out.
    """
    setting = RunRecords(files).required_setting
    known = frozenset(read_value(ImageSet, setting.dataset).ids)
    return advance(files, lambda state: _with_new(state, config, known))


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
    parts = {state.formed + k: _part(new, k * size, size) for k in range(n_full)}
    batches = {number: write_value(config.store, part) for number, part in parts.items()}
    left = _part(new, n_full * size, size)
    LOG.info("%d batches of %d images are full, %d images wait", n_full, size, len(left))
    after = state.model_copy(
        update={
            "log": entries[-1][0],
            "formed": state.formed + n_full,
            "waiting": write_value(config.store, left) if len(left) else None,
            "batches": state.batches | batches,
        }
    )
    if not any(isinstance(arm, ArrivedSampling) for arm in config.arms):
        return after
    ends = {number: part["arrived"].iloc[-1] for number, part in parts.items()}
    return with_told(after, config.store, ends)


def _part(rows: pd.DataFrame, start: int, size: int) -> pd.DataFrame:
    return rows.iloc[start : start + size].reset_index(drop=True)


class ArrivingCourse:
    """The arrived batches that a method has not played yet."""

    def __init__(
        self,
        config: CampaignConfig,
        inbox: InboxData,
        files: RunFiles,
        label: str,
        labels_at: str,
    ) -> None:
        self._root = config.store
        self._labels = tuple(arm.label for arm in config.arms)
        [self._arm] = (arm for arm in config.arms if arm.label == label)
        self._inbox, self._files, self._label = inbox, files, label
        self._per_node = config.bandwidth.per_node
        self._labels_at = labels_at
        self._setting = RunRecords(files).required_setting
        done = read_state(files).played.get(label, 0)
        last = f"{label}{done - 1}" if done else INITIAL
        self.standing: Standing = read_round(files, last).standing
        self._class_names = read_value(ImageSet, self._setting.dataset).class_names

    def plays(self, bandwidth_of: Callable[[int], Bandwidth]) -> Iterator[Play]:
        """Yield every full batch not played yet; its labels are read just before."""
        state = read_state(self._files)
        for number in state.pending(self._label):
            rows = read_value(pd.DataFrame, state.batches[number])
            play = self._play(number, rows, bandwidth_of(number))
            yield self._with_arrivals(play, rows, state.told.get(number))

    def passed(self, record: RoundRecord) -> None:
        """Record that the method has played a batch."""
        assert record.batch is not None  # noqa: S101 - only the initial training has none
        number = record.batch
        remove_list(self._files, self._label, number)
        advance(self._files, lambda state: state.after(self._label, number, self._labels))

    def _play(self, number: int, rows: pd.DataFrame, bandwidth: Bandwidth) -> Play:
        images = images_of(rows, self._class_names)
        source = self._inbox.label_source or self._inbox.labels
        told = sources_of(self._files, (f"{label}{number}" for label in self._labels))
        truth = read_truth(self._labels_at, rows, self._class_names, source, told)
        from_node = self._inbox.detections == "node" and bool(rows["detections"].notna().all())
        seen = fused_of(rows, self._class_names) if from_node else None
        return Play(
            number=number,
            images=write_value(self._root, images),
            truth=write_value(self._root, truth),
            following=None,
            common=self._setting.common,
            old_test=self._setting.old_test,
            bandwidth=bandwidth,
            seen=None if seen is None else write_value(self._root, seen),
            label_files=write_value(self._root, label_places(rows, self._labels_at)),
            nodes=self._nodes(rows),
        )

    def _with_arrivals(self, play: Play, rows: pd.DataFrame, told: Artifact | None) -> Play:
        """Return a batch with how nodes chose it, if that is what the method goes by."""
        arm, update = self._arm, dict[str, Artifact]()
        if "arrivals" in arm.needs:
            update["arrivals"] = write_value(self._root, arrivals_of(rows).table)
        if isinstance(arm, ArrivedSampling) and told is not None:
            summaries = summaries_in(read_value(pd.DataFrame, told))
            own = [each for each in summaries if arm.policy in ("", each.policy)]
            update["told"] = write_value(self._root, told_table(self._root, own))
        return play.model_copy(update=update)

    def _nodes(self, rows: pd.DataFrame) -> Artifact | None:
        """Return which node each image is from, if that matters."""
        if not self._per_node:
            return None
        return write_value(self._root, rows[["image_id", "node"]].reset_index(drop=True))
