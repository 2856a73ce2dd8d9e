"""`backhaul methods`: what can be put under `methods:`."""

from __future__ import annotations

from typing import get_args

from rich.console import Console
from rich.table import Table

from backhaul.sampling import Method

NOT_SHOWN = {"kind", "label", "digest"}


def methods() -> None:
    """List the sampling methods with their parameters and defaults.

    [bold]Example[/bold]

      backhaul methods
    """
    table = Table("method", "sends", "parameters", title="Sampling methods")
    union, *_ = get_args(Method)
    for cls in get_args(union):
        fields = cls.model_fields
        parameters = [
            f"{name}={field.default!r}" if not field.is_required() else name
            for name, field in fields.items()
            if name not in NOT_SHOWN
        ]
        summary = (cls.__doc__ or "").strip().splitlines()[0]
        table.add_row(str(fields["kind"].default), summary, ", ".join(parameters))
    Console().print(table)
