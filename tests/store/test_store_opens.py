"""A store that an earlier version made is opened in another folder, found cached, continued."""

import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from flows.campaign import campaign
from flows.hourly import hourly
from flows.rehearsal import rehearse
from tasks import keys
from tests.store.make_store import ABOUT, LABELS, LATER, campaign_config, hourly_config

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.usefixtures("prefect_server"),
]

ARCHIVES = sorted(Path(__file__).parent.glob("store-*.tar.xz"))
MOST_BYTES = 500_000


@pytest.fixture(params=ARCHIVES, ids=[path.stem for path in ARCHIVES])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A committed store in a new folder, with the libraries that it was made with."""
    with tarfile.open(request.param) as packed:
        packed.extractall(tmp_path, filter="data")
    about = json.loads((tmp_path / ABOUT).read_text())
    for name, time_ns in about["times"].items():
        os.utime(tmp_path / "store" / name, ns=(time_ns, time_ns))
    now = keys.version_of
    monkeypatch.setattr(
        keys, "version_of", lambda name: about["versions"].get(name) or now(name)
    )
    return tmp_path / "store"


def timings_of(store: Path, run: str) -> dict[str, list[bool]]:
    """Return whether each stage of a run's rounds came from the cache, by file."""
    return {
        file.name: [entry["cached"] for entry in json.loads(file.read_text())["timings"]]
        for file in store.rglob("rounds/*.json")
        if run in file.parts
    }


def test_they_are_small() -> None:
    assert ARCHIVES
    assert all(archive.stat().st_size < MOST_BYTES for archive in ARCHIVES)


def test_all_stages_of_the_campaign_are_found_without_a_run(store: Path) -> None:
    found = rehearse(campaign_config(store))
    assert [look.stage for look in found.stages if not look.cached] == []
    assert len(found.rounds) == 3


@pytest.mark.slow
def test_the_campaign_runs_again_from_the_cache(store: Path) -> None:
    state = campaign(campaign_config(store), return_state=True)
    assert state.is_completed()
    timings = timings_of(store, "finished")
    assert len(timings) == 3
    assert all(all(cached) for cached in timings.values()), timings


def test_another_method_joins_what_the_campaign_has(store: Path) -> None:
    more = campaign_config(store, name="more", methods=[{"kind": "iqr"}, {"kind": "random"}])
    assert campaign(more, return_state=True).is_completed()
    timings = timings_of(store, "more")
    assert len(timings) == 5
    new = {name for name, cached in timings.items() if not all(cached)}
    assert new == {name for name in timings if name.startswith("random")}


def test_the_hours_go_on(store: Path) -> None:
    config = hourly_config(store)
    waiting = hourly(config, return_state=True)
    assert waiting.name == "AwaitingLabels"
    shutil.copytree(store / LATER, store / LABELS, dirs_exist_ok=True)
    assert hourly(config, return_state=True).name == "Completed"
    timings = timings_of(store, "hours")
    assert len(timings) == 3
