"""Label Studio of the local stack: there where it is wanted, and its secrets kept apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backhaul.errors import InputError
from deployments.local.beside import Beside
from deployments.local.label_studio import TOKEN_LENGTH, LabelStudioServer
from deployments.local.ports import DEFAULTS, free_port
from deployments.local.private import secret
from deployments.local.stack import claimed_stack, known_stack


def test_it_belongs_to_a_stack_once_it_was_asked_for(tmp_path: Path) -> None:
    assert claimed_stack(tmp_path).labelling is None
    assert "LABEL_STUDIO_API_KEY" not in claimed_stack(tmp_path).environment
    asked = claimed_stack(tmp_path, labels=True).labelling
    again = claimed_stack(tmp_path)
    assert asked is not None
    assert again.labelling == asked
    assert again.labelling in again.services
    token = again.environment["LABEL_STUDIO_API_KEY"]
    assert len(token) == TOKEN_LENGTH
    assert token not in " ".join(map(repr, again.services))


def test_a_stack_of_an_earlier_version_gets_a_port_for_it(tmp_path: Path) -> None:
    before = {name: ports for name, ports in DEFAULTS.items() if name != "labelling"}
    (tmp_path / "ports.json").write_text(json.dumps(before))
    assert known_stack(tmp_path) is not None
    asked = claimed_stack(tmp_path, labels=True).labelling
    assert asked is not None
    assert json.loads((tmp_path / "ports.json").read_text())["labelling"] == {
        "http": asked.port
    }


def test_no_secret_is_in_its_command(tmp_path: Path) -> None:
    server = LabelStudioServer(tmp_path, free_port(), secret(), secret())
    command = " ".join(server.command())
    assert server.password not in command
    assert server.token not in command
    settings = server.own_environment()
    assert settings["COLLECT_ANALYTICS"] == "false"
    assert settings["SENTRY_DSN"] == settings["FRONTEND_SENTRY_DSN"] == ""


@pytest.mark.slow
def test_what_cannot_be_installed_is_said_and_tried_again(tmp_path: Path) -> None:
    pinned = tmp_path / "labelling.txt"
    pinned.write_text(f"{tmp_path}/no-such-package.whl\n")
    beside = Beside("Label Studio", tmp_path / "made", pinned)
    with pytest.raises(InputError, match="Label Studio cannot be installed here"):
        beside.make()
    assert not beside.is_made
    pinned.write_text("\n")
    beside.make()
    assert beside.is_made
    assert beside.program("pip").exists()
