"""All that is known of a folder of frames: its measures, and what choosing would do there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backhaul.redundancy.emptiness import Emptiness
from backhaul.redundancy.frames import Frames
from backhaul.redundancy.gainmap import Expected, GainMap
from backhaul.redundancy.measures import Measures, measures_of
from backhaul.sampling.auto import AutoSampling, Decision, Traits
from backhaul.sampling.diversity.duplicates import NEAR
from backhaul.untrusted import one_line


@dataclass(frozen=True)
class Summary:
    """What frames are like, and whether choosing among them can win.

    Args:
        folder: The folder.
        near: Distance of descriptors up to which two frames are near-duplicates.
        everything: Measures of all frames together.
        nodes: Measures of the frames of each node, by its name.
        unreadable: What is wrong with each image that was left out.
        emptiness: In what part of them a model sees nothing; None without a model.
        gain_map: What choosing won where it was measured; None before it was.
    """

    folder: str
    near: float
    everything: Measures
    nodes: dict[str, Measures]
    unreadable: tuple[str, ...]
    emptiness: Emptiness | None
    gain_map: GainMap | None

    @property
    def decision(self) -> Decision:
        """The method that `auto` would choose for these frames, were their bytes limited."""
        share = None if self.emptiness is None else self.emptiness.share
        measured = self.everything
        return AutoSampling(near=self.near).decide(
            Traits(measured.redundancy, share, measured.unevenness)
        )

    @property
    def expected(self) -> tuple[Expected, ...]:
        """What choosing would win: one value, or one for each share of empties it may have.

        None at all where there is no map, where near-duplicates are others than those that it
        was measured with, or where these frames lie outside of it.
        """
        if self.gain_map is None or self.near != NEAR:
            return ()
        if self.emptiness is None:
            return self.gain_map.at_any_empty(self.everything.redundancy)
        one = self.gain_map.at(self.everything.redundancy, self.emptiness.share)
        return () if one is None else (one,)


def summary_of(
    frames: Frames, near: float, emptiness: Emptiness | None, gain_map: GainMap | None
) -> Summary:
    """Return what is known of frames, at least one.

    Args:
        frames: The frames.
        near: Distance of descriptors up to which two are near-duplicates.
        emptiness: In what part of them a model sees nothing; None without a model.
        gain_map: What choosing won where it was measured; None before it was.
    """
    return Summary(
        folder=str(frames.root),
        near=near,
        everything=measures_of(frames, near),
        nodes={
            node: measures_of(frames.of_node(node), near)
            for node in dict.fromkeys(frames.nodes)
        },
        unreadable=frames.unreadable,
        emptiness=emptiness,
        gain_map=gain_map,
    )


def help_in_words(summary: Summary) -> str:
    """Return whether choosing will help here, and by about how much."""
    gains = summary.gain_map
    if gains is None:
        return "not known: there is no gain map yet (configs/studies/gainmap.yaml measures it)"
    if summary.near != NEAR:
        return f"not known: the gain map was measured with near-duplicates up to {NEAR:g} apart"
    if not summary.expected:
        return _outside(summary, gains)
    if summary.emptiness is None and len(summary.expected) < len(gains.empty):
        return (
            "not known without a model (--model): where so many frames repeat, it was measured "
            f"for {len(summary.expected)} of {len(gains.empty)} shares of empty frames alone"
        )
    low, high = (f(_ends(summary.expected)) for f in (min, max))
    means = sorted(each.gain for each in summary.expected)
    about = f"{means[0]:+.3f} mAP50"
    if len(means) > 1:
        about = f"{means[0]:+.3f} to {means[-1]:+.3f} mAP50, by how many frames are empty,"
    told = f"about {about} over a random choice [{low:+.3f}, {high:+.3f}]"
    word = "yes" if low > 0 else "no" if high < 0 else "not shown"
    return f"{word}: {told}, as measured in {gains.points[0].study}"


def _ends(expected: tuple[Expected, ...]) -> list[float]:
    return [end for each in expected for end in (each.low, each.high)]


def _outside(summary: Summary, gains: GainMap) -> str:
    share = None if summary.emptiness is None else summary.emptiness.share
    if share is not None and not gains.empty[0] <= share <= gains.empty[-1]:
        known = f"{gains.empty[0]:.0%} to {gains.empty[-1]:.0%} of empty frames"
    else:
        every = [gains.within(each) for each in ([share] if share is not None else gains.empty)]
        known = (
            f"{min(low for low, _ in every):.0%} to {max(h for _, h in every):.0%} of repeats"
        )
    return f"not known: outside of what was measured, which is {known}"


def lines_of(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield what there is to say, as a word and a sentence each."""
    every = summary.everything
    left_out = f"; {len(summary.unreadable)} unreadable, left out" if summary.unreadable else ""
    nodes = f" of {len(summary.nodes)} nodes" if len(summary.nodes) > 1 else ""
    yield "frames", f"{every.frames:,}{nodes}, {_kb(every.total_bytes)}{left_out}"
    yield from _repeats(every)
    yield "empty", _empty(summary.emptiness)
    quartiles = ", ".join(map(_kb, every.bytes_quartiles))
    yield "bytes", f"quartiles {quartiles}; the upper is {every.unevenness:.2f} x the lower"
    light = ", ".join(f"{value:.2f}" for value in every.lightness_quartiles)
    yield "lightness", f"quartiles {light} (0 = black, 1 = white)"
    if len(summary.nodes) > 1:
        for node, own in summary.nodes.items():
            told = "; ".join(text for _, text in _repeats(own))
            yield one_line(node) or "(no folder)", f"{own.frames:,} frames; {told}"
    yield "choosing", help_in_words(summary)
    yield "auto", summary.decision.why


def _repeats(measured: Measures) -> Iterator[tuple[str, str]]:
    """Yield the lines about what repeats."""
    bursts = measured.bursts
    least, median, most = bursts.lengths
    told = f"{bursts.number} of {least} to {most} frames (median {median:g})"
    yield "bursts", f"{told}, {bursts.share:.0%} of all frames" if bursts.number else "none"
    repeated = f"{measured.redundancy:.0%} are near-duplicates of an earlier frame"
    yield "scenes", f"{measured.scenes:,} distinct; {repeated}"


def _empty(found: Emptiness | None) -> str:
    if found is None:
        return "not known without a model (--model)"
    return f"{found.share:.0%}, in which {found.model} sees nothing above {found.conf_thres:g}"


def _kb(n_bytes: float) -> str:
    return f"{n_bytes / 1000:,.1f} kB"
