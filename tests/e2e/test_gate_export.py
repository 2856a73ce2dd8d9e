"""A round whose model is exported for nodes, and held to limits, with a real training."""

from collections.abc import Callable

import pytest

from backhaul.layout import RunFiles
from backhaul.registry.overview import Registry, read_registry
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import exists
from tests.e2e.conftest import Place

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # torch's own, of its exporter
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
GATE = {"kind": "gate", "min_gain": -0.9, "forgetting": None, "compare": {"resamples": 200}}


@pytest.fixture(scope="module")
def place(new_place: Callable[[str], Place]) -> Place:
    return new_place("exporting").with_ultralytics()


def played(place: Place, name: str, most_bytes: int) -> Registry:
    config = place.config(
        name,
        methods=["true-random"],
        control=False,
        batches__count=1,
        publish={"method": "true-random", "export": {"precision": "fp32"}},
        accept={**GATE, "export": {"max_drop": 1.0, "max_bytes": most_bytes}},
    )
    done = place.backhaul("run", config)
    assert done.code == 0, done.err
    return read_registry(RegistryFiles(RunFiles(str(place.folder), name)))


def test_the_exported_model_is_on_the_card_and_its_limits_are_rules(place: Place) -> None:
    small = played(place, "small", most_bytes=100_000_000)
    card = small.cards[2]
    assert card.exported is not None
    assert card.reevaluated is not None
    assert exists(card.exported.file)
    rules = {rule.rule: rule.passed for rule in card.rules}
    assert rules == {"gain": True, "export: drop": True, "export: bytes": True}
    assert small.history.champion == 2
    large = played(place, "large", most_bytes=1_000)
    assert large.history.states[2] == "rejected"
    assert large.history.decided[2].reason.startswith("export: bytes: ")
