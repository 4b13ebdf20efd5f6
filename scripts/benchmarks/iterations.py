"""Speed of our fits and of the method as written, alternately. Writes: bench/<device>. Command: make bench."""

import ctypes
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch
from start import command_line, save
from torch.profiler import profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from dip_experiments.architectures import FastSkip, Network, Skip
from dip_experiments.devices import find_device, multiplies_bfloat16
from dip_experiments.fitting.cuda_graph import WARM_UP, Recorded
from dip_experiments.fitting.guard import Guard
from dip_experiments.fitting.memory import M_MMAP_MAX, M_TRIM_THRESHOLD, keep_freed_memory
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.problem import Problem
from dip_experiments.fitting.schedule import block_ends
from dip_experiments.fitting.trainer import set_precision, train
from dip_experiments.operators import Identity
from dip_experiments.optimizers import Adam
from dip_experiments.tasks.task import Task

C_LIBRARY = ctypes.CDLL(None)
CONVOLUTIONS = ("conv", "mm", "im2col", "Convolution")
"""Parts of the names of the operations that a convolution consists of."""


@dataclass(frozen=True)
class Case:
    """A network of the paper's kind: five scales of `width` channels, skip 4, bilinear, reflection."""

    network: str
    width: int
    size: int
    replicas: int
    rounds: int
    precision: str = "float32"

    def build(self, kind: type[Skip], replicas: int) -> Network:
        size = (self.size, self.size)
        return kind(32, 3, size, [self.width] * 5, [self.width] * 5, [4] * 5, replicas=replicas)


SMOKE = [Case("laptop", 8, 64, 1, 2), Case("laptop", 8, 64, 3, 2)]
CASES = [
    Case("paper", 128, 128, 1, 5),
    Case("paper", 128, 256, 1, 5),
    Case("paper", 128, 512, 1, 2),
    Case("laptop", 32, 128, 1, 7),
    Case("laptop", 32, 128, 3, 7),
    Case("laptop", 32, 128, 8, 5),
]
ON_GPU = [Case("paper", 128, 128, 16, 5)]
ITERATIONS_PER_ROUND = 3


def cases(device: torch.device, smoke: bool) -> list[Case]:
    """Return every network in every precision that the device has hardware for."""
    precisions = ["float32", *(["tf32"] if device.type == "cuda" else [])]
    if multiplies_bfloat16(device) or smoke:
        precisions.append("bf16")
    networks = SMOKE if smoke else [*CASES, *(ON_GPU if device.type == "cuda" else [])]
    return [replace(case, precision=precision) for case in networks for precision in precisions]


def plain_iteration(case: Case, device: torch.device) -> Callable[[], None]:
    """Run one iteration as the authors' code does it: eager, one network at a time, three PSNRs on the host."""
    fits = []
    for _ in range(case.replicas):
        network = case.build(Skip, 1).to(device)
        fits.append((network, torch.optim.Adam(network.parameters(), lr=0.01), *data(case, 1, device)))
    averages = [fit[3] for fit in fits]

    def iterate() -> None:
        for index, (network, optimizer, z, y) in enumerate(fits):
            optimizer.zero_grad()
            x = network(z + torch.randn_like(z) / 30)
            averages[index] = averages[index] * 0.99 + x.detach() * 0.01
            loss = torch.nn.functional.mse_loss(x, y)
            loss.backward()
            for image in (x.detach(), x.detach(), averages[index]):
                -10 * np.log10(np.mean((image.cpu().numpy() - y.cpu().numpy()) ** 2))
            optimizer.step()

    return iterate


def fast_iteration(case: Case, device: torch.device) -> Callable[[], None]:
    """Run one iteration of a fit of this framework, replicas side by side."""
    fit = started_fit(case, device)
    return Recorded(fit.iterate, fit.noise, device) if device.type == "cuda" else fit.iterate


def started_fit(case: Case, device: torch.device) -> DIPModule:
    """Return a fit as Lightning leaves it before the first iteration."""
    fit = make_fit(case, device, iterations=1000)
    fit.optimizer = fit.configure_optimizers()
    fit.noise = [torch.Generator(device).manual_seed(seed) for seed in range(case.replicas)]
    return fit


def make_fit(case: Case, device: torch.device, iterations: int) -> DIPModule:
    """Make a fit with the paper's settings for denoising."""
    z, y = data(case, case.replicas, device)
    adam = Adam(name="adam", lr=0.01, betas=[0.9, 0.999], eps=1e-8)
    network, seeds = case.build(FastSkip, case.replicas).to(device), range(case.replicas)
    task = Task(y, Identity(), y)
    problem = Problem(
        network=network,
        latent=z,
        task=task,
        original_task=task,
        seeds=seeds,
        perturbation_seeds=seeds,
        perturbation=1 / 30,
        optimise="theta",
        optimizer=adam,
        precision=case.precision,
    )
    return DIPModule(problem, iterations, 0.99, Guard(5.0, 3, case.replicas)).to(device)


