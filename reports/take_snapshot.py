"""Copy the parts of a run that are committed: report.md, estimates.csv, claims.csv, figures and the manifest."""

import shutil
import sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
target.mkdir(parents=True, exist_ok=True)
for name in ("report.md", "estimates.csv", "claims.csv", "manifest.json"):
    shutil.copy(source / name, target / name)
shutil.rmtree(target / "figures", ignore_errors=True)
(target / "figures").mkdir()
for figure in sorted((source / "figures").glob("*")):
    if figure.suffix in {".png", ".csv"}:
        shutil.copy(figure, target / "figures" / figure.name)
