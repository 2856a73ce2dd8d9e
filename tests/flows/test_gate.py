"""Rounds of the published arm: their models are versions, and only good ones are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.rounds import read_rounds
from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from backhaul.layout import RunFiles
from backhaul.registry.cards import read_cards
from backhaul.registry.decisions import decide
from backhaul.registry.history import history_of
from backhaul.registry.log import Entry, append, read_log
from backhaul.registry.overview import read_registry
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import read_value
from backhaul.values.splits import Splits
from flows import judging
from flows import method as method_flow
from flows.campaign import campaign
from flows.candidates import start_card
from flows.rehearsal import rehearse
from tests.own.graded_detector import write_truth

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

SIZE_PX = 64
BATCHES = 3


@dataclass(frozen=True)
class Site:
    """Scenes, a store, and what the detector knows of them."""

    folder: Path

    @staticmethod
    def begin(folder: Path) -> Site:
        write_scenes(folder / "scenes", DigitsData(images=108, size_px=SIZE_PX))
        write_truth(folder / "scenes", folder, SIZE_PX)
        return Site(folder)

    def config(
        self, *grades: float, accept: Mapping[str, Any], **changes: Any
    ) -> CampaignConfig:
        """Return a campaign whose trainings get these grades, one by one."""
        params = {"grades": grades, "folder": str(self.folder)}
        fields = {
            **CONFIG,
            "store": str(self.folder / "store"),
            "data": {"kind": "folder", "root": str(self.folder / "scenes")},
            "training": {
                **CONFIG["training"],
                "detector": {"use": "graded_detector:Graded", "params": params},
            },
            "accept": accept,
        }
        return CampaignConfig.model_validate(fields | changes)

    @property
    def n_trainings(self) -> int:
        return len((self.folder / "trainings.txt").read_text().split())


CONFIG: dict[str, Any] = {
    "name": "gated",
    "seed": 2,
    "initial": {"images": 24, "train": 0.5, "valid": 0.25},
    "batches": {
        "sampling_batch": 12,
        "count": BATCHES,
        "holdout_batches": 4,
        "train": 0.5,
        "valid": 0.25,
    },
    "bandwidth": {"images": 6},
    "methods": ["true-random"],
    "control": False,
    "augmentation": {},
    "training": {
        "model": "graded",
        "max_epochs": 3,
        "retrain_max_epochs": 2,
        "img_size": 64,
        "device": "cpu",
    },
    "inference": {"conf_check_num": 2},
    "publish": {"method": "true-random"},
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.begin(tmp_path)


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> tuple[Site, CampaignConfig]:
    """A campaign of three rounds, of which the second is rejected."""
    site = Site.begin(tmp_path_factory.mktemp("gate"))
    config = site.config(0.3, 0.65, 0.1, 0.95, accept=GATE)
    assert campaign(config, return_state=True).name == "Completed"
    return site, config


GATE: dict[str, Any] = {"kind": "gate", "compare": {"resamples": 300}}
MANUAL = {**GATE, "approval": "manual"}


def files_of(config: CampaignConfig) -> RunFiles:
    return RunFiles(config.store, config.name)


def played(config: CampaignConfig, state: str = "Completed") -> tuple[RoundRecord, ...]:
    """Play a campaign, and return its rounds."""
    ended = campaign(config, return_state=True)
    assert ended.name == state, ended.message
    return read_rounds(files_of(config))


def rulings(rounds: tuple[RoundRecord, ...]) -> list[tuple[int, str]]:
    return [(r.verdict.version, r.verdict.ruling) for r in rounds if r.verdict is not None]


def n_seen(record: RoundRecord) -> int:
    seen = read_value(Splits, record.standing.seen)
    return sum(len(part.originals()) for part in (seen.train, seen.valid, seen.test))


def test_after_a_rejection_the_next_round_starts_from_the_champion(
    finished: tuple[Site, CampaignConfig],
) -> None:
    _, config = finished
    first, good, bad, better = read_rounds(files_of(config))
    assert rulings((first, good, bad, better)) == [
        (2, "accepted"),
        (3, "rejected"),
        (4, "accepted"),
    ]
    assert bad.verdict is not None
    assert "asked: the lower bound above 0" in bad.verdict.reason
    assert bad.standing.current == good.standing.current
    assert bad.evaluated != bad.standing.current
    cards = read_cards(RegistryFiles(files_of(config)))
    parents = {version: card.parent for version, card in cards.items()}
    assert parents == {1: None, 2: 1, 3: 2, 4: 2}
    assert better.training is not None
    assert better.training.first_epoch == good.standing.current.epoch + 1
    assert [n_seen(r) for r in (first, good, bad, better)] == [24, 30, 36, 42]


def test_the_card_says_what_was_measured_and_the_log_how_often_it_errs(
    finished: tuple[Site, CampaignConfig],
) -> None:
    _, config = finished
    registry = read_registry(RegistryFiles(files_of(config)))
    gain = registry.cards[4].measures["gain"]
    assert gain.value is not None
    assert gain.low is not None
    assert 0 < gain.low < gain.value
    at_gate = registry.cards[4].measures["mAP50 at the gate"]
    assert at_gate.value is not None
    assert at_gate.low is not None
    assert at_gate.low <= at_gate.value
    assert [rule.rule for rule in registry.cards[4].rules] == ["gain", "forgetting"]
    values = registry.history.decided[4].values
    assert values["rounds"] == 3
    assert values["any_wrong"] == pytest.approx(1 - 0.95**3)


def test_map50_of_every_version_is_that_on_the_common_set(
    finished: tuple[Site, CampaignConfig],
) -> None:
    _, config = finished
    summary = pd.read_csv(Path(files_of(config).view.folder) / "summary.csv")
    common = summary[summary["test_set"] == "common"]["mAP50"].tolist()
    cards = read_cards(RegistryFiles(files_of(config)))
    assert [card.figure("mAP50") for card in cards.values()] == pytest.approx(common)
    assert all(card.measures["mAP50"].low is None for card in cards.values())


def test_tables_and_files_tell_of_a_rejected_round(
    finished: tuple[Site, CampaignConfig],
) -> None:
    _, config = finished
    run = Path(files_of(config).view.folder)
    summary = pd.read_csv(run / "summary.csv")
    common = summary[summary["test_set"] == "common"]
    assert common["epoch"].tolist() == [3, 5, 7, 7]
    assert common["verdict"].tolist()[1:] == ["accepted", "rejected", "accepted"]
    assert common["mAP50"].iloc[2] < common["mAP50"].iloc[1]
    checkpoints = pd.read_csv(run / "checkpoints.csv")
    assert checkpoints["file"].is_unique
    assert all((run / file).is_file() for file in checkpoints["file"])
    assert "checkpoints/true-random@4_ckpt_7.pt" in set(checkpoints["file"])
    assert pd.read_csv(run / "current.csv")["epoch"].tolist() == [3, 7]
    assert "rejected" in (run / "report.html").read_text()


def test_a_second_start_decides_nothing_anew(finished: tuple[Site, CampaignConfig]) -> None:
    site, config = finished
    before, log = read_rounds(files_of(config)), read_log(RegistryFiles(files_of(config)))
    n_trainings = site.n_trainings
    assert len(rehearse(config).rounds) == 1 + BATCHES
    again = played(config)
    assert all(one.equals(other) for one, other in zip(before, again, strict=True))
    assert read_log(RegistryFiles(files_of(config))) == log
    assert site.n_trainings == n_trainings


@pytest.mark.parametrize("entry_too", [False, True], ids=["card", "entry"])
def test_a_start_that_was_killed_before_its_decision_goes_on(
    finished: tuple[Site, CampaignConfig], entry_too: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card of version 4 was written, and perhaps that it is a candidate."""
    _, config = finished
    registry = RegistryFiles(files_of(config))
    entries = read_log(registry)
    kinds = [(entry.version, entry.kind) for entry in entries]
    whole = kinds.index((4, "candidate")) + entry_too
    for number in range(whole, len(entries)):
        Path(registry.entry(number + 1)).unlink()
    Path(files_of(config).round("true-random2")).unlink()
    monkeypatch.setattr(judging, "compare", None)  # the card says it all
    assert rulings(played(config))[-1] == (4, "accepted")
    assert [(e.version, e.kind) for e in read_log(registry)] == kinds


