"""What a Prefect server learns of a run's models: an event for each entry of their log."""

from __future__ import annotations

from prefect.events import emit_event

from backhaul.layout import RunFiles
from backhaul.registry.log import Entry, read_log
from backhaul.registrylayout import RegistryFiles
from flows.server.operation import MODEL


def tell_models(files: RunFiles, n_before: int) -> None:
    """Emit an event for what became of the versions of a run since its log had so many entries.

    Args:
        files: The files of the run.
        n_before: How many entries were told of before.
    """
    for entry in read_log(RegistryFiles(files))[n_before:]:
        if entry.version is not None:
            _tell(files.name, entry)


def _tell(run: str, entry: Entry) -> None:
    name = f"{run}@{entry.version}"
    said = f"{name}: {entry.kind}: {entry.reason}"
    if entry.kind == "awaiting":
        said += f"; decide by: backhaul models approve|reject {name}, or the deployment decide"
    emit_event(
        f"{MODEL}.{entry.kind}",
        {"prefect.resource.id": f"backhaul.run.{run}", "prefect.resource.name": run},
        payload={"version": entry.version, "by": entry.by, "text": said},
    )
