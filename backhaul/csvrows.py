"""Rows of one kind as CSV, read so that whatever a file holds, an error is one line."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from backhaul.errors import InputError
from backhaul.untrusted import one_line, read_text

R = TypeVar("R", bound=BaseModel)
_MORE = "too many values"


def read_rows(
    place: Path, kind: type[R], most_bytes: int, may_be_empty: Collection[str] = ()
) -> tuple[R, ...]:
    """Return the rows of a file whose columns are the fields of `kind`, in their order.

    Args:
        place: The file.
        kind: What a row is.
        most_bytes: Of the file.
        may_be_empty: Columns in which nothing stands for None.

    Raises:
        InputError: If it cannot be read, has other columns, or a value that a row cannot have,
            with the line.
    """
    lines = csv.DictReader(io.StringIO(read_text(place, most_bytes)), restkey=_MORE)
    try:
        if tuple(lines.fieldnames or ()) != tuple(kind.model_fields):
            raise InputError(f"{place}:1: expected the columns {', '.join(kind.model_fields)}")
        found = []
        for line in lines:
            given = {k: None if k in may_be_empty and v == "" else v for k, v in line.items()}
            found.append(kind.model_validate(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{place}:{lines.line_num}: {one_line('.'.join(map(str, first['loc'])))}"
        raise InputError(f"{where}: {one_line(first['msg'])}") from None
    except csv.Error as error:  # as of a value of more than 128 KiB
        raise InputError(f"{place}:{lines.line_num}: {one_line(str(error))}") from None
    return tuple(found)


def rows_as_csv(kind: type[R], rows: Iterable[R]) -> str:
    """Return rows as the text of a file that `read_rows` reads; None is empty."""
    target = io.StringIO()
    lines = csv.DictWriter(target, tuple(kind.model_fields), lineterminator="\n")
    lines.writeheader()
    lines.writerows(row.model_dump() for row in rows)
    return target.getvalue()
