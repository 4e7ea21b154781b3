"""Source columns and concepts behind more than one role."""

from bayes_npp.panels.transforms import parse_variable
from bayes_npp.study.overlap import Concept, inputs, overlaps, source_columns


def test_overlaps_are_followed_through_derived_variables():
    declared = [
        {"name": "total", "sum": ["a", "b"]},
        {"name": "share", "ratio": ["a", "c"]},
        {"name": "old", "lag": "share"},
        {"name": "made", "index": "equal", "positive": ["total", "d"]},
        {"name": "split", "baseline_split": "c", "at": 2000},
    ]
    variables = [parse_variable(table, "here") for table in declared]
    assert source_columns("made", {v.name: v for v in variables}) == ("a", "b", "d")
    parts = [("outcome", "made"), ("exposure", "old"), ("control", "e"), ("control", "f"), ("grouping", "split")]
    concept = Concept(concept="trade", columns=("e", "total"))
    alone = Concept(concept="alone", columns=("e", "f"))
    found = overlaps(parts, variables, [concept, alone])
    assert [(o.kind, o.what, o.roles) for o in found] == [
        ("column", "a", ("outcome", "exposure")),
        ("column", "c", ("exposure", "grouping")),
        ("concept", "trade", ("outcome", "exposure", "control")),
    ]
    assert overlaps([("outcome", "d"), ("exposure", "e")], variables) == ()


def test_overlaps_of_the_default_study(study):
    found = {overlap.what: overlap.roles for overlap in study.overlaps}
    assert found["fiscal_exp_scitech_100m_cny"] == ("outcome", "mediator")
    assert found["the digital economy"] == ("outcome", "exposure", "grouping")


def test_an_amount_at_constant_prices_is_made_from_its_prices_too():
    variable = parse_variable({"name": "real", "deflate": "gdp", "by": "cpi", "base": 2015}, "variable 1")
    assert inputs(variable) == ("gdp", "cpi")
