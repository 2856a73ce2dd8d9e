"""What a node imports loads none of the libraries that a node has not."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOT_ON_A_NODE = (
    "pandas",
    "pyarrow",
    "fsspec",
    "s3fs",
    "sklearn",
    "scipy",
    "torch",
    "ultralytics",
    "matplotlib",
    "plotly",
    "prefect",
    "cv2",
    "botocore",
    "httpx",
)
MODULES = (
    "backhaul.link.exchange",
    "backhaul.link.state",
    "backhaul.data.recipes",
    "backhaul.data.sending",
    "backhaul.look.copies",
    "backhaul.look.descriptors",
    "backhaul.look.ensemble",
    "backhaul.look.fusion",
    "backhaul.look.look",
    "backhaul.look.modelfile",
    "backhaul.look.settings",
    "backhaul.sampling",
    "backhaul.sampling.nodes",
    "backhaul.uplink.backoff",
    "backhaul.uplink.once",
    "backhaul.uplink.opening",
    "backhaul.uplink.token",
    "backhaul.values.artifacts",
    "backhaul.values.bandwidth",
    "backhaul.values.checkpoints",
    "backhaul.values.detections",
    "backhaul.values.features",
    "backhaul.values.images",
    "backhaul.values.labels",
    "backhaul.values.localimages",
    "backhaul.values.offers",
    "backhaul.values.results",
    "backhaul.values.selections",
    "backhaul.values.splits",
    "backhaul.values.tables",
)
SELECTS = """
import numpy as np
from backhaul.look.fusion import fuse
from backhaul.sampling import IqrSampling
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections
from backhaul.values.offers import Offers, Pool
corners = np.array([[0.0, 0.0, 9.0, 9.0]] * 2)
seen = Detections(
    image_id=names_of("ab"), epoch=np.array([1, 1]), class_id=np.array([0, 1]),
    confidence=np.array([0.5, 0.7]), xyxy=corners,
)
pool = Pool(Offers.originals("abc", np.array([1, 2, 3])), fuse(seen, (1, 2), 0.5))
sent = IqrSampling().select(pool, Bandwidth(images=2), rng=np.random.default_rng(0))
assert len(sent) == 2
"""


@pytest.mark.parametrize(
    "code", ["".join(f"import {name}\n" for name in MODULES), SELECTS], ids=["import", "select"]
)
def test_nothing_is_loaded_that_a_node_has_not(code: str) -> None:
    told = f"import sys\nprint([n for n in {NOT_ON_A_NODE} if n in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code + told], check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == "[]"
