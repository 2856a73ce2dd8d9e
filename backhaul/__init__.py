"""Bandwidth-aware active learning for object detectors.

Pure Python on arrays and tables, without Prefect or an object store: it also runs on a node.
"""

__version__ = "0.1.0"
