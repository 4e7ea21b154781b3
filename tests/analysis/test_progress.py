"""Lines without a terminal, bars with the time left on one; both yield every item in turn."""

import io
import time

import bayes_npp.analysis.progress
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


def test_a_long_step_is_never_silent(monkeypatch):
    monkeypatch.setattr(bayes_npp.analysis.progress, "SILENT", 0.1)
    said = []
    with Progress(said.append) as shown:
        for _ in shown.track("models", ["one"], str):
            time.sleep(0.5)
    assert said[0] == "[models 1/1] one"
    assert len(said) >= 3
    assert all(line.startswith("[models 1/1] one: 0 s so far") for line in said[1:])
    count = len(said)
    time.sleep(0.3)
    assert len(said) == count  # nothing after the end