def data(case: Case, replicas: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return latent and target."""
    latent, target = (torch.rand(replicas, channels, case.size, case.size, device=device) for channels in (32, 3))
    return latent * 0.1, target


def seconds(act: Callable[[], object], device: torch.device) -> float:
    """Return the wall time of one call, the device's work included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    act()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


@contextmanager
def peak_memory(device: torch.device, found: list[float]) -> Iterator[None]:
    """Append by how many MB memory rose at most: the allocator's count on a GPU, sampled resident memory on a CPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        allocated = torch.cuda.memory_allocated(device)
        yield
        found.append((torch.cuda.max_memory_allocated(device) - allocated) / 1e6)
        return
    C_LIBRARY.malloc_trim(0)  # what earlier work has freed must not hide what is taken now
    before, highest, running = resident(), [0.0], [True]

    def watch() -> None:
        while running:
            highest[0] = max(highest[0], resident())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield
    running.clear()
    watcher.join()
    found.append(highest[0] - before)


def resident() -> float:
    """Return the resident memory of this process in MB."""
    return psutil.Process().memory_info().rss / 1e6


def outside_convolutions(act: Callable[[], None]) -> float:
    """Return the share of an iteration's time that is not spent in convolutions."""
    with profile() as profiled:
        act()
    spent = {event.key: event.self_device_time_total or event.self_cpu_time_total for event in profiled.key_averages()}
    inside = sum(time for key, time in spent.items() if any(part in key for part in CONVOLUTIONS))
    return 1 - inside / sum(spent.values())


class Traffic(TorchDispatchMode):
    """Counts the bytes of all tensors that operations read and write, views aside."""

    bytes = 0

    def __torch_dispatch__(self, operation: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        made = operation(*given, **(named or {}))
        if not operation.is_view:
            tensors = [leaf for leaf in tree_leaves((given, named, made)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return made


def matrix_product_gflops(precision: str, device: torch.device) -> float:
    """Return the speed of a large matrix product in this run: the ceiling of any convolution."""
    side = 8192 if device.type == "cuda" else 2048
    a = torch.rand(side, side, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    return 2 * side**3 / min(seconds(lambda: a @ a, device) for _ in range(8)) / 1e9


def copy_gigabytes(device: torch.device) -> float:
    """Return the GB per second that a large copy reads and writes in this run."""
    a = torch.rand(2**28 if device.type == "cuda" else 2**25, device=device)
    b = torch.empty_like(a)
    return 2 * a.nbytes / min(seconds(lambda: b.copy_(a), device) for _ in range(5)) / 1e9


def roofline(act: Callable[[], None], gflops: float, gigabytes: float) -> float:
    """Return the seconds that the counted multiplications, or the counted bytes if they take longer, need at least."""
    with FlopCounterMode(display=False) as counted, Traffic() as traffic:
        act()
    return max(counted.get_total_flops() / gflops, traffic.bytes / gigabytes) / 1e9


def lightning_overhead(case: Case, device: torch.device, bare: float) -> float:
    """Return the time of an iteration inside Lightning, with guard and curves, over that of the bare one, minus 1."""
    iterations = 4 * case.rounds
    fit = make_fit(case, device, iterations)
    return seconds(lambda: train(fit, block_ends(iterations, 50), device, []), device) / iterations / bare - 1


def stock_memory() -> None:
    """Set glibc as a plain script has it, with the thresholds that it arrives at after large maps were freed."""
    C_LIBRARY.mallopt(M_MMAP_MAX, 65536)
    C_LIBRARY.mallopt(M_TRIM_THRESHOLD, 64 * 2**20)
    C_LIBRARY.malloc_trim(0)


def alternate(case: Case, device: torch.device) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Measure seconds per iteration of `plain` and `fast`, by turns, and by how many MB memory rises at most."""
    acts = {"plain": plain_iteration(case, device), "fast": fast_iteration(case, device)}
    times: dict[str, list[float]] = {"plain": [], "fast": []}
    memory: dict[str, list[float]] = {"plain": [], "fast": []}
    for _ in range(case.rounds):
        for name, act in acts.items():
            stock_memory()
            with peak_memory(device, memory[name]):
                if name == "fast":
                    keep_freed_memory()
                set_precision(case.precision if name == "fast" else "float32", device)
                for _ in range(WARM_UP + 1 if device.type == "cuda" else 1):
                    act()
            times[name] += [seconds(act, device) for _ in range(ITERATIONS_PER_ROUND)]
    return times, {name: max(values) for name, values in memory.items()}


def measure(case: Case, device: torch.device) -> dict[str, Any]:
    """Measure one row of the table."""
    (times, memory), ceiling = alternate(case, device), matrix_product_gflops(case.precision, device)
    plain, fast = (statistics.median(times[name]) for name in ("plain", "fast"))
    with FlopCounterMode(display=False) as flops:
        plain_iteration(case, device)()
    eager = started_fit(case, device)
    eager.iterate()
    values = {
        "plain_s": plain,
        "fast_s": fast,
        "ratio": plain / fast,
        "plain_spread_s": max(times["plain"]) - min(times["plain"]),
        "fast_spread_s": max(times["fast"]) - min(times["fast"]),
        "plain_peak_mb": memory["plain"],
        "fast_peak_mb": memory["fast"],
        "gflop_as_written": flops.get_total_flops() / 1e9,
        "fast_gflop_per_s": flops.get_total_flops() / 1e9 / fast,
        "matrix_product_gflop_per_s": ceiling,
        "roofline_s": roofline(eager.iterate, ceiling, copy_gigabytes(device)),
        "outside_convolutions": outside_convolutions(eager.iterate),
        "lightning_overhead": lightning_overhead(case, device, fast),
    }
    row = {"network": case.network, "size": case.size, "replicas": case.replicas, "precision": case.precision}
    return {**row, "device": device.type, **{name: f"{value:.4g}" for name, value in values.items()}}


def main() -> int:
    """Write results/bench/<device>.csv, .md and .json; times are seconds per iteration of all replicas."""
    arguments = command_line(main.__doc__)
    device = find_device(arguments.device)
    rows = []
    for case in cases(device, arguments.smoke):
        rows.append(measure(case, device))
        print("  ".join(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    save(pd.DataFrame(rows), arguments, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
