"""Names of the records about labels that annotators gave: a part of the layout of a store."""

from __future__ import annotations

from backhaul.layout import RunFiles


def labelled_folder(files: RunFiles) -> str:
    """Return the folder of where the labels of a run came from, a record a round."""
    return f"{files.records}/labelled"


def labelled_place(files: RunFiles, prefix: str) -> str:
    """Return the address of where the labels of a round came from."""
    return f"{labelled_folder(files)}/{prefix}.json"


def exported_place(files: RunFiles) -> str:
    """Return the address of which boxes images of a run were exported with."""
    return f"{files.records}/exported.json"


def project_place(files: RunFiles) -> str:
    """Return the address of what a run knows of its project in a labelling service."""
    return f"{files.records}/annotation.json"
