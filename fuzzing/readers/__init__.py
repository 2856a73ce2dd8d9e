"""All readers of what comes from outside, as the fuzzer drives them."""

from __future__ import annotations

from fuzzing.reader import Reader
from fuzzing.readers import (
    configs,
    datasets,
    enrolled,
    images,
    inboxes,
    measured,
    predictions,
    published,
    runs,
)

READERS: tuple[Reader, ...] = (
    *datasets.READERS,
    *configs.READERS,
    *inboxes.READERS,
    *runs.READERS,
    *images.READERS,
    *predictions.READERS,
    *measured.READERS,
    *published.READERS,
    *enrolled.READERS,
)
