"""What `backhaul models publish` and `rollback` know of the versions of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from backhaul.cli.person import user_name
from backhaul.cli.prefect import flows_at_hand, prepare_prefect
from backhaul.errors import InputError

if TYPE_CHECKING:
    from backhaul.layout import RunFiles
    from backhaul.publication.byhand import ByHand
    from backhaul.publication.publishing import NewModel
    from backhaul.registrylayout import RegistryFiles
    from backhaul.values.results import NodeModel


def order_of(
    files: RegistryFiles, key_folder: Path, days: float, group: str | None, reason: str = ""
) -> ByHand:
    """Return who decides on the versions of a run, by the options of a command.

    Raises:
        InputError: If the group is not the one that the versions of the run are for.
    """
    from backhaul.publication.byhand import ByHand
    from backhaul.publication.keys import read_keys
    from backhaul.publication.repository import Repository
    from backhaul.registry.decisions import MOST_REASON
    from backhaul.untrusted import one_line

    return ByHand(
        files=files,
        repository=Repository(files.run.root, read_keys(key_folder), days),
        group=_group_of(files.run, group),
        by=user_name(),
        reason=one_line(reason.strip(), MOST_REASON),
    )


def model_of_version(
    files: RegistryFiles, version: int, plain: Path | None, labelled: Path | None
) -> NewModel:
    """Return the model of a version; it is exported if it was not yet.

    Raises:
        InputError: If there are no probe images, or it loses too much by the export.
    """
    from backhaul.publication.newmodel import model_in_store
    from backhaul.publication.versions import name_in_release
    from backhaul.registry.cards import read_card
    from backhaul.registry.exports import exported_of

    card = read_card(files, version)
    exported = exported_of(files, card) or _export(files.run, version)
    name = name_in_release(files.run.name, version)
    return tell(model_in_store(exported, required_probe(plain), labelled, name))


def model_of_file(path: Path, plain: Path | None, labelled: Path | None) -> NewModel:
    """Return the model in a file that `backhaul export-model` wrote.

    Raises:
        InputError: If it is none, or there are no probe images.
    """
    from backhaul.publication.newmodel import model_in_file

    return tell(model_in_file(path, required_probe(plain), labelled, path.name))


def required_probe(plain: Path | None) -> Path:
    """Return the folder of probe images.

    Raises:
        InputError: If none is given.
    """
    if plain is None:
        raise InputError("--probe: expected a folder of images as the nodes have them")
    return plain


def tell(model: NewModel) -> NewModel:
    """Say what a model finds in its probe images, and return it."""
    from backhaul.publication.probing import f1_of, is_blind

    if is_blind(model.probe):
        typer.echo(
            "the model finds nothing in the probe images: nodes can only see that it runs"
        )
    if (score := f1_of(model.probe)) is not None:
        typer.echo(f"F1 on labelled probe images: {score:.2f}")
    return model


def require_all_nodes(version: str, cohort: float | None) -> None:
    """Refuse to publish a version by hand for a share of the nodes.

    The registry would say that all have it.

    Raises:
        InputError: If the share is less than all.
    """
    if cohort is not None and cohort < 1:
        raise InputError(
            f"--cohort {cohort:g}: {version} is a version of a run: expected 1; what hours "
            "publish goes to nodes by steps (publish.rollout of the run's config)"
        )


def _group_of(run: RunFiles, given: str | None) -> str:
    publish = _publish_of(run)
    own = str(publish.get("group", "all"))
    if given is not None and publish and given != own:
        raise InputError(
            f"--group {given}: the versions of {run.name} are for {own} (publish.group of its "
            f"config): expected {own}, or no --group"
        )
    return given or own


def _export(run: RunFiles, version: int) -> NodeModel:
    from backhaul.learn.export.settings import Export

    settings = _publish_of(run).get("export")
    wanted = Export() if settings is None else Export.model_validate(settings)
    prepare_prefect(run.root)
    with flows_at_hand():
        from flows.server.temporary import begin_temporary_server, use_temporary_server

        begin_temporary_server()  # it starts while the flows are imported
        from flows.export import export_version
    use_temporary_server()
    return export_version(run.view.folder, version, wanted)


def _publish_of(run: RunFiles) -> dict[str, Any]:
    """Return how the versions of a run reach nodes, as its config says."""
    from backhaul.campaign.runrecords import RunRecords

    publish = RunRecords(run).config.get("publish")
    return publish if isinstance(publish, dict) else {}
