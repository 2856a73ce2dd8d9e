"""What holds for the images that any campaign like `TINY` sends."""

from typing import Any


def check_what_was_sent(run: Any, bandwidth: int) -> None:
    """Each method sends as many images of its batches as it may, each once, and splits them."""
    table = run.summary.set_index(["method", "batch"]).sort_index()
    for method in run.json["methods"]:
        for batch, epoch in ((0, 3), (1, 4)):
            sent = run.listed(f"{method}{batch}_sample_{epoch}.txt")
            arrived = run.listed(f"sample{batch}.txt")
            assert len(arrived) == 12
            assert len(sent) == len(set(sent)) <= bandwidth
            assert set(sent) <= set(arrived)
            assert len(sent) == (0 if method == "no-new-data" else bandwidth)
            split = [
                name
                for part in ("train", "valid", "test")
                for name in run.listed(f"{method}{batch}_{part}.txt")
            ]
            assert sorted(split) == sorted(sent)
            row = table.loc[(method, batch)].iloc[0]
            assert row["images_sent"] == len(sent)
            assert row["samples_transfer_ratio"] == len(sent) / 12
            assert row["images_sent_total"] == len(sent) * (batch + 1)
