"""`backhaul validate`: is a campaign right, before anything starts?"""

from __future__ import annotations

from pathlib import Path

import typer

from backhaul.cli.options import ConfigFile, Overrides, read_config
from backhaul.data.settings import FolderData
from backhaul.errors import InputError


def validate(config: ConfigFile, settings: Overrides = None) -> None:
    """Check a campaign's keys, values, data folder and user code, and say what it would do.

    [bold]Example[/bold]

      backhaul validate configs/quickstart.yaml --set bandwidth.images=10
    """
    campaign = read_config(config, settings)
    data = campaign.data
    if isinstance(data, FolderData) and "://" not in data.root and not Path(data.root).is_dir():
        raise InputError(f"{config}: data.root: no folder at {data.root}")
    bandwidth = [
        f"{limit} {unit}"
        for limit, unit in (
            (campaign.bandwidth.images, "images"),
            (campaign.bandwidth.bytes, "bytes"),
        )
        if limit is not None
    ]
    typer.echo(f"{config}: valid")
    typer.echo(f"  methods    {', '.join(arm.label for arm in campaign.arms)}")
    typer.echo(f"  bandwidth  {' and '.join(bandwidth)} a batch")
    typer.echo(f"  detector   {campaign.training.model}, {campaign.training.img_size} px")
    typer.echo(f"  run        runs/{campaign.name}")
