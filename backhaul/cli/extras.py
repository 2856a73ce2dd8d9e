"""Which extra of the package a library comes with that is not installed."""

from __future__ import annotations

EXTRAS = {
    "train": (
        "aiohttp",
        "albumentations",
        "botocore",
        "cv2",
        "faster_coco_eval",
        "fsspec",
        "iterstrat",
        "onnx",
        "onnxruntime",
        "psutil",
        "pyarrow",
        "s3fs",
        "sklearn",
        "tenacity",
        "tensorboard",
        "torch",
        "torchvision",
        "ultralytics",
    ),
    "node": ("httpcore", "tuf"),
    "report": ("jinja2", "markupsafe", "matplotlib", "plotly", "scipy"),
    "server": ("cryptography", "httpx", "packaging", "prefect"),
    "mlflow": ("mlflow",),
}
"""Names of top-level modules, by the extra that installs them."""


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return what to install for a module that is missing; None if no extra has it."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return (
                f"this command needs {module}, which comes with the extra {extra}: "
                f"pip install 'backhaul[{extra}]'"
            )
    return None
