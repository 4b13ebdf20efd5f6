"""Check that a folder can be written; imports nothing that loads slowly."""

import tempfile
from pathlib import Path


def check_writable(folder: Path, key: str = "paths.results") -> None:
    """Raise ValueError, naming the setting `key`, if nothing can be written below `folder`. Leave no file behind."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        # By writing: permissions say nothing of read-only, full or special file systems.
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"room?")
    except OSError as error:
        raise ValueError(
            f"{key}={folder}: cannot write in {nearest} ({error.strerror}); choose another folder with {key}="
        ) from None
