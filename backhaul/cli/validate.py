"""`backhaul validate`: is a campaign right, before anything starts?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.configfile import Settled, settle
from backhaul.campaign.triggers import described as triggers_in_words
from backhaul.cli.address import BLOCK
from backhaul.cli.extras import EXTRAS
from backhaul.cli.options import ConfigFile, Overrides, find_code_beside
from backhaul.cli.prefect import blocks_of, flows_at_hand, require_server
from backhaul.errors import InputError
from backhaul.link.wording import described

if TYPE_CHECKING:
    from backhaul.health.campaign import Fault
    from backhaul.learn.settings import Mixing

NEEDED = ("train", "report", "server")
"""Extras that a campaign needs."""


def validate(
    config: ConfigFile,
    settings: Overrides = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Look at keys, values and code alone, not at data, store and checkpoints.",
        ),
    ] = False,
) -> None:
    """Check all that a campaign names, as the run would, and say what it would do.

    Looks at keys, values, your code, lists, data sets, splits, checkpoints and the store,
    and names all problems at once, each with its key. Images are read, which may take as
    long as `backhaul data check`. Nothing is trained, and nothing is written but a probe
    in the store that is taken away again. Ends with exit code 2 if something is wrong.

    [bold]Examples[/bold]

      backhaul validate configs/quickstart.yaml --set bandwidth.images=10

      backhaul validate cars.yaml --set data.root=~/cars

      backhaul validate cars.yaml --quick
    """
    find_code_beside(config)
    settled = settle(config, tuple(settings or ()))
    wrong = list(settled.wrong)
    for fault in () if quick else _faults(settled):
        if fault.severity == "error":
            wrong.append(f"{config}: {fault}")
        else:
            typer.echo(f"warning: {config}: {fault}", err=True)
    if wrong:
        raise InputError("\n".join(dict.fromkeys(wrong)))
    _show(config, settled.config)


def _faults(settled: Settled) -> Iterator[Fault]:
    """Yield what is wrong with what the config names, and what this machine lacks."""
    from backhaul.health.faults import Fault, faults_of

    missing = {
        extra: [module for module in EXTRAS[extra] if find_spec(module) is None]
        for extra in NEEDED
    }
    for extra, modules in missing.items():
        if modules:
            text = f"a campaign needs {', '.join(modules)}: pip install 'backhaul[{extra}]'"
            yield Fault("installation", text)
    if missing["train"]:
        return
    from backhaul.cli.data import progress
    from backhaul.health.campaign import faults
    from backhaul.publication.needs import missing_for

    blocks: tuple[Fault, ...] = ()
    resolve: Callable[[str], str] = _without_server
    try:
        require_server(settled.config)
    except InputError as error:
        blocks = tuple(faults_of("execution", error))
    else:
        blocks, resolve = _blocks(settled.config)
    yield from blocks
    told = {fault.key for fault in blocks}
    with progress() as bar:
        for fault in faults(settled.config, settled.replaced, resolve, bar):
            if fault.key not in told:
                yield fault
    here = settled.config.execution == "local"
    yield from missing_for(settled.config.publish, here=here)


def _without_server(address: str) -> str:
    from backhaul.storage.addresses import absolute

    if address.startswith(BLOCK):
        raise InputError(f"{address}: lies on a Prefect server: set PREFECT_API_URL")
    return absolute(address)


def _blocks(config: CampaignConfig) -> tuple[tuple[Fault, ...], Callable[[str], str]]:
    """Return what is wrong with the blocks that a campaign names, and what finds addresses."""
    if not blocks_of(config):
        return (), _without_server
    with flows_at_hand():
        from blocks.label_source import LabelSource
        from blocks.label_studio import LabelStudio
        from blocks.opening import load_block, resolve
        from blocks.uplink import Uplink
    from backhaul.health.faults import faults_of

    wrong: list[Fault] = []
    source = getattr(config.data, "label_source", None)
    service = getattr(getattr(config.data, "annotation", None), "block", None)
    for key, kind, name in (
        ("uplink", Uplink, config.uplink),
        ("data.label_source", LabelSource, source),
        ("data.annotation.block", LabelStudio, service),
    ):
        try:
            block = None if name is None else load_block(kind, name)
            if isinstance(block, LabelSource):
                resolve(block.address)
        except InputError as error:
            wrong += faults_of(key, error)
    return tuple(wrong), resolve


def _show(config: Path, campaign: CampaignConfig) -> None:
    bandwidth = campaign.bandwidth
    limits = [
        f"{limit} {unit}"
        for limit, unit in (
            (bandwidth.images, "images"),
            (bandwidth.bytes, "bytes"),
        )
        if limit is not None
    ]
    typer.echo(f"{config}: valid")
    typer.echo(f"  methods    {', '.join(arm.label for arm in campaign.arms)}")
    each = ", for each node" if bandwidth.per_node else ""
    if limits:
        typer.echo(f"  bandwidth  {' and '.join(limits)} a batch{each}")
    if campaign.triggers is not None:
        typer.echo(f"  triggers   {triggers_in_words(campaign.triggers)}")
    if bandwidth.link is not None:
        typer.echo(f"  link       {described(bandwidth.link)}{each}")
    typer.echo(f"  detector   {campaign.training.model}, {campaign.training.img_size} px")
    if campaign.mixing.retrain_new == "auto":
        typer.echo(f"  mixing     {_mixing(campaign.mixing)}")
    typer.echo(f"  run        runs/{campaign.name}")


def _mixing(mixing: Mixing) -> str:
    """Return what choosing the fraction of new images takes."""
    listed = ", ".join(f"{share:g}" for share in mixing.candidates)
    cost = f"{len(mixing.candidates)} trainings of {mixing.trial_length:g} of a retraining"
    return f"retrain_new of {listed}, chosen at each batch by {cost}"
