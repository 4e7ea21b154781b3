"""Build the documentation site: gather its pages as they lie in the repository, run the notebooks, build, check.

Pages keep their places (`docs/tutorial.md`, `README.md`), so that a link that works there works in the site.
A warning of the builder, a broken link or a resource from elsewhere ends the build.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from check_site import problems
from markdown.extensions.toc import slugify
from notebooks import NOTEBOOKS, page

ROOT = Path(__file__).parents[1]
PAGES, SITE = ROOT / "out" / "pages", ROOT / "out" / "site"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# What lets the search work from files, and where the builder would load it from.
SHIM, SHIM_FROM = "docs/assets/iframe-worker.js", "https://unpkg.com/iframe-worker/shim"


def linked(text: str) -> set[str]:
    """Files that a page links to or shows, as it names them."""
    targets = {target.partition("#")[0] for _, _, target in LINK.findall(FENCE.sub("", text))}
    return {target for target in targets if target and "://" not in target}


def text_of(path: Path) -> str:
    """A page; in a committed report what the snapshot leaves out is named, not linked."""
    text = path.read_text(encoding="utf-8")
    if not path.is_relative_to(ROOT / "reports"):
        return text
    headings = {slugify(heading, "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}

    def there(target: str) -> bool:
        name, _, anchor = target.partition("#")
        return (path.parent / name).exists() if name else anchor in headings

    return LINK.sub(lambda found: found[0] if there(found[3]) else found[2], text)


def gather() -> None:
    """Copy every page that a reader can get to, and the files that pages show."""
    shutil.rmtree(PAGES, ignore_errors=True)
    waiting = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs" / "assets").iterdir()]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or path.with_suffix(".py") in NOTEBOOKS:
            continue
        seen.add(path)
        target = PAGES / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(text_of(path), encoding="utf-8")
            waiting += [(path.parent / name).resolve() for name in linked(text_of(path))]
        else:
            shutil.copy(path, target)


def run_notebooks() -> None:
    """Each notebook as a page with what its cells printed and drew."""
    for notebook in NOTEBOOKS:
        target = PAGES / notebook.relative_to(ROOT).with_suffix(".md")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(notebook, target.parent), encoding="utf-8")


def build() -> None:
    """Pages to HTML without a warning, and nothing loaded from elsewhere."""
    shutil.rmtree(SITE, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=ROOT, check=True)
    for path in SITE.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if SHIM_FROM in text:
            up = "../" * (len(path.relative_to(SITE).parts) - 1)
            path.write_text(text.replace(SHIM_FROM, up + SHIM), encoding="utf-8")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kept", action="store_true", help="keep the notebooks' pages of the last build")
    kept = PAGES / NOTEBOOKS[0].parent.relative_to(ROOT)
    if options.parse_args().kept and kept.exists():
        aside = PAGES.with_name("notebooks")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.move(kept, aside)
        gather()
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(aside, kept)
    else:
        gather()
        run_notebooks()
    build()
    broken = problems(SITE)
    print("\n".join(broken) or f"The site is in {SITE.relative_to(ROOT)}: open index.html there; it needs no network.")
    sys.exit(bool(broken))
