"""Checkpoint files: their digests, and how they are loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.errors import InputError
from backhaul.look.libraries import isolate_libraries, require_safe_loading

_TASK = "detect"  # as Ultralytics calls it, beside segment, classify, pose and obb


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


def load_model(
    path: Path,
    class_names: tuple[str, ...],
    sha256: str | None = None,
    *,
    trust: bool = False,
) -> Any:
    """Return the float32 model in a checkpoint file, in evaluation mode, on the CPU.

    Args:
        path: Checkpoint of Ultralytics' format.
        class_names: The classes it must have been trained on.
        sha256: Digest of the model it must have; None = any. The bytes of a file from a store
            were checked before.
        trust: Whether the file may have classes that neither PyTorch nor Ultralytics has: its
            code is run.

    Raises:
        InputError: If the file is no checkpoint of a detector, has other classes, or another
            digest.
    """
    model = open_checkpoint(path, trust)
    if not isinstance(getattr(model, "names", None), dict):
        raise InputError(f"{path}: not a checkpoint: it names no classes")
    if (task := getattr(model, "task", _TASK)) != _TASK:
        raise InputError(f"{path}: is a model to {task}, expected one to {_TASK}")
    names = tuple(model.names[i] for i in sorted(model.names))
    if names != class_names:
        raise InputError(f"{path}: trained on classes {names}, expected {class_names}")
    if sha256 is not None and model_digest(model) != sha256:
        raise InputError(f"{path}: content does not match its digest {sha256[:12]}")
    return model


def open_checkpoint(path: Path, trust: bool) -> Any:
    """Return the model in a checkpoint file, whatever its classes, see `load_model`.

    Args:
        path: Checkpoint of Ultralytics' format.
        trust: Whether code in the file may be run.

    Raises:
        InputError: If the file is no checkpoint, or needs code that it may not run.
    """
    isolate_libraries()
    from ultralytics.nn import tasks

    if not trust:
        require_safe_loading()
    try:
        return _trusted(path) if trust else tasks.load_checkpoint(path)[0]
    except Exception as error:  # whatever a broken pickle raises
        unknown = "" if trust else _unknown_classes(path)
        raise InputError(f"{path}: not a checkpoint: {unknown or error}") from error


def _trusted(path: Path) -> Any:
    """Return what `load_checkpoint` does, with any classes."""
    from ultralytics.nn import tasks
    from ultralytics.utils import DEFAULT_CFG_DICT

    content, _ = tasks.torch_safe_load(path, safe_only=False)
    model = (content.get("ema") or content["model"]).float().eval()
    model.args = {**DEFAULT_CFG_DICT, **content.get("train_args", {})}
    return model


def _unknown_classes(path: Path) -> str:
    """Say which classes of a file are not loaded; empty if it is no file of PyTorch."""
    import torch

    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # whatever a broken pickle raises
        return ""
    libraries = ("torch.", "ultralytics.", "numpy.", "pathlib.")
    unknown = sorted(n for n in names if not n.startswith(libraries))
    if not unknown:
        return ""
    return (
        f"it needs code that is not Ultralytics' ({', '.join(unknown)}); if it is your own, "
        "set training.trust: true"
    )
