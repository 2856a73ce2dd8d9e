"""What a study shows, as JSON: the numbers of its page, for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backhaul.storage.objects import replace
from backhaul.study.design import Plan, plan_of
from backhaul.study.noharm import no_harm
from backhaul.study.rows import Row
from backhaul.study.settings import StudyConfig
from backhaul.study.summary import summary_of


def write_summary(study: StudyConfig, folder: Path, rows: Sequence[Row]) -> Path:
    """Write ``summary.json``, and return where it lies.

    Args:
        study: The study.
        folder: Its folder.
        rows: All rows of its table.
    """
    place = folder / "summary.json"
    content = json.dumps(summaries(study, plan_of(study, rows)), indent=1, allow_nan=False)
    replace(place.resolve().as_posix(), content.encode())
    return place


def summaries(study: StudyConfig, plan: Plan) -> dict[str, Any]:
    """Return what is known of each set; null for what is not."""
    return {
        "name": study.name,
        "baseline": study.baseline.label,
        "primary": study.primary_label,
        "trainings": {"known": len(plan.known), "missing": len(plan.missing)},
        "sets": {name: _of_set(study, name, plan) for name in study.sets},
    }


def _of_set(study: StudyConfig, name: str, plan: Plan) -> dict[str, Any]:
    found = summary_of(study, name, study.judged_by, plan.complete)
    harm = no_harm(found.effects[study.primary_label])
    unfinished = plan.unfinished.get(name, {})
    return {
        "role": study.judged_by,
        "references": _plain(found.references),
        "effects": {arm: _plain(asdict(effect)) for arm, effect in found.effects.items()},
        "no_harm": {**asdict(harm), "holds": harm.holds} if name in study.no_harm else None,
        "unfinished": {str(seed): n_missing for seed, n_missing in unfinished.items()},
    }


def _plain(value: Any) -> Any:
    """Return plain JSON data, null for numbers that are none."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case tuple():
            return [_plain(item) for item in value]
        case float():
            return float(value) if math.isfinite(value) else None
    return value
