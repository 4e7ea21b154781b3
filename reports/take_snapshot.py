"""Copy the parts of a run that are committed: report.md, estimates.csv, claims.csv, figures and the manifest.

The manifest's path of the study is written anew, from where the copy lies: the run may have been anywhere.
"""

import os
import shutil
import sys
from pathlib import Path

from bayes_npp.store import read_sealed_json, write_sealed_json

source, target = Path(sys.argv[1]), Path(sys.argv[2])
target.mkdir(parents=True, exist_ok=True)
for name in ("report.md", "estimates.csv", "claims.csv"):
    shutil.copy(source / name, target / name)
manifest, _ = read_sealed_json(source / "manifest.json")
study = (source / manifest["study_file"]).resolve()
relative = Path(os.path.relpath(study, target.resolve())).as_posix()
write_sealed_json(target / "manifest.json", {**manifest, "study_file": relative})
shutil.rmtree(target / "figures", ignore_errors=True)
(target / "figures").mkdir()
for figure in sorted((source / "figures").glob("*")):
    if figure.suffix in {".png", ".csv"}:
        shutil.copy(figure, target / "figures" / figure.name)
