"""What a study's file may say, and how it is told what is wrong with it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from backhaul.errors import InputError
from backhaul.study.design import cells_of, plan_of
from backhaul.study.recipes import series_of
from backhaul.study.rows import Table
from backhaul.study.settings import Budget, StudyConfig
from backhaul.study.studyfile import load_study
from backhaul.values.bandwidth import Bandwidth
from tests.unit.study.studies import STUDY, study_of

ROOT = Path(__file__).resolve().parents[3]


def load(folder: Path, **changes: Any) -> Any:
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(STUDY | changes), encoding="utf-8")
    return load_study(file)


def test_a_set_is_a_campaign_without_what_the_study_decides(tmp_path: Path) -> None:
    campaign = STUDY["sets"]["digits"] | {
        "name": "own",
        "methods": ["iqr"],
        "bandwidth": {"images": 9},
        "seeds": [4, 5],
        "store": "elsewhere",
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(campaign), encoding="utf-8")
    study = load(tmp_path, sets={"digits": "own.yaml"})
    assert study == study_of()
    played = study.campaign("digits", 7)
    assert (played.name, played.seed, played.store) == ("small-digits", 7, ".")


def test_the_examples_are_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = load_study(ROOT / "configs" / "study.yaml")
    assert example.seeds.test
    monkeypatch.chdir(tmp_path)
    (tmp_path / "others.pt").touch()  # where `backhaul pretrain` puts it
    bytes_of = load_study(ROOT / "configs" / "studies" / "bytes.yaml")
    assert len(cells_of(bytes_of)) == 180  # as the file says
    for name, kind in (("signs", "stream"), ("parking", "folder")):
        assert bytes_of.sets[name].data.kind == kind
        assert list(series_of(bytes_of.recipes_of(name))["jpeg"]) == [15, 30, 50, 75, 95]
    guide = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    (printed,) = re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    (tmp_path / "study.yaml").write_text(printed, encoding="utf-8")
    campaign = yaml.safe_dump(STUDY["sets"]["digits"])
    (tmp_path / "digits.yaml").write_text(campaign, encoding="utf-8")
    study = load_study(tmp_path / "study.yaml")
    assert set(yaml.safe_load(printed)) == set(StudyConfig.model_fields)
    assert [budget.name for budget in study.budgets] == [
        "pool_bytes=0.05",
        "bytes=400000",
        "images=40",
    ]


@pytest.mark.parametrize("name", ["choosing", "signs", "controls"])
def test_the_studies_that_are_committed_are_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "others.pt").touch()  # where `backhaul pretrain` puts it
    study = load_study(ROOT / "configs" / "studies" / f"{name}.yaml")
    assert (study.name, study.primary_label) == (name, "diverse")


def test_rows_of_a_committed_table_still_count() -> None:
    """Their digests are those of today's settings: a field that joined has not changed them."""
    study = load_study(ROOT / "configs" / "studies" / "choosing.yaml")
    rows = Table(ROOT / "docs" / "results" / "choosing").rows()
    known = study.model_copy(update={"no_harm": ("digits",)})
    for each in (study, known):
        plan = plan_of(each, rows)
        assert plan.known
        assert not plan.foreign


def test_a_setting_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    given = ("sets.digits.data.images=70", "seeds=[3]")
    study = load_study(file, given)
    assert (study.sets["digits"].data.images, study.seeds.test) == (70, (3,))  # type: ignore[union-attr]
    with pytest.raises(InputError, match="--set seeds: expected KEY=VALUE"):
        load_study(file, ("seeds",))


def test_what_is_kept_of_a_study_is_that_study() -> None:
    study = study_of(seeds={"choose": [3], "test": [4]}, primary="median-thresh")
    assert StudyConfig.model_validate(study.as_written) == study
    assert "bandwidth" not in study.as_written["sets"]["digits"]


def test_a_list_of_seeds_tests(tmp_path: Path) -> None:
    study = load(tmp_path, seeds=[3, 4])
    assert (study.seeds.choose, study.seeds.test) == ((), (3, 4))
    study = load(tmp_path, seeds={"choose": [1], "test": [3]})
    assert [study.seeds.role(seed) for seed in (1, 3)] == ["choose", "test"]


def test_the_first_arm_is_the_primary_one_unless_another_is(tmp_path: Path) -> None:
    assert load(tmp_path).primary_label == "iqr"
    other = load(tmp_path, primary="median-thresh")
    assert list(other.methods) == ["true-random", "median-thresh", "iqr"]


def test_a_budget_is_a_bandwidth_of_a_pool() -> None:
    assert Budget(pool_bytes=0.1).of_pool(1_234) == Bandwidth(bytes=123)
    assert Budget(images=3, bytes=10).of_pool(1_234) == Bandwidth(images=3, bytes=10)
    assert Budget(images=3, bytes=12_345_678).name == "images=3 bytes=12345678"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sets": {}}, "sets: expected a name and a campaign each"),
        ({"sets": {"x": "nowhere.yaml"}}, "sets.x: .*nowhere.yaml: is no file"),
        ({"arms": []}, "arms: expected at least one"),
        ({"arms": ["nearest"]}, "'nearest' is none of random,"),
        ({"arms": ["iqr", "iqr"]}, "arms: 'iqr' is given twice"),
        ({"arms": ["no-new-data"]}, "'no-new-data' is given twice, or always there"),
        ({"arms": ["true-random"]}, "'true-random' is given twice"),
        ({"primary": "random"}, "primary: 'random' is the label of no arm"),
        ({"budgets": [{"images": 3}, {"images": 3}]}, "budgets: 'images=3' is given twice"),
        ({"budgets": [{}]}, "budgets.0: expected images, bytes or pool_bytes"),
        ({"budgets": [{"bytes": 3, "pool_bytes": 0.1}]}, "give one of them"),
        ({"seeds": []}, "seeds: expected at least one"),
        ({"seeds": {"choose": [1], "test": [1]}}, "seeds: a seed is given twice"),
        ({"draw": 3}, "draw: is no key of a study"),
        ({"recipes": {"q": {"kind": "crops"}}}, "recipes: expected one named original"),
        ({"recipes": {"original": {"kind": "crops"}}}, "of that kind: others are compared"),
        ({"recipes": {"q": {"kind": "video"}}}, "recipes.q: 'video' is none of original, "),
    ],
)
def test_what_is_wrong_is_a_line(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as wrong:
        load(tmp_path, **change)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"training": {}}, "digits.training.retrain_steps: is missing"),
        ({"data": {"kind": "inbox"}, "initial": {"data": {"root": "x"}}}, "needs a data set"),
        ({"trainings": {}}, "sets.digits.trainings: is no key of a study, or of a campaign"),
    ],
)
def test_what_is_wrong_with_a_set_is_a_line(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        load(tmp_path, sets={"digits": STUDY["sets"]["digits"] | change})
