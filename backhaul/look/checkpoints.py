"""Checkpoint files: their digests, and how they are loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.errors import InputError
from backhaul.look.libraries import isolate_libraries


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_digest(model: Any) -> str:
    """Return the SHA-256 of a model's architecture and sorted tensor names, shapes and bytes.

    The file cannot serve: it holds the date on which it was written.
    """
    digest = hashlib.sha256(json.dumps(model.yaml, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        values = np.ascontiguousarray(tensor.detach().cpu().half().numpy())
        digest.update(f"{name}{values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def load_model(path: Path, class_names: tuple[str, ...], sha256: str | None = None) -> Any:
    """Return the float32 model in a checkpoint file, in evaluation mode, on the CPU.

    Args:
        path: Checkpoint of Ultralytics' format.
        class_names: The classes it must have been trained on.
        sha256: Digest it must have; None = any.

    Raises:
        InputError: If the file is no checkpoint, has other classes, or another digest.
    """
    isolate_libraries()
    from ultralytics.nn.tasks import load_checkpoint

    try:
        model, _ = load_checkpoint(path)
    except Exception as error:  # whatever a broken pickle raises
        raise InputError(f"{path}: not a checkpoint: {error}") from error
    names = tuple(model.names[i] for i in sorted(model.names))
    if names != class_names:
        raise InputError(f"{path}: trained on classes {names}, expected {class_names}")
    if sha256 is not None and model_digest(model) != sha256:
        raise InputError(f"{path}: content does not match its digest {sha256[:12]}")
    return model
