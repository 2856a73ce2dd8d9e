"""Images that people may label before they are played: those that nodes chose.

An arm of kind ``arrived`` trains on all that its policy chose, so it is known what is to be
labelled as soon as a batch is full. What chooses at home says so when it is played.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from backhaul.campaign.records import Waiting
from backhaul.campaign.runstate import RunState
from backhaul.inbox.files import fused_of, images_of
from backhaul.inbox.origin import arrivals_of
from backhaul.inbox.tolabel import keep_list, label_places, remove_list
from backhaul.layout import RunFiles
from backhaul.sampling import ArrivedSampling
from backhaul.storage.objects import exists_at, read_value, write_value
from backhaul.triggers.decisions import Decisions
from backhaul.triggers.unplayed import Hourly, let_be_played

NODE = "what the node ran"
"""Which model the boxes are of that annotators begin with."""


def list_unplayed(run: Hourly, state: RunState) -> None:
    """List the images that nodes chose in full batches which triggers have not let be played.

    Without triggers there is none; a list that is there stays as it is.

    Args:
        run: The run.
        state: Its state.
    """
    if run.config.triggers is None:
        return
    first = let_be_played(state, Decisions(run.files).read())
    for number in range(first, state.formed):
        for arm in _arms(run):
            if not exists_at(run.files.waiting(f"{arm.label}{number}")):
                _list(run, arm, number, read_value(pd.DataFrame, state.batches[number]))


def forget_lists(run: Hourly, batches: Iterable[int]) -> None:
    """Remove those lists: a method that is played writes one of what it waits for itself.

    Args:
        run: The run.
        batches: Numbers of the batches that are played now.
    """
    for number in batches:
        for arm in _arms(run):
            remove_list(run.files, arm.label, number)


def _arms(run: Hourly) -> list[ArrivedSampling]:
    return [arm for arm in run.config.arms if isinstance(arm, ArrivedSampling)]


def _list(run: Hourly, arm: ArrivedSampling, number: int, rows: pd.DataFrame) -> None:
    own = rows[arrivals_of(rows).by(arm.policy)]
    if not len(own):
        return
    missing = own[run.truth_of(own).table["labels"].isna().to_numpy()].reset_index(drop=True)
    if not len(missing):
        return
    files: RunFiles = run.files
    plain = replace(
        fused_of(missing, run.class_names), scores=None, features=None, descriptors=None
    )
    places = label_places(missing, run.labels_at).drop(columns="image_id")
    keep_list(
        files,
        Waiting(
            files=write_value(files.root, places),
            method=arm.label,
            batch=number,
            images=write_value(files.root, images_of(missing, run.class_names)),
            seen=write_value(files.root, plain),
            model=NODE,
        ),
    )
