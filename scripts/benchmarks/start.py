"""Time before the first iteration: start of the commands, and compilation, which therefore is not used.

Writes: bench/<device>-start. Command: make bench
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from dip_experiments.analysis.table import markdown, select_columns
from dip_experiments.architectures import Skip
from dip_experiments.devices import device_name, find_device
from dip_experiments.fitting.memory import keep_freed_memory
from dip_experiments.store import describe_session, write_json, write_text

READ = {
    "what": "what",
    "value": "value",
    "network": "network",
    "size": "size",
    "replicas": "replicas",
    "precision": "precision",
    "plain_s": "as written, s",
    "fast_s": "ours, s",
    "ratio": "ratio",
    "fast_peak_mb": "ours, MB",
    "rule": "rule",
    "rule_s": "rule, s",
    "share": "of an iteration",
}
"""Columns for reading, with their titles; the CSV has all."""
ITERATIONS = 10
COMMANDS = {
    "dip --help": ["--help"],
    "dip, one iteration": ["scale=smoke", "fit.iterations=1"],
}
ON_GPU = {"dip, denoising 512 x 512, 1800 iterations": ["scale=paper", "fit.iterations=1800", "precision=bf16"]}


def command_seconds(overrides: list[str], device: torch.device) -> float:
    """Return the wall time of `dip` with these overrides, in a process of its own."""
    with tempfile.TemporaryDirectory() as results:
        fit = [] if "--help" in overrides else [f"paths.results={results}", f"device={device.type}", "logger=none"]
        started = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("dip"), *overrides, *fit], check=True, capture_output=True)
        return time.perf_counter() - started


def iteration_seconds(network: nn.Module, evaluate: nn.Module, z: Tensor, y: Tensor) -> tuple[float, float]:
    """Return (first, median of the later) iterations of a bare fit, in seconds."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    seconds = []
    for _ in range(ITERATIONS):
        started = time.perf_counter()
        optimizer.zero_grad()
        nn.functional.mse_loss(evaluate(z), y).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds[0], sorted(seconds[1:])[ITERATIONS // 2]


def compilation(width: int, size: int, device: torch.device) -> list[tuple[str, float]]:
    """Measure torch.compile on the plain network, from an empty cache: cost, saving, when it has paid."""
    channels = [width] * 5
    network = Skip(32, 3, (size, size), channels, channels, [4] * 5).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stubs lack it
    z, y = torch.rand(1, 32, size, size, device=device), torch.rand(1, 3, size, size, device=device)
    _, eager = iteration_seconds(network, network, z, y)
    torch._inductor.config.force_disable_caches = True
    start, compiled = iteration_seconds(network, torch.compile(network), z, y)  # type: ignore[arg-type]
    name = f"width {width}, {size} x {size}, channels last"
    pays = start / (eager - compiled) if eager > compiled else float("inf")
    return [
        (f"{name}: iteration as written", eager),
        (f"{name}: iteration compiled", compiled),
        (f"{name}: compilation", start),
        (f"{name}: compilation has paid after iterations", pays),
    ]


def command_line(description: str | None) -> argparse.Namespace:
    """Parse the arguments of a benchmark."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--smoke", action="store_true", help="tiny networks, to see that it runs")
    return parser.parse_args()


def save(frame: pd.DataFrame, arguments: argparse.Namespace, device: torch.device, suffix: str = "") -> None:
    """Write results/bench/<device><suffix>.csv, .md and .json."""
    folder = arguments.results / ("smoke" if arguments.smoke else "") / "bench"
    name = device_name(device).replace(" ", "-").lower() + suffix
    titles = {column: title for column, title in READ.items() if column in frame}
    write_text(folder / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_text(folder / f"{name}.md", markdown(select_columns(frame, titles)))
    write_json(folder / f"{name}.json", describe_session(name, torch.get_num_threads(), sys.argv[:1], 0))


def main() -> int:
    """Write results/bench/<device>-start.csv, .md and .json; values are seconds unless they are iterations."""
    arguments = command_line(main.__doc__)
    device = find_device(arguments.device)
    commands = COMMANDS | (ON_GPU if device.type == "cuda" else {})
    found = [(name, command_seconds(overrides, device)) for name, overrides in commands.items()]
    keep_freed_memory()
    found += compilation(4, 64, device) if arguments.smoke else compilation(32, 128, device)
    for what, value in found:
        print(f"{what}: {value:.3g}", flush=True)
    rows = [(what, f"{value:.3g}") for what, value in found]
    save(pd.DataFrame(rows, columns=["what", "value"]), arguments, device, "-start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
