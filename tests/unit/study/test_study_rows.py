"""The table of a study: what survives a kill, and what is not computed again."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from backhaul.errors import InputError
from backhaul.study.design import cells_of, derived_seed, digests_of, plan_of, remaining_s
from backhaul.study.rows import Chosen, Row, Selected, Table
from backhaul.study.settings import StudyConfig
from backhaul.study.studyfile import load_study
from tests.unit.study.studies import row_of, study_of

ROOT = Path(__file__).resolve().parents[3]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    study = study_of()
    rows = [row_of(study, cell, map50=0.1 + 0.2) for cell in cells_of(study)[:4]]
    rows[3] = rows[3].model_copy(update={"map50": None, "role": "choose"})
    for row in rows:
        Table(tmp_path).append(row)
    assert Table(tmp_path).rows() == tuple(rows)


def test_a_torn_line_is_none_and_the_next_row_takes_its_place(tmp_path: Path) -> None:
    study = study_of()
    one, two, three = (row_of(study, cell) for cell in cells_of(study)[:3])
    table, file = Table(tmp_path), tmp_path / "rows.csv"
    table.append(one)
    whole = file.read_bytes()
    table.append(two)
    for cut in (len(whole) + 1, file.stat().st_size - 1):
        file.write_bytes(file.read_bytes()[:cut] or whole)
        assert Table(tmp_path).rows() == (one,)
        Table(tmp_path).append(three)
        assert Table(tmp_path).rows() == (one, three)
        file.write_bytes(whole)
        table.append(two)
    file.write_bytes(b"set,se")
    table.append(two)
    assert Table(tmp_path).rows() == (two,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n", "rows.csv:1: expected the columns set, seed"),
        ("{head}\nx,y\n", "rows.csv:2: expected 21 values"),
        (f"{{head}}\n{'x' * 200_000}\n", "rows.csv:2: expected 21 values"),
        (
            "{head}\nd,no,test,iqr,0,,,0,0,0,0,,,1,a,b,c,d,e,f,\n",
            "rows.csv:2: seed: Input",
        ),
    ],
)
def test_a_table_of_somebody_else_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    head = ",".join(Row.model_fields)
    (tmp_path / "rows.csv").write_text(text.replace("{head}", head), encoding="utf-8")
    with pytest.raises(InputError, match=told):
        Table(tmp_path).rows()


def test_a_selection_is_noted_once(tmp_path: Path) -> None:
    image = Chosen(name="a.png", image_id="i", size_bytes=3, weight=0.5, reason="near")
    noted = Selected(
        inputs="x",
        set="digits",
        seed=0,
        arm="iqr",
        draw=0,
        budget="images=1",
        selection="s",
        images=(image,),
    )
    Table(tmp_path).note_selection(noted)
    for _ in range(2):
        Table(tmp_path).note_selection(noted)
    lines = (tmp_path / "selections.jsonl").read_text().splitlines()
    assert [Selected.model_validate_json(line) for line in lines] == [noted]


def test_a_name_with_a_line_end_of_another_kind_is_noted_once(tmp_path: Path) -> None:
    image = Chosen(name="a\u2028b.png", image_id="i", size_bytes=3, weight=0.5, reason="near")
    keys: dict[str, Any] = {"set": "digits", "seed": 0, "arm": "iqr", "draw": 0}
    noted = Selected(inputs="x", budget="images=1", selection="s", images=(image,), **keys)
    for _ in range(2):
        Table(tmp_path).note_selection(noted)
    (line,) = (tmp_path / "selections.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert Selected.model_validate_json(line) == noted


@pytest.mark.parametrize("line", ["{", "7", "[]", "{}"])
def test_selections_of_somebody_else_are_one_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "selections.jsonl").write_text(f'{{"inputs": "x"}}\n{line}\n')
    keys: dict[str, Any] = {"set": "digits", "seed": 0, "arm": "iqr", "draw": 0}
    noted = Selected(inputs="y", budget="images=1", selection="s", images=(), **keys)
    with pytest.raises(InputError, match=r"selections\.jsonl:2: expected a choice of images"):
        Table(tmp_path).note_selection(noted)


def test_every_arm_has_every_budget_and_retraining(tmp_path: Path) -> None:
    study = study_of(seeds={"choose": [5], "test": [0, 1]})
    cells = cells_of(study)
    of_a_seed = 1 + 2 + 2 + 2 * 2 * 3 + 2 * 2 * 2  # references, baseline, two arms
    assert len(cells) == len(set(cells)) == 3 * of_a_seed
    assert len(set(digests_of(study).values())) == len(cells)
    assert [cell.seed for cell in cells][::of_a_seed] == [0, 1, 5]


def test_what_is_in_the_table_is_not_missing(tmp_path: Path) -> None:
    study = study_of()
    cells = cells_of(study)
    rows = [row_of(study, cell, digest) for cell, digest in [*digests_of(study).items()][:7]]
    plan = plan_of(study, rows)
    assert (plan.known, plan.foreign) == (tuple(rows), ())
    assert list(plan.missing) == list(cells[7:])
    assert {row.arm for row in plan.complete} == {"initial", "no-new-data"}
    assert {cell.seed for cell in plan.limited((), {1}).missing} == {1}
    assert not plan.limited({"other"}, ()).missing


@pytest.mark.parametrize(
    ("change", "foreign"),
    [
        ({"store": "elsewhere", "parallel": 7, "draws": 2, "training_seeds": 1}, False),
        ({"seeds": {"choose": [0, 1]}}, False),
        ({"sets.digits.training.lr0": 0.1}, True),
        ({"sets.digits.batches.sampling_batch": 9}, True),
        ({"sets.digits.start": {"checkpoint": "/x/a_ckpt_3.pt"}}, True),
        ({"sets.digits.training.threads": 3, "sets.digits.mixing": {"retrain_new": 1}}, False),
    ],
)
def test_rows_belong_to_the_settings_that_they_were_computed_with(
    change: dict[str, Any], foreign: bool
) -> None:
    before, after = study_of(), study_of(**change)
    row = row_of(before, cells_of(before)[0])
    assert plan_of(after, [row]).foreign == ((row,) if foreign else ())


def test_places_do_not_matter() -> None:
    def digest(root: str, checkpoint: str) -> str:
        data = {"kind": "folder", "root": root}
        study = study_of(
            **{"sets.digits.data": data, "sets.digits.start.checkpoint": checkpoint}
        )
        return next(iter(digests_of(study).values()))

    assert digest("/a", "/a/x_ckpt_3.pt") == digest("/b", "/b/x_ckpt_3.pt")
    assert digest("/a", "/a/x_ckpt_3.pt") != digest("/a", "/a/x_ckpt_4.pt")


def test_digests_are_those_of_committed_tables() -> None:
    study = study_of()
    digests = list(digests_of(study).values())
    golden = "another digest makes every committed table foreign: raise DESIGN, or explain"
    assert (digests[0], digests[-3], derived_seed(3, "draw", 1)) == GOLDEN, golden


GOLDEN = ("6aefbaa700d92bb925d350aa41b85af7", "d528da85864a3ec23d9c25cdaae27c96", 184951424)


def test_the_remaining_time_follows_from_what_was_measured() -> None:
    study: StudyConfig = study_of()
    cells = cells_of(study)
    seconds = (100, 20, 20, 0.1, 0.1, 0.1)  # the initial training, two more, three cached ones
    rows = [row_of(study, cell, seconds=s) for cell, s in zip(cells[:6], seconds, strict=True)]
    assert remaining_s(cells[6:10], rows, 2) == pytest.approx(4 * 20 / 2)
    initial = [cell for cell in cells if cell.arm == "initial"]
    assert remaining_s(initial[1:], rows, 1) == pytest.approx(100)
    assert remaining_s(initial, rows[1:], 1) == pytest.approx(2 * 20)  # none was measured
    assert remaining_s(cells, [], 2) is None


RECIPES = {"original": {"kind": "original"}, "q20": {"kind": "reencoded", "quality": 20}}


def test_a_recipe_is_a_factor_of_its_own_and_leaves_known_rows_as_they_are() -> None:
    before, after = study_of(), study_of(recipes=RECIPES)
    known, all_of_it = digests_of(before), digests_of(after)
    assert {cell: all_of_it[cell] for cell in known} == known
    new = [cell for cell in all_of_it if cell not in known]
    assert {cell.recipe for cell in new} == {"q20"}
    assert len(new) == sum(cell.budget is not None for cell in known)
    assert len(set(all_of_it.values())) == len(all_of_it)
    renamed = study_of(recipes=RECIPES | {"poor": RECIPES["q20"]})
    poor = {cell: d for cell, d in digests_of(renamed).items() if cell.recipe != "original"}
    assert len(poor) == 2 * len(new)
    assert len(set(poor.values())) == len(new)  # what a form is called does not matter


def test_a_set_with_a_recipe_has_other_rows_where_images_are_sent() -> None:
    before = digests_of(study_of())
    own = study_of(**{"sets.digits.sending": RECIPES["q20"]})
    for cell, digest in digests_of(own).items():
        assert (digest in before.values()) == (cell.budget is None)
        assert cell.recipe == ("original" if cell.budget is None else "reencoded")


def test_a_committed_table_is_wholly_valid_and_goes_on(tmp_path: Path) -> None:
    folder = ROOT / "docs" / "results" / "choosing"
    study = load_study(ROOT / "configs" / "studies" / "choosing.yaml")
    plan = plan_of(study, Table(folder).rows())
    assert plan.known
    assert not plan.foreign
    assert {(row.recipe, row.map50_small) for row in plan.known} == {("original", None)}
    assert (folder / "rows.csv").read_text().count("\n") == 1 + len(plan.known)
    lines = (folder / "selections.jsonl").read_text().splitlines()
    assert {Selected.model_validate_json(line).recipe for line in lines} == {"original"}

    shutil.copy(folder / "rows.csv", tmp_path)
    row = plan.known[0].model_copy(update={"recipe": "q20", "map50_small": 0.125})
    Table(tmp_path).append(row)
    assert Table(tmp_path).rows() == (*plan.known, row)
    Table(tmp_path).append(row)
    assert Table(tmp_path).rows() == (*plan.known, row, row)
