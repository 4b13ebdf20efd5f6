"""Fits that are cut off, for the tests of what is resumed."""

import pytest
from conftest import SMALL, Dip

from dip_experiments.fitting.module import DIPModule
from dip_experiments.store import Run


def interrupt_at(monkeypatch: pytest.MonkeyPatch, index: int, error: type[BaseException] = KeyboardInterrupt) -> None:
    plain = DIPModule.iterate

    def iterate(self: DIPModule) -> None:
        at = int(self.row)
        if at == index:
            raise error("cut off")
        plain(self)

    monkeypatch.setattr(DIPModule, "iterate", iterate)


def fitted_in_two_sessions(run: Run, monkeypatch: pytest.MonkeyPatch, dip: Dip, *words: str) -> Run:
    """The run of these words, fitted anew: cut off after 27 iterations and resumed."""
    for path in run.folder.rglob("*.*"):
        path.unlink()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 27)
        assert dip(*SMALL, *words) == 130
    assert dip(*SMALL, *words) == 0
    return Run(run.folder)
