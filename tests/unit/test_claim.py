"""When a run that is there is the one that a config asks for."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from backhaul.campaign.claim import claim
from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from tests.campaigns import IDLE


def config(store: Path, model: type[CampaignConfig] = CampaignConfig, **changes: Any) -> Any:
    return model.model_validate({**IDLE, "store": store.as_posix(), **changes})


def begun(store: Path, **changes: Any) -> RunFiles:
    """A run whose data were arranged."""
    files = claim(config(store, **changes))
    Path(files.beginning).write_text("{}")
    return files


class Later(CampaignConfig):
    """A campaign as a later version knows it, with one field more."""

    patience: int = Field(3, description="a field with a default")


def test_a_field_that_is_new_leaves_a_run_what_it_is(tmp_path: Path) -> None:
    files = begun(tmp_path)
    assert claim(config(tmp_path, Later)) == files
    with pytest.raises(InputError, match=r"\(patience was 3, now 4\)"):
        claim(config(tmp_path, Later, patience=4))


def test_a_field_that_is_gone_is_named(tmp_path: Path) -> None:
    files = claim(config(tmp_path, Later))
    Path(files.beginning).write_text("{}")
    before = Path(files.config).read_bytes()
    with pytest.raises(InputError, match=r"\(patience was 3, now None\)"):
        claim(config(tmp_path))
    assert Path(files.config).read_bytes() == before


def test_what_differs_is_named_field_by_field(tmp_path: Path) -> None:
    files = begun(tmp_path)
    training = {**IDLE["training"], "max_epochs": 9}
    with pytest.raises(InputError) as caught:
        claim(config(tmp_path, seed=2, training=training))
    assert "(seed was 1, now 2; training.max_epochs was 2, now 9)" in str(caught.value)
    assert files.view.folder in str(caught.value)


def test_what_cannot_change_a_result_may_differ_and_is_kept(tmp_path: Path) -> None:
    files = begun(tmp_path)
    training = {**IDLE["training"], "threads": 7}
    claim(config(tmp_path, parallel=5, keep_checkpoints="ensemble", training=training))
    stored = json.loads(Path(files.config).read_text())
    assert (stored["parallel"], stored["keep_checkpoints"]) == (5, "ensemble")
    assert stored["training"]["threads"] == 7


def test_a_run_whose_data_could_not_be_read_may_be_mended(tmp_path: Path) -> None:
    claim(config(tmp_path))
    files = claim(config(tmp_path, seed=2))
    assert json.loads(Path(files.config).read_text())["seed"] == 2


def test_a_store_that_was_moved_with_its_data_has_the_same_run(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    begun(old, data={"kind": "folder", "root": f"{old}/scenes"})
    old.rename(new)
    claim(config(new, data={"kind": "folder", "root": f"{new}/scenes"}))
    with pytest.raises(InputError, match=r"data\.root was 'scenes', now 'others'"):
        claim(config(new, data={"kind": "folder", "root": f"{new}/others"}))


def test_a_config_of_a_newer_version_ends_it_and_stays(tmp_path: Path) -> None:
    files = begun(tmp_path)
    newer = Path(files.config).read_text().replace('"schema": 1', '"schema": 2')
    Path(files.config).write_text(newer)
    with pytest.raises(InputError, match="newer version"):
        claim(config(tmp_path))
    assert Path(files.config).read_text() == newer


@pytest.mark.parametrize(
    "forged",
    [
        {"training": {**IDLE["training"], "detector": "planted:Run"}},
        {"labelling": {"source": {"use": "planted:Run"}}},
        {"methods": [{"kind": "user", "use": "planted:Run"}]},
        {"training": {**IDLE["training"], "detector": "planted:r\u0301"}},
        {"training": {**IDLE["training"], "detector": "planted:r\u203f"}},
        {"labelling": {"source": {"use": "planted:Run", "uses": 5}}},
        {
            "methods": [
                {"kind": "user", "use": {"use": "json:loads", "uses": ["planted.inner"]}}
            ]
        },
    ],
)
def test_code_that_only_a_stored_config_names_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forged: dict[str, Any]
) -> None:
    files = begun(tmp_path)
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    stored = json.loads(Path(files.config).read_text())
    Path(files.config).write_text(json.dumps(stored | forged))
    with pytest.raises(InputError, match=r"with another config .*planted"):
        claim(config(tmp_path))


def test_limits_of_an_inbox_may_be_changed_and_those_of_a_data_set_make_another_run(
    tmp_path: Path,
) -> None:
    arriving = {"kind": "inbox"}
    initial = {**IDLE["initial"], "data": {"kind": "folder", "root": "/first"}}
    files = begun(tmp_path, data=arriving, initial=initial)
    more = {**arriving, "limits": {"images_per_hour": 9}}
    assert claim(config(tmp_path, data=more, initial=initial)) == files
    assert '"images_per_hour":9' in Path(files.config).read_text().replace(" ", "")
    first = {"kind": "folder", "root": "/first", "limits": {"image_pixels": 9}}
    with pytest.raises(
        InputError, match=r"initial.data.limits.image_pixels was 100000000, now 9"
    ):
        claim(config(tmp_path, data=arriving, initial={**initial, "data": first}))
