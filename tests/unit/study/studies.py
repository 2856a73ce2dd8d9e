"""Small studies, and rows of them that nobody has computed."""

from __future__ import annotations

import copy
from typing import Any

from backhaul.study.design import Cell, digests_of
from backhaul.study.rows import Row
from backhaul.study.settings import StudyConfig

STUDY: dict[str, Any] = {
    "name": "small",
    "sets": {
        "digits": {
            "data": {"kind": "digits", "images": 60, "size_px": 48},
            "initial": {"images": 16, "train": 0.5, "valid": 0.25},
            "batches": {"sampling_batch": 20, "count": 1},
            "training": {"model": "templates", "retrain_steps": 4, "max_epochs": 3},
        }
    },
    "seeds": [0, 1],
    "arms": ["iqr", "median-thresh"],
    "budgets": [{"images": 3}, {"pool_bytes": 0.3}],
}


def study_of(**changes: Any) -> StudyConfig:
    """Return the small study with changes, by the keys ``a.b.c``."""
    fields = copy.deepcopy(STUDY)
    for key, value in changes.items():
        owner, (*parents, last) = fields, key.split(".")
        for parent in parents:
            owner = owner.setdefault(parent, {})
        owner[last] = value
    return StudyConfig.model_validate(fields)


def row_of(study: StudyConfig, cell: Cell, inputs: str = "", **values: Any) -> Row:
    """Return a row that a training could have; `inputs` is its digest, if that is known."""
    chosen = cell.budget is not None
    made = Row(
        set=cell.set,
        seed=cell.seed,
        role=study.seeds.role(cell.seed),
        arm=cell.arm,
        draw=cell.draw,
        budget="" if cell.budget is None else cell.budget.name,
        training_seed=cell.training_seed,
        n_images=3 if chosen else 0,
        n_bytes=300 if chosen else 0,
        n_train=11 if chosen else 8,
        epochs=4,
        map50=0.5,
        map50_95=0.25,
        seconds=2.0,
        inputs=inputs or digests_of(study)[cell],
        selection="s" if chosen else "",
        data="d",
        start="m",
        software="w",
        recipe=cell.recipe,
    )
    return made.model_copy(update=values)
