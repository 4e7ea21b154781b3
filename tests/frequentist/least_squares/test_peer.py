"""The same regression in gretl."""

import re
import shutil
import subprocess

import pytest

import bayes_npp as bn
from tests.conftest import REFERENCE

GRETL = shutil.which("gretlcli")


@pytest.mark.peer
@pytest.mark.skipif(GRETL is None, reason="gretl is not installed")
def test_twfe_of_produc_in_gretl(tmp_path, produc, produc_spec):
    script = tmp_path / "produc.inp"
    script.write_text(
        f'open "{REFERENCE / "produc.csv"}" --quiet\n'
        "setobs state year --panel-vars\n"
        "logs gsp pcap pc emp\n"
        "panel l_gsp const l_pcap l_pc l_emp unemp --time-dummies --quiet\n"
        'printf "%.12g %.12g\\n", $coeff(l_pcap), $stderr(l_pcap)\n',
        encoding="utf-8",
    )
    out = subprocess.run([GRETL, "-b", str(script)], capture_output=True, text=True, check=True).stdout
    numbers = [
        line for line in out.splitlines() if re.fullmatch(r"-?[\d.]+(?:e-?\d+)? [\d.]+(?:e-?\d+)?", line.strip())
    ]
    coefficient, se = map(float, numbers[-1].split())
    ours = bn.twfe(produc, produc_spec, covariance="classical").frame.iloc[0]
    assert ours["estimate"] == pytest.approx(coefficient, rel=1e-6)
    assert ours["spread"] == pytest.approx(se, rel=1e-5)
