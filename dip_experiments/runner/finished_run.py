"""Finished runs: compare one with a configuration, report its results. Fast: Lightning is not imported."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dip_experiments.config.errors import format_error
from dip_experiments.config.settings import Settings
from dip_experiments.devices import find_device
from dip_experiments.fitting.schedule import image_iterations
from dip_experiments.jobs.job_status import JobResult
from dip_experiments.metrics import estimate_in, psnr_of_estimate
from dip_experiments.runner.describe_stops import describe_stops, outline_stop
from dip_experiments.runner.export import check_export, export_image, restored_image
from dip_experiments.runner.select_runs import run_id
from dip_experiments.schema import make_part
from dip_experiments.stopping import StoppingRule, outdated
from dip_experiments.store import Run, Store, average_at, output_at

REPORTED = ("final", "oracle_peak", "lost_iterations", "failed")
"""Parts of a run's summary that are reported, besides its stops and estimates."""


def skip_finished(settings: Settings, overrides: Sequence[str] = (), reuse: bool = False) -> JobResult:
    """Return the result of a run that is finished, after its image is exported.

    Args:
        settings: Configuration of the run.
        overrides: Those that it was composed of.
        reuse: Whether a record counts as a finished run.

    Returns:
        Result with the status `skipped`, `refused` if the request is wrong, or `running`, with its run id, if it has
        to be fitted.
    """
    try:
        store, name = Store(Path(settings.paths.results)), run_id(settings, find_device(settings.device).type)
        check_export(settings)
        run = find_run(store, name, reuse)
        if settings.force or not is_complete(run, settings):
            return JobResult(list(overrides), run=name)
        return with_output(run, JobResult(list(overrides), "skipped"), settings)
    except ValueError as error:
        return JobResult(list(overrides), "refused", message=format_error(error))


def find_run(store: Store, name: str, reuse: bool) -> Run:
    """Return the user's own run of that id, or where it would be; with `reuse` a record of it in its place."""
    return store.run(name) if reuse else store.place(name)


def with_output(run: Run, result: JobResult, settings: Settings) -> JobResult:
    """Add the summary of a finished run to its result, and export its image."""
    summary = {name: run.summary.get(name) for name in REPORTED}
    summary |= {"stops": describe_stops(run), "stop": outline_stop(run), "estimated": estimate_at_stop(run)}
    result = replace(result, run=run.name, folder=str(run.folder), summary=summary)
    if not settings.output:
        return result
    try:
        return replace(result, output=export_image(run, settings))
    except ValueError as error:
        return replace(result, status="failed", message=str(error))


def is_complete(run: Run, settings: Settings) -> bool:
    """Return True if a run is finished and has all images and monitors of `settings`.

    A record need only have the image that is exported.
    """
    if not run.finished:
        return False
    names = [] if run.is_record else stored_images(settings.fit.keep, run.summary["iterations"])
    if not all(run.image(name, run.replicas[0]).exists() for name in names):
        return False
    return (settings.output is None or restored_image(run, settings).exists()) and has_rules(run, settings)


def has_rules(run: Run, settings: Settings) -> bool:
    """Return True if all rules of `settings` monitored a run, with the same parameters and by code of today's epoch."""
    return requested_rules(settings).items() <= stored_rules(run).items() and not outdated_rules(run, settings)


def outdated_rules(run: Run, settings: Settings) -> set[str]:
    """Return the rules of `settings` that monitored a run by code of an older epoch."""
    return outdated(run.observer_epochs) & settings.rules.keys()


def requested_rules(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the parameters of all rules of `settings` by name, as stored; few of them are part of a run's id."""
    return {name: rule.model_dump(mode="json", by_alias=True) for name, rule in settings.rules.items()}


def stored_rules(run: Run) -> dict[str, dict[str, Any]]:
    """Return the parameters of the rules that monitored a run, as `requested_rules` does.

    Settings that are newer than the run have their defaults, at which they change nothing.
    """
    stopping = run.settings["stopping"]
    rules = [*run.settings.get("observe", {}).values(), stopping if stopping["name"] != "none" else None]
    return {parameters["name"]: _with_newer_settings(parameters) for parameters in rules if parameters}


def _with_newer_settings(parameters: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return make_part(StoppingRule, parameters).model_dump(mode="json", by_alias=True)
    except ValueError:  # a class of the user's that is not here, or settings of an older one
        return dict(parameters)


def stored_images(keep: Sequence[int], iterations: int) -> list[str]:
    """Return the names of the images that a run of so many iterations has stored before its end."""
    outputs = [output_at(n) for n in image_iterations(iterations, keep)]
    return outputs + [average_at(n) for n in keep if n <= iterations]


def estimate_at_stop(run: Run) -> dict[str, float]:
    """Return the PSNR in dB that the first rule with an estimate has for the mean image at its stop, by its name."""
    estimates = filter(None, map(estimate_in, run.summary.get("stopping", {}).values()))
    known = ((of, psnr_of_estimate(**estimate)) for of, estimate in estimates)
    return next(({of: psnr} for of, psnr in known if psnr is not None), {})
