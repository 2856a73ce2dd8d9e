"""A data set outside the store is moved: it is read again, and all else is found."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from backhaul.storage.relative import COLUMNS
from flows.campaign import campaign
from flows.rehearsal import rehearse
from tests.store.make_store import BATCH, N_INITIAL, N_SCENES, SIZE_PX, campaign_config

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.usefixtures("prefect_server"),
]


def folder(root: Path) -> dict[str, str]:
    return {"kind": "folder", "root": str(root)}


def changes(place: Path, name: str, *methods: str) -> dict[str, Any]:
    """Return the config of a run on the data sets that lie at `place`."""
    initial = {"data": folder(place / "first"), "images": None, "train": 0.5, "valid": 0.25}
    return {
        "name": name,
        "data": folder(place / "arriving"),
        "initial": initial,
        "batches": {"sampling_batch": BATCH, "count": 1, "train": 0.5, "valid": 0.25},
        "methods": [{"kind": method} for method in methods],
    }


def stages_of(store: Path, name: str) -> dict[str, set[str]]:
    """Return the stages that ran, by the file of a run's records that says so."""
    return {
        file.name: {each["stage"] for each in timings if not each["cached"]}
        for file in (store / ".backhaul" / "runs" / name).rglob("*.json")
        if (timings := json.loads(file.read_text()).get("timings"))
    }


def places_in(store: Path) -> set[str]:
    """Return the places that tables of a store hold, as they are stored."""
    tables = [pq.read_table(file) for file in (store / ".backhaul/objects").rglob("*.parquet")]
    columns = [t[name] for t in tables for name in COLUMNS if name in t.column_names]
    return {place for column in columns for place in column.to_pylist() if place}


def test_only_the_data_are_read_again(tmp_path: Path) -> None:
    store, here, there = (tmp_path / each for each in ("store", "here", "there"))
    write_scenes(here / "arriving", DigitsData(images=N_SCENES, size_px=SIZE_PX))
    write_scenes(here / "first", DigitsData(images=N_INITIAL, size_px=SIZE_PX, seed=1))
    first = campaign_config(store, **changes(here, "before", "iqr"))
    assert campaign(first, return_state=True).is_completed()
    assert len(list((store / ".backhaul" / "roots").iterdir())) == 2

    here.rename(there)
    after = campaign_config(store, **changes(there, "after", "iqr", "random"))
    assert campaign(after, return_state=True).is_completed()
    ran = stages_of(store, "after")
    new = {name: stages for name, stages in ran.items() if name.startswith("random")}
    old = {name: stages for name, stages in ran.items() if name not in new}
    assert set().union(*old.values()) <= {"data"}, old
    assert "training" in set().union(*new.values())  # which reads images
    assert all(look.cached for look in rehearse(after).stages)
    assert not [place for place in places_in(store) if place.startswith("/")]
    lists = [file.read_text() for file in (store / "runs/after/output").glob("sample*.txt")]
    paths = [path for text in lists for path in text.split()]
    assert paths
    assert all(path.startswith(f"{there}/") and Path(path).exists() for path in paths)
