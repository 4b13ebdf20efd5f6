"""Command line of the drawing scripts: parse the request, select its runs, write figure or table."""

import argparse
import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.labels import MACHINE_SETTINGS
from dip_experiments.analysis.style import style
from dip_experiments.store import Origin, Selection, drawings_folder

WRONG = 2
"""Exit code if an artifact cannot be made."""
OPTIONS = {"scale": "--scale", "paths.results": "--results"}
"""Overrides of dip that are options of a drawing script."""
IGNORED = ("-m", "--multirun", "resume")
"""Arguments of dip that only change how its jobs are run."""
HARMLESS = (
    *MACHINE_SETTINGS,
    "hydra.launcher",
    "hydra.job",
    "hydra.searchpath",
    "hydra.verbose",
    "blend",
    "fit.checkpoint_every",
    "fit.keep",
)
"""Settings that change no number of a run."""
LONGEST_REQUEST = 60
"""Characters of a request in a file name; the rest of a longer one is replaced by a digest."""


Select = Callable[[str, str, Path, Sequence[str], Origin], Selection]
"""Experiment, scale, results folder, overrides and origin of the runs -> selected runs."""


def run_script(place: str, draw: Callable[..., Artifact], select: Select, *requests: Sequence[str]) -> int:
    """Write the artifact `draw(*selections)` for the command line of a drawing script; return the exit code.

    Of the user's own runs it goes to results/reproduced/<scale>/<place>.*, with --records of the records alone to
    results/<scale>/<place>.*. Overrides that can change numbers are part of its title and name. If
    own runs cannot be drawn, an earlier artifact of the request is removed.

    Args:
        place: Folder and name of the artifact, `figures/fig2`.
        draw: Makes the artifact of one selection for each of `requests`.
        select: Finds the runs of an experiment.
        requests: The experiment and its own overrides of each selection; those of the command line are added.
    """
    arguments = command_line(sys.modules[draw.__module__].__doc__)
    scale, results = arguments.scale, arguments.results
    origin: Origin = "records" if arguments.records else "runs"
    folder = drawings_folder(results, scale, origin)
    config_dirs = [f"--config-dir={one}" for one in arguments.config_dir]
    requests = tuple([*one, *config_dirs] for one in requests)
    optional = arguments.if_kept and not (folder / f"{place}.csv").exists()
    style()
    try:
        found = [select(name, scale, results, [*arguments.overrides, *own], origin) for name, *own in requests]
        runs = [run for one in found for run in one.runs if run.settings["scale"]["name"] == scale]
        if optional and not runs:
            print(f"{place} at scale {scale}: no runs, nothing to draw")
            return 0
        request = " ".join(override for override in arguments.overrides if not _harmless(override))
        path = folder / artifact_name(place, request)
        if origin == "runs":
            Artifact.remove(path)
        artifact = draw(*found)
        artifact.write(path, request)
    except ValueError as error:
        if optional:  # too few of its runs are there yet
            print(f"{place} at scale {scale}: nothing to draw; {error}")
            return 0
        print(error, file=sys.stderr)
        return WRONG
    for line in filter(None, (artifact.message, "" if arguments.records else f"See {artifact.main_file(path)}")):
        print(line)
    return 0


def artifact_name(place: str, request: str) -> str:
    """Return the place of the artifact of a request with overrides: `figures/fig2-replicas-5`."""
    files_alone = re.sub(r"(path=)[^=]*/", r"\1", request)
    short = re.sub(r"[^A-Za-z0-9]+", "-", files_alone).strip("-")
    lost = files_alone != request or re.search(r"[^A-Za-z0-9=. _/]", request)  # by which other requests may differ
    if lost or len(short) > LONGEST_REQUEST:
        short = f"{short[:LONGEST_REQUEST]}-{hashlib.sha256(request.encode()).hexdigest()[:8]}"
    return f"{place}-{short}" if short else place


def command_line(description: str | None) -> argparse.Namespace:
    """Parse `scale`, `results`, `records`, `if_kept` and overrides, which every drawing script has.

    The overrides may be those of a request to dip: such as only change how its jobs are run are ignored.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="laptop", help="one of conf/scale")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--records", action="store_true", help="draw what the records have, not one's own runs")
    parser.add_argument("--config-dir", "-cd", action="append", default=[], help="a folder of your own experiments")
    parser.add_argument("--if-kept", action="store_true", help="do nothing where there are neither runs nor a page")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="overrides added to the experiment's")
    arguments = parser.parse_intermixed_args([override for override in sys.argv[1:] if override not in IGNORED])
    for name, option in OPTIONS.items():
        for override in arguments.overrides:
            if override.startswith(f"{name}="):
                parser.exit(WRONG, f"{override}: a drawing takes it as {option} {override.partition('=')[2]}\n")
    return arguments


def _harmless(override: str) -> bool:
    key = override.partition("=")[0].lstrip("+").replace("/", ".")
    return any(f"{key}.".startswith(f"{name}.") for name in HARMLESS)
