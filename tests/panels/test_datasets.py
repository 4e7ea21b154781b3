"""Panels that travel with the package."""

import pytest

import bayes_npp as bn


@pytest.mark.parametrize("name", bn.datasets())
def test_panel_dictionary_and_sources_belong_together(name):
    data = getattr(bn.datasets, name)
    balance = data.panel.balance()
    assert (balance.n_units, len(data.frame)) in {(31, 217), (30, 450), (31, balance.n_rows), (30, balance.n_rows)}
    keys = {data.panel.unit, data.panel.time, data.panel.group}
    assert keys <= set(data.frame)
    assert set(data.dictionary["column"]) <= set(data.frame) | keys
    assert data.sources.startswith("# ")
    assert len(repr(data)) < 2000


def test_names_are_listed_and_others_refused():
    assert bn.datasets() == ["china_provinces", "fiscal_tfp"] == dir(bn.datasets)
    with pytest.raises(AttributeError, match="china_provinces"):
        _ = bn.datasets.china_province
