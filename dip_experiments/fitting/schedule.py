"""Iterations that end a block, give an image or are logged: functions of the settings, so a resumed run agrees."""

from collections.abc import Iterator, Sequence

from torch.utils.data import IterableDataset


def image_iterations(iterations: int, keep: Sequence[int] = ()) -> list[int]:
    """Return 1, 3, 10, 30, 100, ..., those of `keep`, and the last: iterations whose output is stored as an image."""
    decades = [10**k for k in range(len(str(iterations)))]
    wanted = {*keep, *(i for decade in decades for i in (decade, 3 * decade))}
    return sorted({i for i in wanted if i <= iterations} | {iterations})


def logged_iterations(iterations: int) -> list[int]:
    """Return about 20 iterations per decade, and the last: the points of a curve on a logarithmic axis."""
    points = {round(10 ** (k / 20)) for k in range(20 * len(str(iterations)) + 1)}
    return sorted({i for i in points if i <= iterations} | {iterations})


def block_ends(iterations: int, block: int) -> list[int]:
    """Return the iterations after which the guard looks and curves are read: every `block`, and the last."""
    return [*range(block, iterations, block), iterations]


class Blocks(IterableDataset[tuple[int, int]]):
    """The iterations still to be done, as (after, up to and including) pairs: one Lightning batch each."""

    def __init__(self, ends: list[int], done: int) -> None:
        self.ends = [done, *(end for end in ends if end > done)]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self.ends, self.ends[1:], strict=False)))
