"""Groups of commands that import a command's module when it is called, not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is not imported yet.

    Args:
        target: Where its function, or its group, is, as ``module:attribute``.
        summary: What it does, in a line: the first one of its own help.
        command_class: How its arguments are parsed, as ``module:Class``; None as usual.
    """

    target: str
    summary: str
    command_class: str | None = None


class LazyGroup(TyperGroup):
    """A group whose help is written, and whose commands are found, by a table."""

    entries: ClassVar[Mapping[str, Entry]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, in the order of the table."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what stands for a command in the help of its group; None if there is none."""
        entry = self.entries.get(cmd_name)
        return None if entry is None else TyperCommand(cmd_name, help=entry.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name, the command itself, and what is left of the arguments."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load(name, self.entries[name]), rest


def lazy(help: str, entries: Mapping[str, Entry]) -> typer.Typer:  # noqa: A002 - typer's word
    """Return an app of commands that are imported when they are called."""
    group = type("Group", (LazyGroup,), {"entries": entries})
    return typer.Typer(
        name="backhaul",
        cls=group,
        help=help,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )


def load(name: str, entry: Entry) -> Any:
    """Return a command of the table, imported now."""
    found = _attribute(entry.target)
    if isinstance(found, typer.Typer):
        group = typer.main.get_group(found)
        group.name = name
        return group
    own = typer.Typer(
        add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False
    )
    kind = None if entry.command_class is None else _attribute(entry.command_class)
    own.command(name, cls=kind)(found)
    return typer.main.get_command(own)


def _attribute(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
