"""Check a user's checkpoint before a campaign starts from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backhaul.errors import InputError
from backhaul.learn.settings import Training
from backhaul.look.checkpoints import file_digest, load_model, model_digest, open_checkpoint
from backhaul.look.libraries import isolate_libraries


def checked_digest(path: Path, class_names: tuple[str, ...], training: Training) -> str:
    """Return a checkpoint's digest, if its classes and architecture are the campaign's.

    Args:
        path: Checkpoint of Ultralytics' format.
        class_names: The classes of the campaign.
        training: Settings that give the architecture.

    Raises:
        InputError: If it is no checkpoint, or has other classes or layers.
    """
    if training.detector is not None:
        return file_digest(path)  # only the user's class can look into it
    model = load_model(path, class_names, trust=training.trust)
    found, wanted = _shapes(model), _shapes(_model(training, class_names))
    if found != wanted:
        name = min(n for n in found.keys() | wanted.keys() if found.get(n) != wanted.get(n))
        raise InputError(
            f"{path}: is not a {training.model} (training.model): {name} has shape "
            f"{found.get(name)}, expected {wanted.get(name)}"
        )
    return model_digest(model)


def require_model(training: Training) -> None:
    """Do nothing if there are layers for the configured model.

    Raises:
        InputError: If it is no name that Ultralytics knows, or no file that may be loaded.
    """
    isolate_libraries()
    from ultralytics.nn.tasks import yaml_model_load

    from backhaul.learn.training.trainer import model_file

    file = model_file(training.model)
    if file.endswith(".pt"):
        open_checkpoint(Path(file), training.trust)
        return
    if "://" in file:
        raise InputError(f"{training.model}: expected a name or a file, not an address")
    try:
        yaml_model_load(file)
    except Exception as error:  # whatever Ultralytics raises for what it does not find
        raise InputError(
            f"{training.model}: expected a name that Ultralytics has layers for, such as "
            "yolo11n, or a file"
        ) from error


def _model(training: Training, class_names: tuple[str, ...]) -> Any:
    """Return a model with the configured architecture and arbitrary weights."""
    from ultralytics.nn.tasks import DetectionModel

    from backhaul.learn.training.trainer import model_file

    file = model_file(training.model)
    own = file.endswith(".pt")
    layers = open_checkpoint(Path(file), training.trust).yaml if own else file
    return DetectionModel(layers, nc=len(class_names), verbose=False)


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
