"""Dry run of a campaign: which stages are cached, and which must be computed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from backhaul.campaign.claim import files_of
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.setting import Setting
from backhaul.data.made import made_set
from backhaul.data.settings import InboxData, MadeData
from backhaul.errors import AwaitingLabelsError
from backhaul.sampling import Method
from backhaul.values.results import LookedUp
from flows.batch import play_batch
from flows.candidates import start_card
from flows.initial_training import first_round
from flows.preparation import prepare
from flows.uplinks import expected_bandwidth
from tasks.stage import Lookups, NotCachedError


@dataclass(frozen=True)
class Rehearsal:
    """The cached stages of a campaign.

    Args:
        setting: What all methods are put through; None if the data were not arranged yet.
        rounds: The initial training and the rounds whose every stage is cached.
        stages: The stages that were looked up. A way ends at its first that is not cached, as
            the keys of those behind it depend on its result.
    """

    setting: Setting | None
    rounds: tuple[RoundRecord, ...]
    stages: tuple[LookedUp, ...]

    @property
    def results(self) -> int:
        """Number of cached stages."""
        return sum(look.cached for look in self.stages)


def rehearse(config: CampaignConfig) -> Rehearsal:
    """Look up every stage of `config`, opened, in the order in which its flows run them.

    Nothing is run and nothing is written.

    Raises:
        InputError: If the data set, a list or a checkpoint to start from is missing.
    """
    setting: Setting | None = None
    rounds: list[RoundRecord] = []
    lookups = Lookups()
    with suppress(NotCachedError, AwaitingLabelsError):
        _require_made(config)
        setting, _, splits = prepare(config, lookups)
        first = first_round(config, setting, splits, lookups)
        rounds.append(first)
        setting = _with_crops(config, setting)
        for arm in config.arms:
            rounds += _rounds(config, arm, setting, first.standing, lookups)
        if isinstance(config.data, InboxData):  # what was played is not played again
            known = RunRecords(files_of(config)).rounds
            rounds += [record for record in known if record.batch is not None]
    return Rehearsal(setting, tuple(rounds), tuple(lookups.entries))


def _require_made(config: CampaignConfig) -> None:
    """Do nothing, unless the data set would have to be made."""
    if isinstance(config.data, MadeData):
        made = made_set(config.data, config.seed, config.store)
        if not made.is_whole:
            raise NotCachedError(made.folder.root)


def _with_crops(config: CampaignConfig, setting: Setting) -> Setting:
    """Return the setting that the run has kept where batches are of crops."""
    if config.cropping.batches == "none":
        return setting
    files = files_of(config)
    known = RunRecords(files).setting
    if known is None:
        raise NotCachedError(files.setting)
    return known


def _rounds(
    config: CampaignConfig,
    arm: Method,
    setting: Setting,
    standing: Standing,
    lookups: Lookups,
) -> list[RoundRecord]:
    """Return the rounds of one method that are cached, up to the first that is not."""
    rounds: list[RoundRecord] = []
    with suppress(NotCachedError, AwaitingLabelsError):
        files = files_of(config)
        for play in setting.plays(partial(expected_bandwidth, config)):
            start = start_card(config, files, arm.label, play.number)
            standing = standing if start is None else start.stand(standing)
            record = play_batch(config, arm, play, standing, lookups)
            rounds.append(record)
            standing = record.standing
    return rounds
