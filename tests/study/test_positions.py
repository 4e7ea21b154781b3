"""Places of units on a grid of tiles: read, or refused by row."""

import pytest

import bayes_npp as bn
from bayes_npp.errors import SpecError
from bayes_npp.study.checks import check_study
from bayes_npp.study.positions import Position, read_positions
from tests.conftest import ROOT


def test_the_default_study_has_a_place_for_every_unit():
    study = bn.load_study(ROOT / "models" / "digital_trade")
    assert set(study.positions) == set(study.panel.frame[study.panel.unit])
    assert study.positions["Heilongjiang"] == Position(0, 8, "HL")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unit,row,column\na,1,2\n", "no column 'short'"),
        ("unit,row,column,short\na,1,x,A\n", "row 2: row and column are whole numbers"),
        ("unit,row,column,short\na,1,-2,A\n", "row 2: row and column are whole numbers"),
        ("unit,row,column,short\na,1,2,A\nb,1,2,B\n", "row 3: 'b' or its place is named twice"),
        ("unit,row,column,short\na,1,2,A\na,1,3,A\n", "row 3: 'a' or its place is named twice"),
    ],
)
def test_what_is_wrong_is_named_by_row(tmp_path, text, message):
    path = tmp_path / "positions.csv"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        read_positions(path)


def test_no_file_and_an_unknown_unit_are_named(tmp_path):
    with pytest.raises(SpecError, match="does not exist"):
        read_positions(tmp_path / "positions.csv")
    cells = [(u, t, t * k, (t + k) ** 2) for k, u in enumerate("abcde", 1) for t in range(4)]
    lines = ["unit,time,y,x", *(",".join(map(str, row)) for row in cells)]
    (tmp_path / "panel.csv").write_text("\n".join(lines))
    (tmp_path / "positions.csv").write_text("unit,row,column,short\nf,0,0,F\n")
    (tmp_path / "study.toml").write_text(
        '[study]\ntitle = "t"\npanel = "panel.csv"\nunit = "unit"\ntime = "time"\npositions = "positions.csv"\n'
        '[roles]\noutcome = "y"\nexposure = "x"\n[[model]]\nname = "plain"\nkind = "pooled_ols"\n'
    )
    with pytest.raises(SpecError, match="unknown unit 'f'"):
        check_study(bn.load_study(tmp_path / "study.toml"))


def test_units_have_the_form_of_the_panels_labels(tmp_path):
    path = tmp_path / "positions.csv"
    path.write_text("unit,row,column,short\n\uff21nhui\u200b,1,2,A\n", encoding="utf-8")
    assert list(read_positions(path)) == ["Anhui"]
