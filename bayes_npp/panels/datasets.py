"""Panels that travel with the package, each with its dictionary and its sources."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from bayes_npp.errors import nearest
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.reading import load_panel
from bayes_npp.records import Shown, read_toml
from bayes_npp.store import shipped


@dataclass(frozen=True, repr=False)
class Dataset(Shown):
    """A panel with what is known of it.

    Attributes
    ----------
    name : str
    path : Path
        Of panel.csv.
    """

    name: str
    path: Path

    @cached_property
    def panel(self) -> Panel:
        """Its rows as a panel, by the keys that keys.toml names."""
        keys = read_toml(self.path.with_name("keys.toml"), str(self.path.with_name("keys.toml")))
        return load_panel(self.path, keys["unit"], keys["time"], keys["group"])

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Its rows as they are."""
        return pd.read_csv(self.path)

    @cached_property
    def dictionary(self) -> pd.DataFrame:
        """One row a column: what it is, its unit, where it comes from."""
        return pd.read_csv(self.path.with_name("dictionary.csv"))

    @property
    def sources(self) -> str:
        """Where the numbers come from, and under which licence."""
        return self.path.with_name("SOURCES.md").read_text(encoding="utf-8")

    def headline(self) -> str:
        return f"Dataset {self.name}: {self.panel.balance()}"

    def details(self) -> list[str]:
        """Keys, columns, where they come from."""
        return [
            *self.panel.details()[:3],
            "columns in words: .dictionary; origin and licence: .sources; rows: .panel, .frame",
        ]


class Datasets:
    """The panels that travel with the package: attributes by name; called, their names."""

    def __call__(self) -> list[str]:
        """Names of the panels."""
        return sorted(path.parent.name for path in shipped("datasets", "data").glob("*/panel.csv"))

    def __getattr__(self, name: str) -> Dataset:
        if name not in self():
            raise AttributeError(f"there is no dataset '{name}'. {nearest(name, self())}")
        return Dataset(name, shipped("datasets", "data") / name / "panel.csv")

    def __dir__(self) -> list[str]:
        return self()

    def __repr__(self) -> str:
        return f"Datasets: {', '.join(self())}"


datasets = Datasets()
