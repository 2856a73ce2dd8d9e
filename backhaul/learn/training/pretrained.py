"""The weights of a trained detector, for trainings on other classes to start from."""

from __future__ import annotations

import io
from pathlib import Path

from backhaul.look.checkpoints import open_checkpoint


def pretrained_bytes(checkpoint: Path) -> bytes:
    """Return a file for `training.model` with the weights of a checkpoint in half precision.

    Where the classes are others, Ultralytics takes all layers but those whose shape depends on
    their number. Equal weights give equal bytes: a checkpoint also holds where it was trained.

    Args:
        checkpoint: Checkpoint of Ultralytics' format.

    Raises:
        InputError: If it is none.
    """
    import torch

    model = open_checkpoint(checkpoint, trust=False).half()
    model.args, model.pt_path, model.criterion = {}, None, None
    target = io.BytesIO()  # a file's own name would become part of it
    torch.save({"epoch": -1, "model": model}, target)
    return target.getvalue()
