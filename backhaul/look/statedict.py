"""Checkpoints as plain weights, for programs that know the model but not Ultralytics."""

from __future__ import annotations

from pathlib import Path

from backhaul.look.checkpoints import load_model


def write_state_dict(
    source: Path,
    target: Path,
    class_names: tuple[str, ...],
    sha256: str,
    *,
    trust: bool = False,
) -> None:
    """Write the weights of a checkpoint, in single precision, as a file of PyTorch.

    ``torch.load(target, weights_only=True)`` gives a mapping of names to tensors.

    Args:
        source: Checkpoint of Ultralytics' format.
        target: File to write.
        class_names: The classes it must have been trained on.
        sha256: Digest it must have.
        trust: Whether its code may be run, see `load_model`.

    Raises:
        InputError: If `source` is no checkpoint, has other classes, or another digest.
    """
    import torch

    model = load_model(source, class_names, sha256, trust=trust)
    torch.save(dict(model.state_dict()), target)
