"""The page of a study: what is shown, what is not, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from backhaul.analysis.png import draw
from backhaul.report.findings import Shown, show_findings
from backhaul.report.plot import Figure, method_colours
from backhaul.report.templates import environment
from backhaul.report.wording import number, plural
from backhaul.storage.objects import replace
from backhaul.study.design import Plan, plan_of
from backhaul.study.findings import findings_of
from backhaul.study.folder import read_study
from backhaul.study.noharm import harm_in_words
from backhaul.study.rows import Row
from backhaul.study.screening import read_screening, screening_finding
from backhaul.study.settings import CEILING, CONTROL, INITIAL, Role, StudyConfig
from backhaul.study.summary import Summary, summary_of
from backhaul.study.wording import verdict


@dataclass(frozen=True, slots=True)
class SetSection:
    """One set on the page: its name, sentences, and what was found."""

    name: str
    verdict: str
    sentences: tuple[str, ...]
    found: tuple[Shown, ...]


def write_page(study: StudyConfig, folder: Path, rows: Sequence[Row]) -> Path:
    """Write ``index.html`` and a picture of each chart; return where the page lies.

    The page needs nothing but itself. What it says of an arm rests on seeds that have all of
    its trainings, and on those of the baseline.

    Args:
        study: The study.
        folder: Its folder.
        rows: All rows of its table.
    """
    plan = plan_of(study, rows)
    figures: dict[str, Figure] = {}
    colours = method_colours([*study.methods, INITIAL, CEILING])
    sections = tuple(
        _section(study, name, plan, folder, colours, figures) for name in study.sets
    )
    page = folder / "index.html"
    text = (
        environment()
        .get_template("study.html.j2")
        .render(
            name=study.name,
            sections=sections,
            notes=notes(study, plan),
            figures=figures,
            config=yaml.safe_dump(study.as_written, sort_keys=False),
            software=_software(folder, plan),
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - the installed package's own script
        )
    )
    replace(page.resolve().as_posix(), text.encode())
    return page


def _section(
    study: StudyConfig,
    name: str,
    plan: Plan,
    folder: Path,
    colours: Mapping[str, str],
    figures: dict[str, Figure],
) -> SetSection:
    own = [row for row in plan.known if row.set == name]
    tested = summary_of(study, name, study.judged_by, plan.complete)
    found = findings_of(tested, own) if own else ()
    screened = screening_finding(study, name, read_screening(folder), plan.known)
    if screened is not None:
        found = (*found, screened)
    for each in found:
        if each.charts:
            place = (folder / f"{each.name}.png").resolve()
            replace(place.as_posix(), draw(each))
    shown, problems = show_findings({each.name: each for each in found}, colours, figures)
    if not own:
        return SetSection(name, f"Nothing is measured yet on {name}.", problems, shown)
    primary = study.primary_label
    return SetSection(
        name=name,
        verdict=verdict(primary, tested.baseline, name, tested.effects[primary]),
        sentences=(*_sentences(study, name, plan, tested), *problems),
        found=shown,
    )


def _sentences(study: StudyConfig, name: str, plan: Plan, tested: Summary) -> tuple[str, ...]:
    known, primary = tested.references, study.primary_label
    told = [
        (
            f"The initial model has a mAP50 of {number(known[INITIAL])}; retrained it has "
            f"{number(known[CONTROL])} with no new image, and {number(known[CEILING])} with "
            "the whole pool: between the two lies what choosing can win."
        )
    ]
    if name in study.no_harm:
        told.append(harm_in_words(primary, tested.baseline, name, tested.effects[primary]))
    if not study.seeds.test:
        told.append("No seed tests: these seeds choose, and what they show is no evidence.")
    elif study.seeds.choose:
        chosen_by = summary_of(study, name, "choose", plan.complete)
        early = verdict(primary, tested.baseline, name, chosen_by.effects[primary])
        told.append(f"On the seeds that chose, which are no evidence: {early}")
    return tuple(told)


def notes(study: StudyConfig, plan: Plan) -> tuple[str, ...]:
    """Return what a reader must know of the rows before believing them."""
    known = plan.known
    found = []
    if plan.missing:
        n = len(plan.missing)
        found.append(
            f"{plural(n, 'training')} of {n + len(known):,} are missing. A seed counts for an "
            f"arm and a recipe once it has all of its trainings. {_unfinished(plan)}"
        )
    if plan.foreign:
        n = len(plan.foreign)
        found.append(f"{plural(n, 'row')} of other settings are kept, and not counted.")
    if len({row.software for row in known}) > 1:
        found.append("Rows were computed with different versions of the software, see below.")
    starts: dict[tuple[str, int], set[str]] = {}
    for row in known:
        starts.setdefault((row.set, row.seed), set()).add(row.start)
    if several := [f"{name} {seed}" for (name, seed), own in starts.items() if len(own) > 1]:
        found.append(
            "Rows of these seeds start from different initial models, as those of several "
            f"machines may, and are paired less well: {', '.join(several)}."
        )
    return (*found, *_moved(study, plan))


def _moved(study: StudyConfig, plan: Plan) -> tuple[str, ...]:
    """Return which seeds were for something else when they were measured, and what follows."""
    roles: dict[Role, set[str]] = {}
    for row in plan.known:
        if row.role != study.seeds.role(row.seed):
            roles.setdefault(row.role, set()).add(f"{row.set} {row.seed}")
    told: dict[Role, str] = {
        "choose": "These seeds chose when they were measured, and so do not count as tests",
        "test": "These seeds tested when they were measured, and choose now",
    }
    return tuple(
        f"{words}: {', '.join(sorted(roles[role]))}."
        for role, words in told.items()
        if role in roles
    )


def _unfinished(plan: Plan) -> str:
    """Return which seeds are not finished, of each set, and which were not begun."""
    begun = {(row.set, row.seed) for row in plan.known}
    parts = []
    for name, by_seed in plan.unfinished.items():
        words = [
            f"{seed} ({n:,} missing)" if (name, seed) in begun else f"{seed} (not begun)"
            for seed, n in sorted(by_seed.items())
        ]
        parts.append(f"{name}: {', '.join(words)}")
    return f"Unfinished seeds of {'; of '.join(parts)}."


def _software(folder: Path, plan: Plan) -> dict[str, str]:
    """Return the versions that rows were computed with, by their digest."""
    known = read_study(folder).software
    digests = dict.fromkeys(row.software for row in plan.known)
    return {
        digest: ", ".join(f"{name} {n}" for name, n in known.get(digest, {}).items())
        for digest in digests
    }
