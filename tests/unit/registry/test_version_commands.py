"""`backhaul models list|show|diff` on a run with versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backhaul.cli.models import models
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from tests.commands import called
from tests.versions import registered, unpacked_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    run = unpacked_run(tmp_path_factory.mktemp("registry"))
    registered(run)
    return run


def test_versions_are_listed_with_what_was_decided(run: RunFiles) -> None:
    said = " ".join(called(models, "list", run.view.folder).split())
    assert "1 champion init 0.500 - initial: the first model" in said
    assert "2 rejected iqr, batch 0 0.600 0.030 gate: <b>gain</b> 0.010" in said
    assert "3 awaits approval iqr, batch 1" in said
    told = json.loads(called(models, "list", run.view.folder, "--json"))
    assert [each["state"] for each in told] == ["champion", "rejected", "awaits approval"]


def test_a_card_says_where_a_version_comes_from_and_what_became_of_it(run: RunFiles) -> None:
    said = called(models, "show", f"{run.view.folder}@2")
    assert "gain 0.030 (0.010 to 0.050), n = 40" in said
    assert said.startswith("finished@2: rejected")
    assert "trained from       version 1" in said
    assert "NOT  gain: 0.03, expected above 0.04" in said
    assert "candidate by" in said
    assert "rejected by gate: <b>gain</b>" in said
    told = json.loads(called(models, "show", f"{run.view.folder}@champion", "--json"))
    assert told["version"] == 1
    assert [entry["kind"] for entry in told["log"]] == ["candidate", "accepted"]


def test_two_versions_are_compared(run: RunFiles) -> None:
    said = called(models, "diff", f"{run.view.folder}@1", f"{run.view.folder}@candidate")
    rows = {line.strip().split("  ")[0]: line for line in said.splitlines()}
    assert rows["made by"].split()[2:] == ["init", "iqr,", "batch", "1"]
    assert rows["trained from"].split()[2:] == ["-", "1"]
    assert rows["mAP50"].split() == ["mAP50", "0.500", "0.600"]
    assert "config" not in rows
    assert "→" in rows["common"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("@1", "expected RUN@VERSION"),
        ("{run}", "expected RUN@VERSION"),
        ("{run}@9", "no such version; there are: champion, candidate, 1, 2, 3"),
        ("{run}@canary", "no such version"),
        ("{run}x@1", "no run there"),
    ],
)
def test_a_wrong_version_is_said(run: RunFiles, given: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        called(models, "show", given.format(run=run.view.folder))


def test_a_run_without_versions_says_how_to_get_some(tmp_path: Path) -> None:
    run = unpacked_run(tmp_path)
    assert "where its config has `publish`" in called(models, "list", run.view.folder)
