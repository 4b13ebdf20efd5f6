"""The command `dip`, which scripts/run.py is too: check a request, run its jobs, report their results."""

import importlib.metadata
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from dip_experiments.cli.commands import run_subcommand
from dip_experiments.cli.help import INTRODUCTION, help_text
from dip_experiments.cli.launch import launch, run_jobs
from dip_experiments.cli.lazy_import import lazy_import
from dip_experiments.config.compose import read_requests
from dip_experiments.config.errors import WRONG_REQUEST, in_plain_words
from dip_experiments.config.overrides import QUESTIONS, SWEEP_FLAGS, for_hydra, split_flags
from dip_experiments.jobs.job_status import INTERRUPTED, WRONG, JobResult, report
from dip_experiments.jobs.search import check_search, describe_best

HELP, VERSION = ("-h", "--help"), "--version"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of `dip` with the given words (default: those of the command line).

    0 done, 1 failed, 2 wrong request, 130 interrupted.
    """
    # The word `resume` says what asking again does anyway.
    words = [word for word in (sys.argv[1:] if arguments is None else arguments) if word != "resume"]
    try:
        return answer(words)
    except WRONG_REQUEST as error:
        print(in_plain_words(error), file=sys.stderr)
        return WRONG
    except BrokenPipeError:  # whoever reads has seen enough: dip status | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("Interrupted. The same command continues where it stopped.", file=sys.stderr)
        return INTERRUPTED


def answer(words: Sequence[str]) -> int:
    """Exit code: help, version and questions to Hydra, a subcommand, or fits."""
    if any(word in HELP for word in words):
        print(help_text())
        return 0
    if VERSION in words:
        print(f"dip_experiments {importlib.metadata.version('dip_experiments')}")
        return 0
    if words and "=" not in words[0] and not words[0].startswith(("~", "-", "+")):
        return run_subcommand(words[0], words[1:], lazy_import)
    flags, overrides = split_flags(words)
    multirun = any(flag in SWEEP_FLAGS for flag in flags)
    overrides = for_hydra(overrides, multirun)
    if any(flag.split("=")[0] in QUESTIONS for flag in flags):
        read_requests(overrides, multirun)
        launch(lambda config: None, [*flags, *overrides])
        return 0
    if not overrides:
        print(INTRODUCTION)
        return 0
    return fit_all(overrides, multirun)


def fit_all(overrides: Sequence[str], multirun: bool) -> int:
    """Checks the words of every job, runs the jobs, and reports what they tell."""
    requests = read_requests(overrides, multirun)
    read_settings = lazy_import("dip_experiments.config.settings").read_settings  # loads PyTorch
    settings = [read_settings(job) for request in requests for job in request.jobs]
    check(settings, several=len(settings) > 1 or not all(request.whole for request in requests))
    if said := added_noise(settings[0]):
        print(said, file=sys.stderr)
    if search := not all(request.whole for request in requests):
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


def check(settings: Sequence[Any], several: bool) -> None:
    """Raises ValueError for jobs that would write the same file."""
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


def added_noise(settings: Any) -> str | None:
    """A warning where noise will be added to the user's own picture, which may be noisy as it is."""
    noise = settings.task.noise if settings.task.name == "denoising" else settings.target
    if settings.image.name != "file" or noise.name in ("none", "natural", "shuffled", "noise"):
        return None
    amount = f" (sigma {noise.sigma:g} of 255)" if hasattr(noise, "sigma") else ""
    return (
        f"Noise is added to your picture first{amount}, to see how well it is removed; "
        "if the picture itself is noisy: task=denoising task.noise=none"
    )


if __name__ == "__main__":
    sys.exit(main())
