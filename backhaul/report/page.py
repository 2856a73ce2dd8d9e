"""Put the page together and write it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from backhaul.report import figures, pictures, tables, views, wording
from backhaul.report.figures import Figure
from backhaul.report.pictures import Album, RoundPictures
from backhaul.rundata import CONTROL, INIT, Run, read_run


@dataclass(frozen=True, slots=True)
class MethodSection:
    """What the page shows of one method: ids of its figures, and its pictures."""

    label: str
    colour: str
    note: str
    histograms: tuple[tuple[str, str], ...]
    losses: str
    rounds: tuple[RoundPictures, ...]


def write_report(run_folder: Path) -> Path:
    """Write `report.html` into a run's folder and return its path.

    The page needs nothing but itself: scripts, styles and pictures lie within. It is made from
    the files of the folder (and the images they name, where those are still there), and
    replaces an earlier page in one step.

    Raises:
        InputError: If the folder holds no record of a run.
    """
    page = _render(read_run(run_folder))
    target = run_folder / "report.html"
    draft = run_folder / f".report.{uuid.uuid4().hex}.html"
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


def _render(run: Run) -> str:
    labels = run.labels
    colours = figures.method_colours(labels)
    album = Album(run.folder)
    charts = _curves(run, colours)
    sections = tuple(_section(run, label, colours, album, charts) for label in labels)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template("template.html.j2").render(
        record=run.record,
        headline=wording.headline(run.summary, run.record),
        best=tables.best_method(run.summary),
        troubled={
            k: m for k, m in run.record.methods.items() if m.state in ("failed", "waiting")
        },
        metrics=figures.METRICS,
        methods=views.methods_table(run, colours),
        summary=views.summary_table(run.summary),
        old_start=wording.number(tables.initial(run.summary, test_set=tables.OLD)),
        forgetting=views.forgetting_table(run.summary, colours),
        classes=views.class_table(run, labels),
        balance=views.balance_table(run.rounds, run.record.class_names),
        sections=sections,
        thumbnails=album.used(),
        trainings=views.trainings_table(run.record.trainings, colours),
        timings=views.timings_table(run),
        config=yaml.safe_dump(run.record.config, sort_keys=False, allow_unicode=True),
        facts=views.facts(run),
        figures=charts,
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the installed package's own script
    )


def _curves(run: Run, colours: Mapping[str, str]) -> dict[str, Figure]:
    if tables.on(run.summary).empty:
        return {}
    return {
        "curve-images": figures.learning_curves(run.summary, "images", "images sent", colours),
        "curve-bytes": figures.learning_curves(run.summary, "bytes", "bytes sent", colours),
    }


def _section(
    run: Run, label: str, colours: Mapping[str, str], album: Album, charts: dict[str, Figure]
) -> MethodSection:
    """Return one method's section; its figures are added to `charts`."""
    key = f"method-{len(charts)}"
    rounds = [r for r in run.rounds if r.method == label]
    seen = tables.seen_by(rounds)
    histograms: tuple[tuple[str, str], ...] = ()
    if seen["detected"].notna().any():
        charts[f"{key}-sent"] = figures.pool_and_sent(seen, colours[label])
        charts[f"{key}-hits"] = figures.hits_and_misses(seen)
        histograms = (("pool and sent", f"{key}-sent"), ("hit and miss", f"{key}-hits"))
    logs = [(b, log) for (method, b), log in run.losses.items() if method in (INIT, label)]
    if logs:
        charts[f"{key}-loss"] = figures.losses(logs)
    return MethodSection(
        label=label,
        colour=colours[label],
        note=_seen_note(seen),
        histograms=histograms,
        losses=f"{key}-loss" if logs else "",
        rounds=_pictures(run, label, album) if label != CONTROL else (),
    )


def _seen_note(seen: Any) -> str:
    detections = seen["detected"].notna()
    sent, hits = int((detections & seen["sent"]).sum()), int(seen["hit"].eq(True).sum())
    known, missed = seen.loc[detections, "hit"].notna().any(), int((~detections).sum())
    text = f"{wording.plural(int(detections.sum()), 'detection')}, {sent:,} on images sent"
    if known:
        text += f"; {wording.plural(hits, 'hit')}, {missed:,} objects missed"
    return text


def _pictures(run: Run, label: str, album: Album) -> tuple[RoundPictures, ...]:
    shown = pictures.shown_rounds(r for r in run.rounds if r.method != CONTROL)
    each = pictures.per_side(len(shown))
    return tuple(pictures.round_pictures(r, album, each) for r in shown if r.method == label)
