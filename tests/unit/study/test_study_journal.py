"""What a study tells while it is computed, and the data that it refuses."""

from pathlib import Path

import pytest

from backhaul.errors import InputError
from backhaul.events import Doing, Happening, listening
from backhaul.study.design import cells_of, plan_of
from backhaul.study.journal import Journal
from backhaul.study.rows import Table
from tests.unit.study.studies import row_of, study_of


def test_each_row_is_written_and_told(tmp_path: Path) -> None:
    study, table = study_of(), Table(tmp_path)
    cells = cells_of(study)
    known = [row_of(study, cell) for cell in cells[:2]]
    plan = plan_of(study, known).limited({"digits"}, {0})
    journal = Journal(study, table, plan, "w")
    assert journal.seeds == (("digits", 0),)
    total = 2 + len(journal.missing_of("digits", 0))
    heard: list[Happening] = []
    with listening(heard.append):
        told = journal.add(cells[2], row_of(study, cells[2], map50=0.25))
    left_s = (total - 3) * 2 / 2
    assert told == (
        f"digits, seed 0: no-new-data: mAP50 0.250; 3 of {total} trainings, about "
        f"{left_s:.3g} s left"
    )
    assert [each.event for each in heard] == [Doing(told)]
    assert table.rows() == (row_of(study, cells[2], map50=0.25),)
    assert cells[2] not in journal.missing_of("digits", 0)


def test_rows_of_other_data_are_not_paired_with_new_ones(tmp_path: Path) -> None:
    study = study_of()
    row = row_of(study, cells_of(study)[0])
    journal = Journal(study, Table(tmp_path), plan_of(study, [row]), "w")
    journal.require_data("digits", 0, row.data)
    journal.require_data("digits", 1, "another seed has other images")
    with pytest.raises(InputError, match="its data are not those that 1 rows"):
        journal.require_data("digits", 0, "other")
