"""Bandwidth-aware active learning for object detectors.

Pure Python on arrays and tables, without Prefect or an object store: it also runs on a node.
"""

import os

__version__ = "0.1.0"

os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "1")  # read by Ultralytics at its import, once
