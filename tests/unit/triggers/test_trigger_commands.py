"""`backhaul triggers ask|explain|fire` on a run whose images have arrived."""

import json
from pathlib import Path

import pytest
import yaml

from backhaul.cli.triggers import triggers
from backhaul.errors import InputError
from backhaul.triggers.asking import decide
from backhaul.triggers.hours import begin_hour, finish_hour
from backhaul.triggers.wording import markdown
from tests.commands import called
from tests.triggered import BATCH, NOON, Arriving

TREE = {
    "all": [
        {"kind": "window", "hours": "11:00-13:00"},
        {"any": [{"kind": "labelled", "images": 2}, {"kind": "drift"}]},
    ]
}


EXPLAINED = """
2026-03-02 12:00 UTC to 2026-03-02 12:00 UTC (3 times)
  not yet: 0 of 2 labelled images; drift: no window was told in the last day
    unknown: 1 of 2 hold; asked: all of 2
      yes: inside; asked: the time is within 11:00-13:00 UTC
      unknown: 0 of 2 hold; asked: any of 2
        no: 0; asked: 2 labelled images of full batches
        unknown: no window was told in the last day; asked: drift of either above 0.25
2026-03-02 12:00 UTC
  decision 1 fired: inside 11:00-13:00 UTC; 4 of 2 labelled images
    yes: 2 of 2 hold; asked: all of 2
      yes: inside; asked: the time is within 11:00-13:00 UTC
      yes: 1 of 2 hold; asked: any of 2
        yes: 4; asked: 2 labelled images of full batches
        unknown: no window was told in the last day; asked: drift of either above 0.25
    batch 0: played by all methods at 2026-03-02 12:00 UTC
"""


@pytest.fixture
def run(arriving: Arriving) -> str:
    """A run of two decisions: not yet, three times, and one that fired and was played."""
    arriving.with_triggers(TREE)
    names = arriving.drop(BATCH)
    trigger = arriving.run.config.triggers
    assert trigger is not None
    stored(arriving, "inbox")
    for _ in range(3):
        decide(arriving.run, trigger, NOON)
    arriving.label(names)
    begin_hour(arriving.run, arriving.state, NOON)
    arriving.play()
    finish_hour(arriving.run, arriving.state, NOON)
    return arriving.files.view.folder


def stored(arriving: Arriving, kind: str) -> None:
    """Let the run's config say what its data are."""
    config = json.dumps({"schema": 1, "data": {"kind": kind}})
    Path(arriving.files.config).write_text(config)


def test_decisions_are_explained_in_plain_words(run: str) -> None:
    said = called(triggers, "explain", run)
    assert said.splitlines() == EXPLAINED.strip("\n").splitlines()
    assert called(triggers, "explain", run, "--last", "1").startswith(
        "2026-03-02 12:00 UTC\n  d"
    )
    told = json.loads(called(triggers, "explain", run, "--json"))
    assert [each["fires"] for each in told] == [False, True]
    assert told[1]["answers"][3]["value"] == 4


def test_a_page_of_the_last_decision(run: str, arriving: Arriving) -> None:
    page = markdown(arriving.decisions.read().decisions[-1])
    assert page.startswith("**decision 1 fired: ")
    assert "| &emsp;&emsp;2 labelled images of full batches | 4 | yes |" in page


def test_fired_by_hand_once(run: str, arriving: Arriving) -> None:
    said = called(triggers, "fire", run, "--reason", " new\ncameras ")
    assert ": decision 2 fired by " in said
    assert said.splitlines()[0].endswith("new\\ncameras")
    again = called(triggers, "fire", run, "--reason", "again")
    assert "decision 2 fired" in again
    assert "stands from before" in again
    assert "stands: the next hour" in called(triggers, "explain", run, "--last", "1")
    assert arriving.decisions.read().fired == 2


def test_what_would_be_decided_is_told_and_not_kept(arriving: Arriving, tmp_path: Path) -> None:
    arriving.with_triggers({"kind": "labelled", "images": 2})
    names = arriving.drop(BATCH)
    file = tmp_path / "edge.yaml"
    file.write_text(yaml.safe_dump(arriving.run.config.model_dump(mode="json")))
    assert "not yet: 0 of 2 labelled images" in called(triggers, "ask", str(file))
    arriving.label(names)
    assert "fires: 4 of 2 labelled images" in called(triggers, "ask", str(file))
    [told] = json.loads(called(triggers, "ask", str(file), "--json"))
    assert told["fires"]
    assert not Path(arriving.decisions.place).exists()
    with pytest.raises(InputError, match="triggers: is null"):
        called(triggers, "ask", str(file), "--set", "triggers=null")


def test_a_run_without_an_inbox_has_no_triggers(arriving: Arriving) -> None:
    Path(arriving.files.config).write_text(
        json.dumps({"schema": 1, "data": {"kind": "digits"}})
    )
    with pytest.raises(InputError, match="expected a run of `backhaul hourly`"):
        called(triggers, "fire", arriving.files.view.folder, "--reason", "x")


def test_an_empty_reason_is_refused(run: str) -> None:
    with pytest.raises(InputError, match="--reason: is empty"):
        called(triggers, "fire", run, "--reason", " ")


def test_a_run_that_was_never_asked_says_so(arriving: Arriving) -> None:
    Path(arriving.files.config).write_text(json.dumps({"schema": 1, "data": {"kind": "inbox"}}))
    assert "no trigger was asked so far" in called(
        triggers, "explain", arriving.files.view.folder
    )
