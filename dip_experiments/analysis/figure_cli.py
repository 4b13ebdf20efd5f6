"""Command line of the drawing scripts: parse the request, select its runs, write figure or table."""

import argparse
import hashlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
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


Draw = Callable[..., Artifact]
"""One selection for each of the requests -> the page."""


def run_script(pages: Mapping[str, Draw], select: Select, *requests: Sequence[str]) -> int:
    """Write the pages of a drawing script for its command line; return the exit code.

    Of the user's own runs they go to results/reproduced/<scale>/<place>.*, with --records of the records alone to
    results/<scale>/<place>.*. Overrides that can change numbers are part of a page's title and name. If own runs cannot
    be drawn, an earlier page of the request is removed. A page that cannot be drawn does not stop the others.

    Args:
        pages: By folder and name of each, `figures/fig2`, the function that draws it of the selections.
        select: Finds the runs of an experiment.
        requests: The experiment and its own overrides of each selection; those of the command line are added.
    """
    arguments = command_line(sys.modules[next(iter(pages.values())).__module__].__doc__)
    style()
    if (here := str(Path.cwd())) not in sys.path:  # as for dip, so that `_target_: mine.Network` is found
        sys.path.append(here)
    try:
        selections = select_requests(arguments, select, requests)
    except ValueError as error:
        print(error, file=sys.stderr)
        return WRONG
    found = [write_page(place, draw, arguments, selections) for place, draw in pages.items()]
    reasons = dict.fromkeys(filter(None, found))  # once, if several pages have the same
    for reason in reasons:
        print(reason, file=sys.stderr)
    return WRONG if reasons else 0


def select_requests(
    arguments: argparse.Namespace, select: Select, requests: Sequence[Sequence[str]]
) -> Sequence[Selection]:
    """Return the runs of each request. Raises ValueError for a wrong one."""
    if not requests:
        check_no_settings(arguments.overrides)
    config_dirs = [f"--config-dir={one}" for one in arguments.config_dir]
    return [
        select(name, arguments.scale, arguments.results, [*arguments.overrides, *own, *config_dirs], _origin(arguments))
        for name, *own in requests
    ]


def select_nothing(name: str, scale: str, results: Path, overrides: Sequence[str], origin: Origin) -> Selection:
    """Return no runs, for pages that need none but store numbers. Raises ValueError for a setting of a fit."""
    check_no_settings(overrides)
    return Selection(name, scale, results, tuple(overrides), (), origin)


def check_no_settings(overrides: Sequence[str]) -> None:
    """Raise ValueError for a setting of a fit, where nothing is fitted."""
    if changing := [one for one in overrides if not _harmless(one)]:
        raise ValueError(f"{' '.join(changing)}: nothing is fitted here, so there is no such setting; leave it out")


def write_page(place: str, draw: Draw, arguments: argparse.Namespace, selections: Sequence[Selection]) -> str:
    """Write one page, and print where; return why it cannot be drawn, empty if it is or need not be."""
    scale, request = arguments.scale, " ".join(one for one in arguments.overrides if not _harmless(one))
    folder = drawings_folder(arguments.results, scale, _origin(arguments))
    path = folder / artifact_name(place, request)
    optional = arguments.if_kept and not (folder / f"{place}.csv").exists()
    if optional and not any(run.settings["scale"]["name"] == scale for one in selections for run in one.runs):
        print(f"{place} at scale {scale}: no runs, nothing to draw")
        return ""
    if not arguments.records:
        Artifact.remove(path)
    try:
        artifact = draw(*selections)
        artifact.write(path, request)
    except ValueError as error:
        if not optional:
            return str(error)
        print(f"{place} at scale {scale}: nothing to draw; {error}")  # too few of its runs are finished
        return ""
    for line in filter(None, (artifact.message, "" if arguments.records else f"See {artifact.main_file(path)}")):
        print(line)
    return ""


def _origin(arguments: argparse.Namespace) -> Origin:
    return "records" if arguments.records else "runs"


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
