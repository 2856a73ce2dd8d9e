"""Keys, and what home publishes by them."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backhaul.cli.models import models
from backhaul.errors import InputError
from backhaul.node.updates.release import Choice
from backhaul.publication.keys import make_keys, read_keys, renew_keys
from backhaul.publication.publishing import NewModel, groups_of, publish
from backhaul.publication.repository import Repository
from tests.publishing import Publisher
from tests.tinymodels import tiny_model, write_pictures


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "home")


def test_keys_are_for_their_owner_alone_and_the_root_is_not_needed(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", 3)
    secrets = [*(tmp_path / "keys/offline").iterdir(), *(tmp_path / "keys/online").iterdir()]
    assert len(secrets) == 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    for path in (tmp_path / "keys/offline").iterdir():
        path.unlink()
    keys = read_keys(tmp_path / "keys")
    assert keys.root.roles["root"].threshold == 2
    assert keys.root.expires - datetime.now(UTC) > timedelta(days=1_800)
    with pytest.raises(InputError, match="expected 2 root keys, found 0"):
        renew_keys(tmp_path / "keys")
    with pytest.raises(InputError, match="has keys already"):
        make_keys(tmp_path / "keys")
    (tmp_path / "keys/online/targets.pem").chmod(0o644)
    with pytest.raises(InputError, match="others may read it"):
        read_keys(tmp_path / "keys")
    with pytest.raises(InputError, match="has no keys"):
        read_keys(tmp_path / "none")


def test_renewed_keys_sign_all_anew(publisher: Publisher) -> None:
    publisher.put(tiny_model())
    renew_keys(publisher.folder / "keys")
    repository = publisher.repository
    assert not repository.read().is_trusted
    assert repository.refresh(repository.read())
    assert repository.read().is_trusted
    assert (publisher.published / "metadata/2.root.json").exists()


def test_of_two_publishers_at_once_one_begins_anew(publisher: Publisher) -> None:
    """Both write a second version from the same first one: the slower one changes nothing."""
    publisher.put(tiny_model())
    slow, fast = publisher.repository, publisher.repository
    standing = slow.read()
    assert fast.publish(fast.read(), {})
    assert not slow.publish(standing, standing.targets.targets)
    assert slow.read().targets.targets == {}


def test_groups_do_not_touch_each_other(publisher: Publisher) -> None:
    repository = publisher.repository
    publisher.put(tiny_model())
    other = NewModel("night.onnx", tiny_model(0.5), publisher.probe(tiny_model(0.5)))
    publish(repository, "night", other, Choice(), 0.25)
    publish(repository, "night", None, Choice(), 0.5)
    found = {each.name: each.release for each in groups_of(repository, repository.read())}
    assert found["all"] is not None
    assert found["night"] is not None
    assert (found["all"].name, found["all"].cohort) == ("tiny.onnx", 1.0)
    assert (found["night"].name, found["night"].cohort) == ("night.onnx", 0.5)
    publisher.put(tiny_model(0.6))  # the model before is named by nobody, and goes
    targets = repository.read().targets.targets
    assert len([place for place in targets if place.startswith("models/")]) == 2
    for name in ("a/b", "..", "all nodes", ""):
        with pytest.raises(InputError, match="is no name of a group"):
            publish(repository, name, None, Choice(), None)
    with pytest.raises(InputError, match="has no model yet"):
        publish(repository, "day", None, Choice(), None)


def test_a_release_says_only_what_was_set(publisher: Publisher) -> None:
    """A field that later versions add does not keep older agents from all releases."""
    publisher.put(tiny_model(), policies=({"kind": "stream", "name": "night"},))
    publisher.put(tiny_model(0.6))
    text = max(
        publisher.published.glob("targets/groups/all/*"), key=lambda p: p.stat().st_mtime_ns
    )
    assert b'"policies":[{"name":"night","kind":"stream"}]' in text.read_bytes()


def test_other_keys_publish_nothing_into_the_same_store(publisher: Publisher) -> None:
    publisher.put(tiny_model())
    make_keys(publisher.folder / "others")
    other = Repository(str(publisher.root), read_keys(publisher.folder / "others"))
    with pytest.raises(InputError, match="is not signed by these keys, or is damaged"):
        other.read()


def labelled_folder(folder: Path) -> str:
    """Write a data set whose objects lie where the model's box is."""
    for path in write_pictures(folder).glob("*.png"):
        path.with_suffix(".txt").write_text("0 0.5 0.5 0.625 0.47\n")
    (folder / "data.yaml").write_text("names: [car, bus]\ntrain: .\n")
    return str(folder)


def test_the_commands_publish_show_and_refresh(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(models, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    store, signing = tmp_path / "store", str(tmp_path / "signing")
    store.mkdir()
    given = ("--keys", signing, "--store", str(store))
    said = run("keys", signing)
    assert "OFFLINE" in said
    assert "ONLINE" in said
    assert run("published", *given) == "nothing is published\n"
    with pytest.raises(InputError, match="nothing is published"):
        run("refresh", *given)

    (tmp_path / "m.onnx").write_bytes(tiny_model())
    (tmp_path / "policy.yaml").write_text("policies: [{kind: stream, name: night}]\n")
    probe = str(write_pictures(tmp_path / "probe"))
    model = ("publish", str(tmp_path / "m.onnx"), *given)
    with pytest.raises(InputError, match="--probe"):
        run(*model)
    said = run(
        *model, "--probe", probe, "--cohort", "0.1", "--policy", f"{tmp_path}/policy.yaml"
    )
    assert "all: m.onnx" in said
    assert "for 10% of the nodes, policies: night" in said
    assert "100%" in run("publish", *given, "--cohort", "1")
    assert "night" in run("published", *given)
    assert "good until" in run("refresh", *given, "--days", "3")
