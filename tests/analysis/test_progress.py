"""Lines without a terminal, bars with the time left on one; both yield every item in turn."""

import io

from bayes_npp.analysis.progress import Bars, Progress


def test_lines():
    said = []
    with Progress(said.append) as progress:
        assert list(progress.track("models", [1, 2], lambda n: f"model {n}")) == [1, 2]
    assert said == ["[models 1/2] model 1", "[models 2/2] model 2"]
    assert list(Progress().track("models", [1], str)) == [1]


def test_bars(monkeypatch):
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", shown)
    with Bars() as progress:
        outer = []
        for item in progress.track("models", ["[a]", "b"], str):
            outer.append(item)
            progress.say(f"[bold] {item}")
            assert list(progress.track("neighbours", [1, 2], str)) == [1, 2]
    assert outer == ["[a]", "b"]
    text = shown.getvalue()
    for word in ("models", "2/2", "left:", "[bold] [a]", "neighbours"):
        assert word in text
