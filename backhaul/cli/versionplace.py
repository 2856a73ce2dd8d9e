"""The version of a run's model that a command was given: RUN@VERSION."""

from __future__ import annotations

from backhaul.cli.runplace import find_stored
from backhaul.errors import InputError
from backhaul.registry.history import history_of
from backhaul.registry.log import read_log
from backhaul.registrylayout import RegistryFiles


def registry_of(run: str) -> RegistryFiles:
    """Return the registry of the run that was given by name, folder or address.

    Raises:
        InputError: If there is no such run, or it came without its store.
    """
    return RegistryFiles(find_stored(run))


def find_version(given: str) -> tuple[RegistryFiles, int]:
    """Return the registry and the number of the version that was given.

    Args:
        given: ``RUN@VERSION`` with a number or an alias: champion, candidate, canary.

    Raises:
        InputError: If there is no such run, version or alias.
    """
    run, at, which = given.rpartition("@")
    if not at or not run:
        raise InputError(f"{given}: expected RUN@VERSION, for example runs/cars@3")
    files = registry_of(run)
    history = history_of(read_log(files))
    known = history.aliases | {str(number): number for number in history.states}
    if which not in known:
        there = ", ".join(known) or "none"
        raise InputError(f"{given}: no such version; there are: {there}")
    return files, known[which]
