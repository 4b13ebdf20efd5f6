"""Say of a finished run what noise its stopping rule found, where it stopped, and how good the result is."""

from collections.abc import Mapping
from typing import Any

from dip_experiments.metrics import estimate_in, estimated_psnr, image_estimate_in
from dip_experiments.store import FACT_ORIGIN, Run, stop_image

LEVELS = ("sigma", "gain", "looks")
"""Noise levels among the facts of a rule."""


def describe_stops(run: Run) -> list[str]:
    """Return a short line each on noise, stop and result of the run's only rule; of several rules their stops alone."""
    rules = run.summary.get("stopping", {})
    if len(rules) > 1:
        return ["stops: " + ", ".join(f"{name} {rule['joint'] or 'nowhere'}" for name, rule in rules.items())]
    return [line for name, rule in rules.items() for line in _lines(name, rule, run.summary)]


def describe_tiles(name: str, summary: Mapping[str, Any]) -> list[str]:
    """Return the lines of `describe_stops` for a picture in tiles that the rule of this name stopped.

    Args:
        name: Of the rule.
        summary: See `tiles.combined_summary`.
    """
    rule, tiles = summary["stopping"][name], summary["tiles"]
    stops, unsure = [tile["stop"] for tile in tiles if tile["stop"] is not None], sum(not t["final"] for t in tiles)
    stop = f"{name} at {' to '.join(map(str, sorted({min(stops), max(stops)})))}" if stops else f"{name} found none"
    stop += f" in {len(tiles)} tiles" + (f", none in {len(tiles) - len(stops)}" if 0 < len(stops) < len(tiles) else "")
    stop += f", not final in {unsure}: more iterations may be better" if unsure else ""
    found = [*_estimates(rule, image=True), *_mixed(rule)]
    return [*_noise(rule["facts"]), f"stop: {stop}", *([f"result: {', '.join(found)}"] if found else [])]


def _noise(facts: Mapping[str, Any]) -> list[str]:
    """Return a line for each level of noise that was given or estimated."""
    shared = _shared(facts)
    return [
        f"noise: {level} {facts[level]:.4g}{_error(level, facts)}, {facts[level + FACT_ORIGIN]}{shared}"
        for level in LEVELS
        if level + FACT_ORIGIN in facts
    ]


def outline_stop(run: Run) -> str:
    """Return stop and result of the run's only rule in short, for a table; of several rules their stops alone."""
    rules = run.summary.get("stopping", {})
    if len(rules) != 1:
        return "; ".join(describe_stops(run))
    ((name, rule),) = rules.items()
    return ", ".join([_stop(name, rule), *_estimates(rule, image=True)])


def _lines(name: str, rule: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """Return the lines on one rule; an estimate of the measurement's error is never in a line with the image's."""
    scores = summary["scores"]
    ended = f", made sure at {summary['iterations']}" if name == summary["ended_by"] else ""
    lines = [*_noise(rule["facts"]), f"stop: {_stop(name, rule)}{ended}"]
    image = stop_image(name, "mixed" if "mix" in rule else "mean")
    true = [f"PSNR {scores[image]['psnr'][0]:.2f} dB to the reference"] if image in scores else []
    found = [*_estimates(rule, image=True), *true, *_mixed(rule)]
    return [*lines, *([f"result: {', '.join(found)}"] if found else []), *_estimates(rule, image=False)]


def _error(level: str, facts: Mapping[str, Any]) -> str:
    """Return the standard error of a level, where it is known."""
    error = facts.get(f"{level}_error")
    return "" if error is None else f" +- {error:.2g}"


def _shared(facts: Mapping[str, Any]) -> str:
    """Return what neighbours and channels share of the noise, and what brightness makes of it; empty if not sought."""
    if "correlation" not in facts:
        return ""
    width = f"width {facts['width']:.2g}"
    if "colour_width" in facts:
        width += f", in colours {facts['colour_width']:.2g}"
    correlation = round(facts["correlation"], 2) + 0.0  # so that it is not -0
    found = [f"shared by neighbours ({width}) and channels ({correlation:.2f})"]
    if not (facts["width"] or correlation or "colour_width" in facts):
        found = ["neighbours and channels share nothing of it"]
    if growth := facts.get("growth"):
        black, white = (facts["sigma"] * max(1 + growth * away, 0) ** 0.5 for away in (-0.5, 0.5))
        found.append(f"{black:.3g} at black, {white:.3g} at white")
    if facts.get("clipped"):
        found.append("clipped at 0 or 1")
    return "".join(f"; {one}" for one in found)


def _stop(name: str, rule: Mapping[str, Any]) -> str:
    if rule["joint"] is None:
        return f"{name} found none"
    return f"{name} at {rule['joint']}" + ("" if rule["joint_final"] else ", not final: more iterations may be better")


def _estimates(rule: Mapping[str, Any], image: bool) -> list[str]:
    """Return the PSNR that a rule estimates, at most one: of its `image`, or of A f where A is not the identity."""
    if rule["joint"] is None or not (found := estimate_in(rule)):
        return []
    if of_image := image_estimate_in(rule):
        return [f"estimated PSNR {estimated_psnr(**of_image)}"] if image else []
    return [] if image else [f"estimated {found[0]} {estimated_psnr(**found[1])} (not of the image)"]


def _mixed(rule: Mapping[str, Any]) -> list[str]:
    """Return what the picture is mixed of, and how good that of the networks is by itself, at most one text."""
    if "mix" not in rule or not (found := estimate_in(rule)):
        return []
    others = rule["mix"]["weights"]
    parts = {"network": 1 - sum(others.values()), **others}
    weights = ", ".join(f"{weight:.0%} {part}" for part, weight in parts.items())
    return [f"mix: {weights} (network alone {estimated_psnr(**found[1])})"]
