"""One request: what Hydra composes of its overrides."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

ONE_BY_ONE = "basic_launcher.BasicLauncher"
"""How the class of Hydra's own launcher ends."""


@dataclass(frozen=True)
class Request:
    """One call of Hydra: the overrides, and the jobs that it makes of them.

    Attributes:
        overrides: As Hydra reads them.
        jobs: Settings of all jobs if `complete`; those that another sweeper (optuna) will ask for cannot be known: then
            one that it might.
        complete: See `jobs`.
        launcher: Its class.
        sweep: The overrides that sweep.
        swept: The settings and groups that take several values, those of the experiment's own grid too.
        batch: Number of jobs that Hydra is to compose before it runs the first of them; None leaves it to Hydra, which
            composes all.
        hydra: Hydra's own node of each job; none where Hydra itself is to run the jobs: in other processes, or with
            settings of its own.
        job_overrides: Of each job of a sweep that has its node.
    """

    overrides: list[str]
    jobs: list[DictConfig]
    complete: bool
    launcher: str
    sweep: str = ""
    swept: Sequence[str] = ()
    batch: int | None = None
    hydra: Sequence[DictConfig] = ()
    job_overrides: Sequence[list[str]] = ()

    @property
    def in_process(self) -> bool:
        """True if the jobs run one after another in this process."""
        return self.launcher.endswith(ONE_BY_ONE)

    def hydra_of(self, number: int) -> DictConfig:
        """Return Hydra's own node of a job, as Hydra itself would give it to the job."""
        if not self.job_overrides:
            return self.hydra[0]
        node = copy.deepcopy(self.hydra[number])
        with open_dict(node):
            node.mode = RunMode.MULTIRUN
            node.job.num, node.job.id = number, str(number)
            node.overrides.task = self.job_overrides[number]
        return node
