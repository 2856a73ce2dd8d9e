"""A reader of what comes from outside, as the fuzzer drives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from numpy.random import Generator

from fuzzing.mutation import mutate
from fuzzing.tree import Tree

Read: TypeAlias = Callable[[Path], Iterable[str]]


@dataclass(frozen=True)
class Reader:
    """A reader, and the valid inputs that mutations start from.

    Args:
        name: Its name in the table.
        seeds: Makes a valid input, an other one each time.
        read: Reads the input in a folder. It returns what the reader says of it, nothing where
            all is accepted, or raises `InputError` where it is refused as a whole. Anything
            else that it raises is a fault.
        mutate: Changes an input.
    """

    name: str
    seeds: Callable[[Generator], Tree]
    read: Read
    mutate: Callable[[Tree, Generator], Tree] = mutate
