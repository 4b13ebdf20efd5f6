"""Where a request is made: another thread, a folder that was removed, encodings and names that are no UTF-8."""

import io
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from conftest import SMALL, Dip

from dip_experiments.cli.main import main


def test_in_another_thread_a_request_is_answered_and_signals_are_left_alone(dip: Dip) -> None:
    before, codes = signal.getsignal(signal.SIGINT), list[int]()
    thread = threading.Thread(target=lambda: codes.append(dip(*SMALL, "fit.iterations=2")))
    thread.start()
    thread.join()
    assert codes == [0]
    assert signal.getsignal(signal.SIGINT) is before


def test_in_a_folder_that_was_removed_the_request_is_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def removed() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", removed)
    assert main(["scale=smoke"]) == 2
    assert capfd.readouterr().err == "the working folder was removed; go to one that exists, such as `cd ~`\n"


def test_what_a_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="cp1252"))
    assert main(["--version"]) == 0
    print("\u7167.png", flush=True)
    assert shown.getvalue().endswith(b"\\u7167.png\n")


def test_a_name_that_is_no_utf_8_is_written_as_it_is(
    dip: Dip, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    name, words = os.fsdecode(b"gr\xf6.png"), [*SMALL, "fit.iterations=2", "target=natural"]
    assert dip(*words, f"output={tmp_path / name}") == 0
    assert name in os.listdir(tmp_path)
    assert dip(*words, "image.size=null", f"image.path={tmp_path / name}") == 0
    capfd.readouterr()  # the processes of pytest-xdist cannot exchange such names
    caplog.clear()
