"""Hooks of MkDocs: the committed figures and tables of results/, and examples/, join docs/ when the site is built."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
SHOWN = (
    *("results/*/figures/*.png", "results/*/tables/*.md", "results/*/tables/*.csv", "results/bench/*.md"),
    *("examples/**/*.py", "examples/**/*.yaml"),
)
NOT_COMMITTED = ("reproduced", "smoke", "runs")
"""Folders of results/ that are not in git."""


def on_files(files: Files, config: Any) -> Files:
    """Add figures, tables and examples under their own names, without a copy of them in docs/."""
    for path in sorted(path for pattern in SHOWN for path in ROOT.glob(pattern)):
        name = path.relative_to(ROOT)
        if name.parts[1] not in NOT_COMMITTED:
            files.append(File.generated(config, name.as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links to results/ and examples/ at the top of the repository find them, and give tables a title."""
    name = page.file.src_uri
    if page.file.generated_by:
        markdown = f"# {name}\n\n{markdown}"
    up = "../" * name.count("/")
    return re.sub(rf"\]\(\.\./{up}(?=(results|examples)/)", f"]({up}", markdown)
