"""The same by pydynpd."""

import json
import sys
import time
from importlib.metadata import version

import pandas as pd
from pydynpd import regression

if __name__ == "__main__":
    frame = pd.read_csv(sys.argv[1]).sort_values(["id", "year"])
    start = time.perf_counter()
    found = regression.abond("n L(1:1).n w k | gmm(n, 2:4) gmm(w, 1:3) iv(k) | collapse", frame, ["id", "year"])
    seconds = time.perf_counter() - start
    table = found.models[0].regression_table
    out = {"seconds": seconds, "estimates": table["coefficient"].tolist()[:3], "errors": table["std_err"].tolist()[:3]}
    print(json.dumps(out | {"version": f"pydynpd {version('pydynpd')}"}))
