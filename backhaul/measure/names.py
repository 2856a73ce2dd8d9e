"""Names of metrics, and of the columns of tables that hold them."""

from __future__ import annotations

SCORES = ("prec", "recall", "acc", "conf", "conf_std", "detect_conf_std", "mAP50", "mAP50-95")
"""How good one model is on one set of images."""

COUNTS = ("n_images", "n_truths", "n_detections")
"""What it was measured on."""

METRICS = (*SCORES, *COUNTS)
"""All that is measured of one model."""

OF_ENSEMBLE = ("prec", "recall", "acc", "conf", "conf_std")
"""What is measured of an ensemble as well, under ``ensemble_<name>``."""

ENSEMBLE_SCORES = tuple(f"ensemble_{name}" for name in OF_ENSEMBLE)

RANKED = ("mAP50", "mAP50-95", *SCORES[:-2])
"""The scores, those first by which methods are ranked."""

SENT = ("images_sent_total", "bytes_sent_total")
"""What a method has sent so far."""

OF_LINK = (
    *("wire_bytes", "resent_bytes", "link_busy_s", "last_arrival_s", "images_late"),
    *("model_bytes", "model_s", "round_s"),
)
"""What went over the link in a round; columns of runs whose campaign has one."""

OF_NODES = (
    *("frames_seen", "frames_chosen", "frames_sent", "frames_displaced", "frames_suppressed"),
    *("frame_bytes_seen", "frame_bytes_sent", "node_up_bytes", "node_down_bytes"),
    *("psi_confidence", "psi_classes"),
)
"""What nodes told while a batch came together; columns of arms of what arrived."""

OF_EXPLORED = (
    "explored_images",
    *("explored_prec", "explored_prec_half_width"),
    *("explored_recall", "explored_recall_half_width"),
)
"""What frames that chance drew say of all frames; columns of arms of what arrived."""

KEYS = ("method", "batch", "test_set")
"""What tells the rows of a summary apart."""

SUMMARY_NUMBERS = (
    *("images_sent", "bytes_sent", *SENT),
    *("samples_transfer_ratio", "mean_bytes_sent", "mean_bytes_pool"),
    *("epochs_trained", "epoch"),
    *OF_LINK,
    *OF_NODES,
    *OF_EXPLORED,
    *(*SCORES, *ENSEMBLE_SCORES, *COUNTS),
)
"""Columns of a summary, beside `KEYS`."""

CLASS_NUMBERS = ("prec", "recall", "acc", "conf", "conf_std", "mAP50", "mAP50-95", "n_truths")
"""Columns of a table by class, beside `KEYS` and ``class``, that a report shows."""
