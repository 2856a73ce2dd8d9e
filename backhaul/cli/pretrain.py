"""`backhaul pretrain`: a detector for others to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backhaul.cli.options import Overrides
from backhaul.cli.prefect import flows_at_hand, prepare_prefect
from backhaul.errors import InputError
from backhaul.study.studyfile import load_pretraining


def pretrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A pretraining, as YAML.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.pt", help="Where the weights go.")],
    settings: Overrides = None,
) -> None:
    """Train a detector on several data sets, for others to start from.

    Their classes are kept apart. Name the file as `training.model` of a campaign, or of a set
    of a study: with other classes, all layers but the last of each head begin as they are
    there. The same config gives the same file on the same machine.

    [bold]Example[/bold]

      backhaul pretrain configs/studies/pretraining.yaml others.pt
    """
    if file.suffix != ".pt":
        raise InputError(f"{file}: expected a name that ends in .pt")
    wanted = load_pretraining(config, tuple(settings or ()))
    prepare_prefect(wanted.store)
    with flows_at_hand():
        from flows.server.temporary import begin_temporary_server, use_temporary_server

        begin_temporary_server()  # it starts while the flows are imported
        from flows.pretraining import pretraining
    use_temporary_server()
    pretraining(wanted, file.as_posix())
    typer.echo(file)
