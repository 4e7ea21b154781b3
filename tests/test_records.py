"""What a wrong value of a record must be, in the words of a study file."""

import pytest

import bayes_npp as bn
from bayes_npp.study.header import Roles, StudyHeader

HEADER = {"title": "a", "panel": "b", "unit": "c", "time": "d"}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Roles(outcome=1, exposure="x"), "'outcome' has the wrong value 1. It must be text, in quotes"),
        (lambda: Roles(outcome="y", exposure="x", controls="z"), "'controls'.*It must be a list"),
        (lambda: Roles(outcome="y", exposure="x", controls=["z", 1]), "'controls.1'.*It must be text"),
        (lambda: StudyHeader(**HEADER, seed="1"), "'seed'.*It must be a whole number"),
        (lambda: StudyHeader(**HEADER, replicates="yes"), "'replicates'.*It must be true or false"),
        (lambda: StudyHeader(**HEADER, tolerance_se="small"), "'tolerance_se'.*It must be a number"),
        (lambda: bn.Spec(outcome="y", exposure="x", dynamic=1), "'dynamic'.*It must be true or false"),
    ],
)
def test_messages_say_list_text_and_number(build, message):
    with pytest.raises(bn.BayesNppError, match=message):
        build()
