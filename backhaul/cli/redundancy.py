"""`backhaul redundancy`: do the frames of these cameras repeat, and will choosing help?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from backhaul.cli.data import progress
from backhaul.sampling.diversity.duplicates import NEAR
from backhaul.untrusted import user_path

if TYPE_CHECKING:
    from backhaul.redundancy.summary import Summary

CONF_THRES = 0.25
"""What a box must exceed to be an object: lower ones see something everywhere."""


def redundancy(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Frames, as FOLDER/NODE/NAME or FOLDER/NAME."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint (.pt) that says which frames are empty.", show_default="none"
        ),
    ] = None,
    conf: Annotated[
        float,
        typer.Option(min=0, max=1, help="Confidence above which the model sees something."),
    ] = CONF_THRES,
    near: Annotated[
        float, typer.Option(min=0, help="Distance up to which frames are near-duplicates.")
    ] = NEAR,
    strip: Annotated[
        Path | None,
        typer.Option(help="PNG to write: all bursts in time, with the first frame of each."),
    ] = None,
    gain_map: Annotated[
        Path | None,
        typer.Option(help="A gain map of one's own, as CSV.", show_default="the package's"),
    ] = None,
    output: Annotated[
        Literal["text", "json"],
        typer.Option("--format", help="text: to read; json: all of it."),
    ] = "text",
) -> None:
    """Measure how much unlabelled frames repeat, and say whether choosing will help.

    It needs no labels and no campaign, and writes nothing into the folder. Frames are taken in
    the order of their names, node by node: a node is a folder right below FOLDER.

    [bold]Examples[/bold]

      backhaul redundancy ~/frames

      backhaul redundancy ~/frames --model runs/first/best.pt --strip frames.png
    """
    from backhaul.redundancy.emptiness import emptiness_of
    from backhaul.redundancy.frames import read_frames
    from backhaul.redundancy.gainmap import PLACE, read_gain_map
    from backhaul.redundancy.strip import write_strip
    from backhaul.redundancy.summary import summary_of

    known = read_gain_map(PLACE if gain_map is None else user_path(gain_map))
    with progress() as bar:
        frames = read_frames(user_path(folder), bar("describing frames"))
        empty = None
        if model is not None:
            looking = bar("looking for objects")
            empty = emptiness_of(frames, user_path(model), conf, looking)
    summary = summary_of(frames, near, empty, known)
    for problem in summary.unreadable:
        typer.echo(f"warning: {problem}", err=True)
    typer.echo(_json(summary) if output == "json" else _text(summary))
    if strip is not None:
        write_strip(frames, near, user_path(strip))
        typer.echo(f"strip: {strip}", err=True)


def _text(summary: Summary) -> str:
    from backhaul.redundancy.summary import lines_of

    lines = list(lines_of(summary))
    width = max(len(word) for word, _ in lines) + 2
    return "\n".join(f"{word:<{width}}{text}" for word, text in lines)


def _json(summary: Summary) -> str:
    from backhaul.redundancy.summary import help_in_words

    method, why = summary.decision
    gains = summary.gain_map
    content: dict[str, Any] = {
        "folder": summary.folder,
        **asdict(summary.everything),
        "nodes": {node: asdict(own) for node, own in summary.nodes.items()},
        "unreadable": summary.unreadable,
        "emptiness": summary.emptiness and asdict(summary.emptiness),
        "choosing": {
            "help": help_in_words(summary),
            "expected": [asdict(each) for each in summary.expected],
            "study": gains and gains.points[0].study,
        },
        "auto": {"method": method.model_dump(mode="json"), "why": why},
    }
    return json.dumps(content, indent=2)
