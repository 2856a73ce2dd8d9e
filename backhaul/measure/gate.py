"""The rules of a gate: what was found of a candidate, and whether it keeps to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from backhaul.errors import InputError
from backhaul.measure.gatesettings import ExportLimits, Gate
from backhaul.values.comparison import Comparison, Measure, Pair, Rule, Ruling
from backhaul.values.results import NodeModel, Reevaluated


def require_classes(gate: Gate, class_names: Sequence[str]) -> None:
    """Do nothing if all floors are of classes that there are.

    Raises:
        InputError: If one is not.
    """
    for floor in gate.floors:
        if floor.name not in class_names:
            known = ", ".join(class_names)
            raise InputError(f"accept.floors: {floor.name!r} is none of the classes: {known}")


def compared_rules(found: Comparison, gate: Gate) -> tuple[Rule, ...]:
    """Return what the rules say of a candidate beside the model that it has to match.

    Args:
        found: The comparison.
        gate: The rules.
    """
    return (
        _gain(found, gate),
        *_floors(found, gate),
        *_class_drop(found, gate),
    )


def forgetting_rules(old_test: Pair, best: float | None, gate: Gate) -> tuple[Rule, ...]:
    """Return what is said of the drop on the old test set; nothing if any drop may be.

    It is measured from the best champion, so that small drops of many rounds do not add up.

    Args:
        old_test: mAP50 of the candidate and of the model that it has to match.
        best: mAP50 of the best champion before; None = it is not known.
        gate: The rules.
    """
    if gate.forgetting is None or old_test.candidate is None or old_test.basis is None:
        return ()
    before = old_test.basis if best is None else max(best, old_test.basis)
    drop = before - old_test.candidate
    text = (
        f"mAP50 {old_test.candidate:.3f} on the {old_test.n} images of the old test set, "
        f"{before:.3f} before; asked: at most {gate.forgetting:g} less"
    )
    return (Rule(rule="forgetting", passed=drop <= gate.forgetting, text=text),)


def export_rules(
    model: NodeModel, measured: Reevaluated, limits: ExportLimits
) -> tuple[Rule, ...]:
    """Return what is said of the exported model.

    Args:
        model: The model.
        measured: What it reaches beside its checkpoints.
        limits: What it may lose, weigh and take.
    """
    worst = measured.worst
    text = f"mAP50 {worst.map50_before:.3f} to {worst.map50_after:.3f} by the export"
    rules = [
        Rule(
            rule="export: drop",
            passed=worst.drop <= limits.max_drop,
            text=f"{text}; asked: at most {limits.max_drop:g} less",
        )
    ]
    if limits.max_bytes is not None:
        text = f"{model.size_bytes:,} bytes; asked: at most {limits.max_bytes:,}"
        passed = model.size_bytes <= limits.max_bytes
        rules.append(Rule(rule="export: bytes", passed=passed, text=text))
    if limits.max_latency_ms is not None:
        p95, most = measured.latency_p95_ms, limits.max_latency_ms
        text = f"{p95:.1f} ms for 95 % of the looks; asked: at most {most:g} ms"
        rules.append(Rule(rule="export: latency", passed=p95 <= most, text=text))
    return tuple(rules)


def ruling(rules: Iterable[Rule], gate: Gate) -> Ruling:
    """Return what becomes of a candidate: a person is asked only if it keeps to all rules."""
    if not all(rule.passed for rule in rules):
        return "rejected"
    return "awaiting" if gate.approval == "manual" else "accepted"


def reason_of(rules: Iterable[Rule]) -> str:
    """Return why, in one line: the rules that are broken, else the first."""
    every = tuple(rules)
    broken = [rule for rule in every if not rule.passed]
    return "; ".join(f"{rule.rule}: {rule.text}" for rule in broken or every[:1])


def _gain(found: Comparison, gate: Gate) -> Rule:
    asked = f"asked: the lower bound above {gate.min_gain:g}"
    if found.bound is None or found.gain.value is None:
        text = (
            f"{found.metric} cannot be compared: too few images with labelled objects; {asked}"
        )
        return Rule(rule="gain", passed=False, text=text)
    text = (
        f"{found.metric} {_figure(found.candidate)} after {_figure(found.basis)} on "
        f"{found.gain.n} images: {found.gain.value:+.3f}, above {found.bound:+.3f} with "
        f"{1 - gate.compare.alpha:.1%} confidence; {asked}"
    )
    return Rule(rule="gain", passed=found.bound > gate.min_gain, text=text)


def _floors(found: Comparison, gate: Gate) -> Iterator[Rule]:
    for floor in gate.floors:
        name, least = floor.name, floor.ap50
        known = found.classes.get(name)
        if known is None or known.candidate is None:
            text = f"no object of it in the test set; asked: AP50 of at least {least:g}"
            yield Rule(rule=f"floor: {name}", passed=False, text=text)
            continue
        text = f"AP50 {known.candidate:.3f} of {known.n} objects; asked: at least {least:g}"
        yield Rule(rule=f"floor: {name}", passed=known.candidate >= least, text=text)


def _class_drop(found: Comparison, gate: Gate) -> Iterator[Rule]:
    if gate.class_drop is None:
        return
    drops = {
        name: each.basis - each.candidate
        for name, each in found.classes.items()
        if each.basis is not None and each.candidate is not None
    }
    if not drops:
        return
    worst = max(drops, key=lambda name: drops[name])
    pair = found.classes[worst]
    text = (
        f"{worst} fell most: AP50 {pair.candidate:.3f} after {pair.basis:.3f} of {pair.n} "
        f"objects; asked: at most {gate.class_drop:g} less"
    )
    yield Rule(rule="class drop", passed=drops[worst] <= gate.class_drop, text=text)


def _figure(measure: Measure) -> str:
    return "unknown" if measure.value is None else f"{measure.value:.3f}"
