"""The command `dip`, which scripts/run.py is too: check a request, run its jobs, report their results."""

import importlib.metadata
import io
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from dip_experiments.cli.commands import run_subcommand
from dip_experiments.cli.help import HELP, INTRODUCTION, print_help
from dip_experiments.cli.launch import launch, run_jobs
from dip_experiments.cli.lazy_import import lazy_import
from dip_experiments.config.compose import read_requests
from dip_experiments.config.errors import WRONG_REQUEST, format_error
from dip_experiments.config.groups import search_in
from dip_experiments.config.overrides import (
    QUESTIONS,
    SWEEP_FLAGS,
    split_config_dirs,
    split_flags,
    to_hydra_overrides,
)
from dip_experiments.config.plain_settings import check_numbers, check_plain
from dip_experiments.config.ranges import check_ranges
from dip_experiments.jobs.job_status import INTERRUPTED, WRONG, JobResult, report
from dip_experiments.jobs.search import check_search, describe_best

VERSION = "--version"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `dip` with the given arguments, by default those of the command line, and return its exit code.

    0 done, 1 failed, 2 wrong request, 130 interrupted.
    """
    # `resume` says what repeating a request does anyway.
    argv = [one for one in (sys.argv[1:] if arguments is None else arguments) if one != "resume"]
    escape_what_cannot_be_printed()
    with ExitStack() as stack:
        try:
            find_modules_in(working_folder())
            folders, argv = split_config_dirs(argv)
            stack.enter_context(search_in(folders))
            return answer(argv)
        except WRONG_REQUEST as error:
            print(format_error(error), file=sys.stderr)
            return WRONG
        except BrokenPipeError:  # the reader has seen enough: dip status | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:
            if error.filename is None:
                raise
            print(f"{error.filename}: {error.strerror}", file=sys.stderr)
            return WRONG
        except KeyboardInterrupt:
            print("Interrupted. The same command continues from the last checkpoint.", file=sys.stderr)
            return INTERRUPTED


def escape_what_cannot_be_printed() -> None:
    """Print signs that a terminal's encoding does not have as escapes, instead of failing with a result at hand."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def working_folder() -> str:
    """Return the working folder. Raises ValueError if it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise ValueError("the working folder was removed; go to one that exists, such as `cd ~`") from None


def find_modules_in(folder: str) -> None:
    """Let `_target_: mine.Network` be found in a folder, as `python -m` does; the command alone does not."""
    if folder not in sys.path:
        sys.path.append(folder)


def answer(argv: Sequence[str]) -> int:
    """Print help or the version, let Hydra answer its own flags, run a subcommand, or fit; return the exit code."""
    if any(one in HELP for one in argv) or argv[:1] == ["help"]:
        return print_help(argv)
    if VERSION in argv:
        print(f"dip_experiments {importlib.metadata.version('dip_experiments')}")
        return 0
    if argv and "=" not in argv[0] and not argv[0].startswith(("~", "-", "+")):
        return run_subcommand(argv[0], argv[1:])
    flags, given = split_flags(argv)
    multirun = any(flag in SWEEP_FLAGS for flag in flags)
    overrides = to_hydra_overrides(given, multirun)
    if any(flag.split("=")[0] in QUESTIONS for flag in flags):
        read_requests(overrides, multirun)
        launch(lambda config: None, [*flags, *overrides])
        return 0
    if not given:
        print(INTRODUCTION)
        return 0
    return fit_all(overrides, multirun)


def fit_all(overrides: Sequence[str], multirun: bool) -> int:
    """Check the settings of every job, run the jobs, report their results, and return the exit code."""
    requests = read_requests(overrides, multirun)
    check_numbers(overrides)
    check_ranges(overrides)
    for job in (job for request in requests for job in request.jobs):
        check_plain(job)
    read_settings = lazy_import("dip_experiments.config.settings").read_settings  # loads PyTorch
    settings = [read_settings(job) for request in requests for job in request.jobs]
    check_outputs(settings, several=len(settings) > 1 or not all(request.complete for request in requests))
    if search := not all(request.complete for request in requests):
        check_search(settings[0])
    results: list[JobResult] = []
    since = time.monotonic()
    for request in requests:
        results += run_jobs(request, multirun)
        if any(result.status == "interrupted" for result in results):
            break
    code = report(results, len(settings), time.monotonic() - since)
    if search and results:
        print(describe_best(results))
    return code


def check_outputs(settings: Sequence[Any], several: bool) -> None:
    """Raise ValueError for jobs that would write the same file."""
    writing, written = lazy_import("dip_experiments.data.writing"), dict[str, Any]()
    for job in settings:
        if not job.output:
            continue
        if several and writing.PLACE not in job.output:
            raise ValueError(
                f"output={job.output} with several runs: each would overwrite the last; ask for one run, "
                f"or put {writing.PLACE}, the picture's name, into it: output='restored_{writing.PLACE}.png'"
            )
        file = writing.expanded(job.output, job.image.path, job.image.name)
        if file in written and written[file] != job:
            raise ValueError(
                f"output={job.output}: two runs would write {file}; sweep over pictures of different names"
            )
        written[file] = job


if __name__ == "__main__":
    sys.exit(main())
