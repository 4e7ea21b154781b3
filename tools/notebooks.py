"""Notebooks: Python files in jupytext's percent format, run cell by cell, and shown as pages with their outputs."""

import contextlib
import io
import linecache
from pathlib import Path

import jupytext
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.py"))


def page(notebook: Path, folder: Path) -> str:
    """A notebook as Markdown, run from top to bottom in one namespace; its figures go to `folder`.

    Parameters
    ----------
    notebook : Path
        Of the percent format.
    folder : Path
        Where the page will lie.

    Returns
    -------
    str
        Text cells, code cells and what they printed; an image for every figure that a cell left open.

    Raises
    ------
    Exception
        Whatever a cell raises: the notebook then has no page.
    """
    parts: list[str] = []
    names: dict[str, object] = {"__name__": notebook.stem}
    figures = 0
    for number, cell in enumerate(jupytext.read(notebook).cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        code = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
        parts.append(f"```python\n{code}\n```")
        place = f"{notebook.name}, cell {number}"
        linecache.cache[place] = (len(code), None, code.splitlines(keepends=True), place)  # for tracebacks
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, place, "exec"), names)
        if printed.getvalue().strip():
            parts.append(f"```text\n{printed.getvalue().rstrip()}\n```")
        for open_figure in plt.get_fignums():
            figures += 1
            name = f"{notebook.stem}_{figures}.png"
            plt.figure(open_figure).savefig(folder / name, dpi=110)
            parts.append(f"![Figure {figures} of this notebook, drawn by the lines above]({name})")
        plt.close("all")
    name = notebook.relative_to(ROOT).as_posix()
    parts.append(f"*Run when this site was built, from `{name}`. `jupytext --to ipynb {name}` makes it a notebook.*")
    return "\n\n".join(parts) + "\n"
