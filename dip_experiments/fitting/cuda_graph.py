"""An iteration recorded once and replayed: on a GPU, Python would take longer to ask for the kernels than they run."""

from collections.abc import Callable, Sequence

import torch

WARM_UP = 3


class Recorded:
    """Calls `iterate`; from call number WARM_UP on it replays one recorded call as a CUDA graph.

    The first calls are iterations like any other: they make what the recorded one reuses (moments, workspaces), on the
    stream on which it is recorded. Recording computes nothing. `generators` are those that `iterate` draws from; every
    replay advances them. `iterate` must do the same kernels with the same arguments in every call.
    """

    def __init__(
        self, iterate: Callable[[], None], generators: Sequence[torch.Generator], device: torch.device
    ) -> None:
        self.iterate, self.calls = iterate, 0
        self.stream = torch.cuda.Stream(device)
        self.graph = torch.cuda.CUDAGraph()
        for generator in generators:
            self.graph.register_generator_state(generator)

    def __call__(self) -> None:
        if self.calls < WARM_UP:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                self.iterate()
            torch.cuda.current_stream().wait_stream(self.stream)
        else:
            if self.calls == WARM_UP:
                with torch.cuda.graph(self.graph, stream=self.stream):
                    self.iterate()
            self.graph.replay()
        self.calls += 1
