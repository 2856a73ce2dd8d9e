"""Put the page together and write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from backhaul.campaign.view import write_csv
from backhaul.layout import INITIAL, View
from backhaul.measure.names import RANKED
from backhaul.measure.statistics import Estimates, estimates
from backhaul.report import curves, figures, overview, tables, views, wording
from backhaul.report.campaign import Campaign
from backhaul.report.findings import show_findings
from backhaul.report.fleetnow import FIGURE, fleet_figure, fleet_table
from backhaul.report.modelpage import write_card_pages
from backhaul.report.models import FIGURE as MODELS_FIGURE
from backhaul.report.models import gain_figure, timeline_table, versions_table
from backhaul.report.pictures import SHEET_BYTES, SIDE_PX, Album
from backhaul.report.plot import Figure, method_colours
from backhaul.report.sections import method_section
from backhaul.report.sent import SentImages, all_sent, sent_section
from backhaul.report.sheets import MEANINGS
from backhaul.report.shrinking import Fetch
from backhaul.report.templates import environment
from backhaul.storage.objects import exists_at, replace


def write_report(campaign: Campaign, fetch: Fetch | None = None) -> str:
    """Write the page of a run, or of several seeds, and return where it lies.

    ``sent.csv``, what each method sent of each batch, is written beside it, and a page for the
    card of each version of the run's model.
    The page needs nothing but itself: scripts, styles and pictures lie within. Images are shown
    where they are still there. It replaces an earlier page in one step. That of several seeds
    shows means and intervals, and leads to the pages of the seeds that are there.

    Args:
        campaign: What it shows.
        fetch: Reads images in object stores; None = the page shows none of them.
    """
    view = View(campaign.place)
    if campaign.models is not None:
        write_card_pages(campaign.models, view)
    sent = all_sent(campaign, fetch)
    write_csv(view.table("sent"), sent.counts)
    replace(view.page, _render(campaign, sent, fetch).encode())
    return view.page


def _render(campaign: Campaign, sent: SentImages, fetch: Fetch | None) -> str:
    summary, labels = campaign.summary, campaign.labels
    colours = method_colours(labels)
    folder = Path(campaign.runs[0].place)
    album, frames = Album(folder, fetch), Album(folder, fetch, SHEET_BYTES, SIDE_PX, "frame")
    compared = tables.comparison(summary, random=campaign.random_label)
    forgetting = tables.forgetting(summary)
    timings = [t for run in campaign.runs for t in run.timings]
    times = tables.stage_times(timings)
    old = estimates(tables.initial(summary, tables.OLD), ["method"], ["mAP50"])
    charts = _common_charts(summary, old, forgetting, colours)
    if len(times):
        by_method = tables.time_by_method(timings)
        charts["times"] = figures.stage_times(by_method, times["cached_seconds"], colours)
    if (by_hour := fleet_figure(campaign.fleet)) is not None:
        charts[FIGURE] = by_hour
    if campaign.models is not None and (gain := gain_figure(campaign.models)) is not None:
        charts[MODELS_FIGURE] = gain
    sections = tuple(
        method_section(campaign, label, colours[label], album, charts) for label in labels
    )
    found, problems = show_findings(campaign.findings, colours, charts)
    batches = [each for run in campaign.runs for each in run.batches]
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            name=campaign.name,
            state=campaign.state,
            seeds=campaign.seeds,
            several=len(campaign.runs) > 1,
            seed_pages=_seed_pages(campaign),
            headline=wording.headline(summary, campaign.random_label),
            tiles=overview.tiles(compared, campaign.random_label),
            played=overview.played(campaign),
            reading=overview.reading_help(campaign),
            best=tables.best_method(compared),
            troubled=campaign.troubled,
            metrics=RANKED,
            methods=views.methods_table(
                compared, campaign.random_label, colours, n_seeds=len(campaign.runs)
            ),
            summary=views.summary_table(summary),
            over_link=views.link_table(tables.over_link(summary), colours),
            by_nodes=views.nodes_table(tables.by_nodes(summary), colours),
            fleet=fleet_table(campaign.fleet),
            fleet_moment="" if campaign.fleet is None else campaign.fleet.moment,
            models=campaign.models and versions_table(campaign.models),
            timeline=campaign.models and timeline_table(campaign.models),
            old_start=_old_start(old),
            forgetting=views.forgetting_table(forgetting, colours),
            classes=views.class_table(
                tables.per_class(campaign.classes), campaign.class_names, labels
            ),
            balance=views.balance_table(batches, campaign.class_names),
            sections=sections,
            findings=found,
            finding_problems=problems,
            sent=sent_section(
                campaign,
                sent,
                colours,
                lambda file: album.thumbnails.get(file) or frames.thumbnail(file),
            ),
            meanings=MEANINGS,
            thumbnails=album.used,
            frames=frames.used,
            trainings=views.trainings_table(campaign, colours),
            proportions=views.proportions_table(campaign, colours),
            timings=views.timings_table(times),
            config=yaml.safe_dump(campaign.config, sort_keys=False, allow_unicode=True),
            provenance=overview.provenance(campaign),
            figures=charts,
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - the installed package's own script
        )
    )


def _common_charts(
    summary: pd.DataFrame, old: Estimates, forgetting: Estimates, colours: Mapping[str, str]
) -> dict[str, Figure]:
    charts = {}
    if len(tables.on(summary)):
        points = tables.curves(summary)
        for key, unit, title in (
            ("curve-images", "images_sent_total", "images sent"),
            ("curve-bytes", "bytes_sent_total", "bytes sent"),
        ):
            charts[key] = curves.learning_curves(points, unit, title, colours)
    if len(forgetting.mean):
        charts["old-test"] = curves.old_test(old, forgetting, colours)
        charts["forgetting"] = curves.forgetting(forgetting, colours)
    return charts


def _old_start(start: Estimates) -> str:
    """Return the initial model's mAP50 on the old test set."""
    if INITIAL not in start.mean.index:
        return wording.NONE
    return wording.plus_minus(*start.at(INITIAL, "mAP50"))


def _seed_pages(campaign: Campaign) -> tuple[tuple[int, str, str], ...]:
    """Return seed, state and address of the page of each seed, empty if it has none yet."""
    if len(campaign.runs) == 1:
        return ()
    return tuple(
        (
            seed,
            run.state,
            _page_of(run.place),
        )
        for seed, run in zip(campaign.seeds, campaign.runs, strict=True)
    )


def _page_of(place: str) -> str:
    """Return the address of the page of a seed, from the folder above; empty without one."""
    page = View(place).page
    return "/".join(page.split("/")[-2:]) if exists_at(page) else ""
