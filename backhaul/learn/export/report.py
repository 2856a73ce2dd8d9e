"""What a person, and whoever publishes it, is told of an exported model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from backhaul.look.modelfile import ModelInfo
from backhaul.look.onnx import OnnxModel
from backhaul.storage.intact import sha256_of
from backhaul.storage.objects import read_bytes, read_value
from backhaul.values.images import ImageSet
from backhaul.values.results import NodeModel, Reevaluated, Remeasured

MODEL_FILE = "model.onnx"
CALIBRATION_FILE = "calibration.txt"
REPORT_FILE = "report.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(_Part):
    """A file beside the report.

    Args:
        sha256: Digest of its bytes.
        bytes: Its size.
    """

    sha256: str
    bytes: int


class Latency(_Part):
    """Time of a look at one image on one core, without decoding, in milliseconds."""

    p50_ms: float
    p95_ms: float


class Origin(_Part):
    """Which model of a run it is.

    Args:
        run: Name of the run that it was trained in.
        method: Label of the method, or ``init``.
        batch: Batch after which it was trained; None for the initial model.
    """

    run: str
    method: str
    batch: int | None


class ExportReport(_Part):
    """What was measured of a model before it left, as in ``report.json``.

    Args:
        schema_version: Version of the report's form.
        origin: Where it comes from.
        model: What its file says of itself.
        validation_images: On how many labelled validation images it was evaluated.
        map50: What each checkpoint reaches there, before and after the export.
        map50_drop: The most that any of them lost.
        max_drop: What it might have lost.
        latency: How long it looks at an image.
        files: The files beside the report, by name.
        versions: Versions of the libraries that made and measured it.
    """

    schema_version: Literal[1] = 1
    origin: Origin
    model: ModelInfo
    validation_images: int
    map50: tuple[Remeasured, ...]
    map50_drop: float
    max_drop: float
    latency: Latency
    files: dict[str, File]
    versions: dict[str, str]


def refusal(measured: Reevaluated, max_drop: float) -> str | None:
    """Return why a model must not leave; None if it may.

    Args:
        measured: What it does on validation images.
        max_drop: Most that mAP50 of any of its checkpoints may fall by.
    """
    worst = measured.worst
    if worst.drop <= max_drop:
        return None
    return (
        f"mAP50 of epoch {worst.epoch} falls from {worst.map50_before:.3f} to "
        f"{worst.map50_after:.3f} on {measured.n_images} validation images, by more than "
        f"{max_drop:g}: nothing is written"
    )


def write_export(
    model: NodeModel, measured: Reevaluated, origin: Origin, max_drop: float, folder: Path
) -> ExportReport:
    """Write a model, its calibration list and the report on both; all of them or nothing.

    Args:
        model: The model.
        measured: What it does on validation images.
        origin: Where it comes from.
        max_drop: Most that its mAP50 might fall by.
        folder: Where to write; new or empty.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as place:
        partial = Path(place) / "whole"
        partial.mkdir()
        (partial / MODEL_FILE).write_bytes(read_bytes(model.file))
        if model.calibration is not None:
            uris = read_value(ImageSet, model.calibration).table["uri"]
            (partial / CALIBRATION_FILE).write_text("".join(f"{uri}\n" for uri in uris))
        report = ExportReport(
            origin=origin,
            model=OnnxModel(partial / MODEL_FILE).info,
            validation_images=measured.n_images,
            map50=measured.checkpoints,
            map50_drop=measured.worst.drop,
            max_drop=max_drop,
            latency=Latency(p50_ms=measured.latency_p50_ms, p95_ms=measured.latency_p95_ms),
            files=_files(partial),
            versions=model.versions,
        )
        (partial / REPORT_FILE).write_text(f"{report.model_dump_json(indent=1)}\n")
        partial.rename(folder)
    return report


def _files(folder: Path) -> dict[str, File]:
    return {
        path.name: File(sha256=sha256_of(path), bytes=path.stat().st_size)
        for path in sorted(folder.iterdir())
    }
