"""`backhaul plan`: what will a campaign take, before it starts?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from backhaul.campaign.config import CampaignConfig
from backhaul.cli.options import ConfigFile, Overrides, read_config
from backhaul.cli.prefect import flows_at_hand

if TYPE_CHECKING:
    from backhaul.upkeep.link import LinkPlan
    from backhaul.upkeep.plan import Plan


def plan(
    config: ConfigFile,
    settings: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a campaign will take: trainings, time, bytes sent, and disk.

    Nothing is started and nothing is written. What is in the cache is followed as far as it
    goes; what comes after is counted as to be computed. Times are those of earlier rounds in
    the same store.

    [bold]Example[/bold]

      backhaul plan configs/quickstart.yaml --set bandwidth.images=30
    """
    campaign = read_config(config, settings)
    with flows_at_hand():
        from backhaul.upkeep.experience import experience_of
        from backhaul.upkeep.forecast import images_of, next_batch
        from backhaul.upkeep.link import planned_bandwidth
        from backhaul.upkeep.plan import free_bytes
        from backhaul.upkeep.plan import plan as planned
        from flows.arguments import opened
        from flows.rehearsal import rehearse
        from flows.uplinks import expected_bandwidth
    plans = []
    for each in map(opened, campaign.each_seed):
        known = rehearse(each)
        images = images_of(each, known.setting)
        bandwidth = expected_bandwidth(each, next_batch(each))
        sending = each.model_copy(update={"bandwidth": planned_bandwidth(each, bandwidth)})
        plans.append(planned(sending, images, known.rounds, known.stages, experience_of(each)))
    free = free_bytes(opened(campaign).store)
    if as_json:
        found = {"free_bytes": free, "plans": [each.model_dump() for each in plans]}
        typer.echo(json.dumps(found, indent=1))
    else:
        _show(campaign, plans, free)


def _show(campaign: CampaignConfig, plans: Sequence[Plan], free: int | None) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in (*_work(plans), *_room(plans, free), *_link(plans[0].link)):
        table.add_row(name, text)
    table.add_row("execution", _execution(campaign))
    console = Console(highlight=False)
    console.print(f"{campaign.name}, in {campaign.store}", markup=False)
    console.print(table)


def _work(plans: Sequence[Plan]) -> list[tuple[str, str]]:
    one = plans[0]
    about = "" if one.batches_counted else "about "
    rounds = f"{len(one.methods)} methods x {about}{one.batches} batches"
    ends = tuple(dict.fromkeys(stage for each in plans for stage in each.ends_at))
    cached = f"{sum(p.stages_cached for p in plans)} stages, "
    cached += f"{sum(p.rounds_cached for p in plans)} of {about}{sum(p.rounds for p in plans)}"
    cached += " rounds whole"
    if not any(each.stages_cached for each in plans):
        cached = "nothing"
    elif ends:
        cached += f"; unknown from {', '.join(ends)} on, and counted as to be computed"
    trainings = f"{sum(p.trainings for p in plans)} to run, with at most "
    trainings += f"{sum(p.epochs for p in plans)} epochs; "
    return [
        ("rounds", rounds + (f" x {len(plans)} seeds" if len(plans) > 1 else "")),
        ("methods", ", ".join(one.methods)),
        ("cached", cached),
        ("trainings", f"{trainings}{sum(p.trainings_cached for p in plans)} cached"),
        *_trials(plans),
        ("time", _time(plans)),
    ]


def _trials(plans: Sequence[Plan]) -> list[tuple[str, str]]:
    """Return the line on trials; none where nothing is chosen by them."""
    count, epochs = sum(p.trials for p in plans), sum(p.trial_epochs for p in plans)
    text = f"at most {count} short trainings that choose mixing.retrain_new, {epochs} epochs"
    return [("trials", text)] if count else []


def _time(plans: Sequence[Plan]) -> str:
    seconds = _sum(each.seconds for each in plans)
    if not any(each.trainings for each in plans):
        return "little: no training is to be run"
    if seconds is None:
        return "unknown: no run of this model and image size in this store yet"
    runs = dict.fromkeys(run for each in plans for run in each.seconds_from)
    return f"about {timedelta(seconds=round(seconds))} at most, by {', '.join(runs)}"


def _room(plans: Sequence[Plan], free: int | None) -> list[tuple[str, str]]:
    images = sum(each.images_sent for each in plans)
    checkpoints, copies = (
        _sum(each.checkpoint_bytes for each in plans),
        _sum(each.copy_bytes for each in plans),
    )
    disk = f"checkpoints {_size(checkpoints)}, copies of images {_size(copies)}"
    disk += ", at most; free: " + ("not asked" if free is None else decimal(free))
    if free is not None and (checkpoints or 0) + (copies or 0) > free:
        disk += " [bold red]TOO LITTLE[/]"
    sent = f"at most {images:,} images, {_size(_sum(p.bytes_sent for p in plans))}"
    return [("sent", sent), ("disk", disk)]


def _link(link: LinkPlan | None) -> list[tuple[str, str]]:
    """Return what the link carries, no row if there is none."""
    if link is None:
        return []
    mean = "" if link.mean_images is None else f", about {link.mean_images:,} images"
    limits = [
        "" if link.bytes is None else f"{decimal(link.bytes)}{mean}",
        "" if link.images is None else f"at most {link.images:,} images",
    ]
    carries = f"{' and '.join(filter(None, limits))} in the first {link.span}"
    model = "a new model: size unknown before the first training in this store"
    if link.model_bytes is not None and link.model_s is not None:
        takes = timedelta(seconds=round(link.model_s))
        model = f"a new model of {decimal(link.model_bytes)} takes {takes} down"
    return [("link", f"{link.link}: {carries}; {model}")]


def _execution(campaign: CampaignConfig) -> str:
    if campaign.execution == "local":
        return f"here, {campaign.parallel} methods side by side"
    where = f"queue {campaign.queue}" if campaign.queue else "whichever workers are free"
    return f"deployments initial-training and method, on {where}"


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value or 0 for value in known)


def _size(n_bytes: float | None) -> str:
    return "unknown" if n_bytes is None else decimal(round(n_bytes))