@pytest.mark.slow
def test_after_a_rollback_the_next_round_starts_from_the_one_before(
    finished: tuple[Site, CampaignConfig],
) -> None:
    _, config = finished
    registry, files = RegistryFiles(files_of(config)), files_of(config)
    taken_back = Entry(kind="rolled-back", version=4, by="canary", reason="worse there")
    append(registry, lambda entries: taken_back)
    before = read_rounds(files)
    assert all(a.equals(b) for a, b in zip(before, played(config), strict=True))
    start = start_card(config, files, "true-random", BATCHES)
    assert start is not None
    standing = start.stand(before[-1].standing)
    assert standing.current == before[1].standing.current  # of version 2
    assert standing.seen == before[-1].standing.seen


@pytest.mark.slow
def test_a_rollback_during_a_round_does_not_change_what_it_was_trained_from(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = site.config(0.9, 0.2, accept={"kind": "always"})
    registry, play = RegistryFiles(files_of(config)), method_flow._play
    taken_back = Entry(kind="rolled-back", version=2, by="ann", reason="worse there")

    def played_and_rolled_back(*given: Any) -> Any:
        state = play(*given)
        if given[2].number == 1:
            append(registry, lambda entries: taken_back)
        return state

    monkeypatch.setattr(method_flow, "_play", played_and_rolled_back)
    played(config)
    assert read_cards(registry)[3].parent == 2


@pytest.mark.slow
def test_without_a_gate_every_version_is_accepted(site: Site) -> None:
    config = site.config(0.9, 0.2, accept={"kind": "always"})
    assert rulings(played(config)) == [(2, "accepted"), (3, "accepted"), (4, "accepted")]
    registry = read_registry(RegistryFiles(files_of(config)))
    deciders = [entry.by for entry in registry.history.decided.values()]
    assert deciders == ["initial", "always", "always", "always"]
    assert all(card.rules == () for card in registry.cards.values())


@pytest.mark.slow
def test_nothing_is_registered_where_nothing_is_published(site: Site) -> None:
    config = site.config(0.5, accept={"kind": "always"}, publish=None)
    rounds = played(config)
    assert all(record.verdict is None for record in rounds)
    assert read_log(RegistryFiles(files_of(config))) == ()
    stages = {timing.stage for record in rounds for timing in record.timings}
    assert not stages & {"comparison", "drawn-tests", "predictions"}


@pytest.mark.slow
def test_a_person_accepts_or_rejects_and_the_next_start_goes_on(site: Site) -> None:
    config = site.config(0.2, 0.5, 0.8, 1.0, accept={**GATE, "approval": "manual"})
    registry = RegistryFiles(files_of(config))
    for _ in range(2):  # to ask once more changes nothing
        assert len(played(config, "AwaitingApproval")) == 1  # the initial one
        states = history_of(read_log(registry)).states
        assert states == {1: "accepted", 2: "awaiting"}
    decide(registry, 2, "rejected", by="ann", reason="blind at night")
    rounds = played(config, "AwaitingApproval")
    assert rulings(rounds) == [(2, "rejected")]
    assert rounds[1].verdict is not None
    assert (rounds[1].verdict.by, rounds[1].verdict.reason) == ("ann", "blind at night")
    assert read_cards(registry)[3].parent == 1
    decide(registry, 3, "accepted", by="bob", reason="good at night")
    rounds = played(config, "AwaitingApproval")
    assert rulings(rounds) == [(2, "rejected"), (3, "accepted")]
    assert read_cards(registry)[4].parent == 3
    decide(registry, 4, "accepted", by="bob", reason="better still")
    assert rulings(played(config)) == [(2, "rejected"), (3, "accepted"), (4, "accepted")]


@pytest.mark.slow
def test_when_all_versions_are_taken_back_rounds_are_held_to_the_initial_model(
    site: Site,
) -> None:
    config = site.config(0.2, 0.5, 0.8, accept=MANUAL)
    registry = RegistryFiles(files_of(config))
    played(config, "AwaitingApproval")
    decide(registry, 2, "rejected", by="ann", reason="blind at night")
    append(registry, lambda _: Entry(kind="rolled-back", version=1, by="ann"))
    assert history_of(read_log(registry)).basis is None
    assert rulings(played(config, "AwaitingApproval")) == [(2, "rejected")]
    card = read_cards(registry)[3]
    assert card.parent == 1
    assert card.measures["gain"].value is not None
