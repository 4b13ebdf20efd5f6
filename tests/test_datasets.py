"""The paper's pictures come whole, right and once, or it is said in plain words why they do not."""

import csv
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from dip_experiments.data import datasets
from dip_experiments.data.datasets import PICTURES, File, fetch, files, locate, main, parts

CONTENT = {
    f"repository/{'c' * 40}/a folder/{name}.png": np.random.default_rng(i).bytes(9000) for i, name in enumerate("abc")
}
"""Path on the server -> what lies there."""


def pretended() -> list[File]:
    """Three files: two pictures, one with a companion."""
    names = {"a": ("set/a", "image"), "b": ("set/a", "mask"), "c": ("other/c", "image")}
    return [
        File(
            *names[Path(path).stem],
            path=f"{names[Path(path).stem][0]}/{Path(path).name}",
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            repository="repository",
            commit="c" * 40,
            source_path=path.split("/", 2)[2],
        )
        for path, content in CONTENT.items()
    ]


class Server(ThreadingHTTPServer):
    """Serves CONTENT, but what `faults` says: a status instead of a file, other bytes, or only the first of them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: Counter[str] = Counter()
        self.faults: dict[str, list[int | bytes]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = unquote(self.path).lstrip("/")
        name = Path(path).stem
        self.server.asked[name] += 1
        whole = CONTENT[path]
        faults = self.server.faults.get(name, [])
        fault = faults.pop(0) if faults else whole
        self.send_response(fault if isinstance(fault, int) else 200)
        self.send_header("Content-Length", str(0 if isinstance(fault, int) else len(whole)))
        self.end_headers()
        if isinstance(fault, bytes):
            self.wfile.write(fault)

    def log_message(self, *_: object) -> None:
        pass


CUT, OTHER, GONE = b"half of it", b"x" * 9000, 404
FAULTS = {CUT: "no connection to the server, or it was cut", OTHER: "wrong checksum", GONE: "404 Not Found"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server of three files, and nothing but the folder `data` to keep them in."""
    monkeypatch.setattr(datasets, "files", pretended)
    monkeypatch.setattr(datasets, "SHARED", tmp_path / "shared" / "data")
    monkeypatch.setattr(datasets, "RETRIES", 0)
    monkeypatch.setenv("DIP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "*")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def there(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WHOLE = {file.path: content for file, content in zip(pretended(), CONTENT.values(), strict=True)}


def test_everything_is_fetched_and_located_and_asked_for_once(server: Server, tmp_path: Path) -> None:
    assert fetch(tmp_path / "data", server.address) == 3
    assert there(tmp_path / "data") == WHOLE
    assert locate("set/a").read_bytes() == WHOLE["set/a/a.png"]
    assert locate("set/a", "mask") == tmp_path / "data" / "set" / "a" / "b.png"
    assert fetch(tmp_path / "data", server.address) == 0
    assert server.asked == dict.fromkeys("abc", 1)


def test_only_what_is_missing_is_fetched(server: Server, tmp_path: Path) -> None:
    fetch(tmp_path / "data", server.address)
    locate("set/a", "mask").unlink()
    assert fetch(tmp_path / "data", server.address) == 1
    assert server.asked == {"a": 1, "b": 2, "c": 1}


def test_fetched_files_can_be_read_by_whom_the_folder_is_open_to(server: Server, tmp_path: Path) -> None:
    fetch(tmp_path / "data", server.address)
    for path in ("set/a/a.png", "other/c/c.png"):
        file = tmp_path / "data" / path
        assert file.stat().st_mode & 0o444 == file.parent.stat().st_mode & 0o444


@pytest.mark.parametrize("fault", FAULTS, ids=["cut", "other", "gone"])
def test_a_failure_leaves_no_half_and_asking_again_goes_on(
    fault: int | bytes, server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.faults = {"b": [fault]}
    assert main([], server.address) == 1
    told = capfd.readouterr().err
    assert FAULTS[fault] in told
    assert "a%20folder/b.png" in told
    assert "ask again" in told
    assert "Traceback" not in told
    assert there(tmp_path / "data") == {"set/a/a.png": WHOLE["set/a/a.png"]}
    assert main([], server.address) == 0
    assert there(tmp_path / "data") == WHOLE
    assert server.asked == {"a": 1, "b": 2, "c": 1}


def test_no_network_is_reported_in_two_lines(server: Server, tmp_path: Path) -> None:
    with Server() as closed:
        nobody = closed.address
    with pytest.raises(ConnectionError, match="no connection") as refusal:
        fetch(tmp_path / "data", nobody)
    assert len(str(refusal.value).splitlines()) == 2
    assert there(tmp_path / "data") == {}
    assert fetch(tmp_path / "data", server.address) == 3


def test_a_short_fault_is_overcome_by_asking_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datasets, "RETRIES", 2)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    server.faults = {"b": [CUT, OTHER]}
    assert main([], server.address) == 0
    assert there(tmp_path / "data") == WHOLE
    assert "Will attempt" not in capfd.readouterr().err


def test_right_files_next_to_the_checkout_are_copied(server: Server, tmp_path: Path) -> None:
    for path, content in {**WHOLE, "set/a/b.png": b"another"}.items():
        copy = tmp_path / "shared" / "data" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    assert fetch(tmp_path / "data", server.address) == 3
    assert server.asked == {"b": 1}
    assert there(tmp_path / "data") == WHOLE


def test_another_file_under_the_name_is_refused_and_never_overwritten(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "data" / "other" / "c" / "c.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert main([], server.address) == 2
    told = capfd.readouterr().err
    assert f"{mine}: not the paper's picture (wrong checksum); delete this file" in told
    assert len(told.splitlines()) == 1
    with pytest.raises(ValueError, match="wrong checksum") as refusal:
        locate("other/c")
    assert "make data" in str(refusal.value)
    assert there(tmp_path / "data") == {"other/c/c.png": b"mine"}


def test_a_folder_that_cannot_be_one_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DIP_DATA", str(tmp_path / "file" / "data"))
    assert main([], server.address) == 2
    assert "choose another folder with DIP_DATA=" in capfd.readouterr().err
    assert not server.asked


def test_what_is_not_there_is_reported_in_one_line_with_what_to_do(server: Server, tmp_path: Path) -> None:
    wrong = {
        ("set/a", "image"): rf"image=set/a: not on this machine \(looked in {tmp_path / 'data'}\); .*make data",
        ("set/a", "mask"): "image=set/a, its mask: not on this machine",
        ("other/c", "mask"): "other/c has no mask; it has image",
        ("set/b", "image"): r"image=set/b: there is no such picture; did you mean set/a\?",
    }
    for (picture, part), message in wrong.items():
        with pytest.raises(ValueError, match=message) as refusal:
            locate(picture, part)
        assert len(str(refusal.value).splitlines()) == 1
    assert parts("set/a") == ("image", "mask")


def test_pictures_are_looked_for_in_the_chosen_folder_alone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(tmp_path / "shared" / "data", server.address)
    with pytest.raises(ValueError, match="not on this machine"):
        locate("set/a")
    monkeypatch.delenv("DIP_DATA")
    assert locate("set/a") == tmp_path / "shared" / "data" / "set" / "a" / "a.png"
    monkeypatch.setattr(datasets, "SHARED", tmp_path / "none")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="dip_experiments"):
        locate("set/a")


def test_the_table_says_what_the_manifest_says(shared: Path) -> None:
    with (shared / "data" / "MANIFEST.csv").open(newline="") as manifest:
        wanted = {row.pop("path"): row for row in csv.DictReader(manifest)}
    for left_out in ("sr/zebra_crop.png", "restoration/kate.png"):
        del wanted[left_out]
    ours = {
        file.path: {
            "bytes": str(file.bytes),
            "sha256": file.sha256,
            "repository": file.repository,
            "commit": file.commit,
            "source_path": file.source_path,
        }
        for file in files()
    }
    assert ours == wanted
    assert files()[0].url(datasets.SERVER) == (
        "https://raw.githubusercontent.com/DmitryUlyanov/dmitryulyanov.github.io/"
        "eb9ce4fae8917eabdd345b3244a3c53f44595ab8/assets/deep-image-prior/Denoising/Color/25/F16_GT.png"
    )


def test_extra_inputs_fit_their_picture(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIP_DATA", raising=False)
    for picture in PICTURES:
        sizes = set()
        for part in parts(picture):
            with Image.open(locate(picture, part)) as opened:
                sizes.add(opened.size)
        assert len(sizes) == 1, picture
    kinds = Counter(file.part for file in files())
    assert kinds == {"image": 46, "noisy25": 9, "masked50": 11, "bicubic_x4": 5, "mask": 3, "flash": 1}
    half = np.asarray(Image.open(locate("standard11/barbara", "masked50")))
    assert np.mean(half == 0) == pytest.approx(0.5, abs=0.01)
