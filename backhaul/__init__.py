"""Bandwidth-aware active learning for object detectors.

Pure Python on arrays and tables: no Prefect and no object storage, so that it also runs on a node.
"""

__version__ = "0.1.0"
