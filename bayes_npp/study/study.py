"""A study is data: what a study file declares, and what is read from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.bayesian.model.error_models import BASE
from bayes_npp.bayesian.priors.sets import PriorSet, load_priors
from bayes_npp.design.lags import with_lags
from bayes_npp.design.scales import Scales
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, located, nearest
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.reading import load_panel
from bayes_npp.panels.transforms import Transform, derive, parse_variable
from bayes_npp.records import Shown, content_hash, is_file, read_toml
from bayes_npp.study.bayesian_model import BayesianModel
from bayes_npp.study.claims import Claim, ClaimRules
from bayes_npp.study.confounding import ConfoundingRules
from bayes_npp.study.differences import Difference
from bayes_npp.study.event_time import EventTime
from bayes_npp.study.header import PaperTable, Roles, StudyHeader
from bayes_npp.study.labels import Labels, labels_in_chinese
from bayes_npp.study.measurement import Measurement
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import MODEL_RECORDS, HierarchicalModel
from bayes_npp.study.overlap import Concept, Overlap, overlaps, parts_of_study
from bayes_npp.study.positions import Position, read_positions
from bayes_npp.study.published import read_published
from bayes_npp.study.robustness import Altered, Robustness, alter, targets
from bayes_npp.study.sample import Sample, baseline_sample

TABLES = (
    "study",
    "roles",
    "variable",
    "model",
    "table",
    "robustness",
    "measurement",
    "overlap",
    "labels",
    "difference",
    "confounding",
    "event_time",
    "claims",
    "claim",
)
READ = ("panel", "published", "positions", "sample")  # properties that keep what they read


@dataclass(frozen=True, repr=False)
class Study(Shown):
    """A parsed study file: what to read, derive and estimate. Nothing is read until `panel` is asked for."""

    path: Path
    header: StudyHeader
    roles: Roles
    variables: tuple[Transform, ...]
    models: tuple[ModelSpec, ...]
    tables: tuple[PaperTable, ...]
    content: dict[str, Any] = field(repr=False)
    robustness: tuple[Robustness, ...] = ()
    measurement: Measurement | None = None
    concepts: tuple[Concept, ...] = ()
    differences: tuple[Difference, ...] = ()
    claims: tuple[Claim, ...] = ()
    claim_rules: ClaimRules = field(default_factory=ClaimRules)
    event_time: EventTime | None = None
    confounding: ConfoundingRules = field(default_factory=ConfoundingRules)
    labels: Labels | None = None

    def headline(self) -> str:
        return f"Study: {self.header.title}"

    def details(self) -> list[str]:
        """What it declares."""
        roles = self.roles
        models = [f"{model.name} ({model.kind})" for model in self.models]
        counts = {"robustness rows": self.robustness, "claims": self.claims, "tables of the paper": self.tables}
        return [
            f"file: {shown_path(self.path)}; panel: {self.header.panel}",
            f"{roles.outcome} on {roles.exposure}; controls: {', '.join(roles.controls) or 'none'}",
            f"mediators: {', '.join(roles.mediators) or 'none'}; {len(self.variables)} derived variables",
            f"{len(models)} models: {', '.join(models)}",
            ", ".join(f"{len(rows)} {what}" for what, rows in counts.items()),
        ]

    @property
    def name(self) -> str:
        return self.path.resolve().parent.name

    @property
    def panel_path(self) -> Path:
        return self.path.parent / self.header.panel

    @cached_property
    def panel(self) -> Panel:
        """The panel with every derived variable."""
        header = self.header
        panel = load_panel(
            self.panel_path,
            header.unit,
            header.time,
            header.group,
            header.window,
            header.encoding,
            period=header.period,
            step=header.step,
            missing=header.missing,
        )
        panel = replace(panel, source=shown_path(self.panel_path))
        with located(shown_path(self.path)):
            return with_lags(derive(panel, self.variables), self._named_columns(), self.roles.outcome)

    def _named_columns(self) -> list[str]:
        """Regressors of the roles and of models and robustness rows, lags among them."""
        lists = [
            self.roles.controls,
            *((getattr(own, "controls", None) or ()) for own in self.models + self.robustness),
        ]
        single = [self.roles.exposure, *(getattr(own, "exposure", None) for own in self.models + self.robustness)]
        return [*(name for name in single if name), *(name for names in lists for name in names)]

    @cached_property
    def published(self) -> pd.DataFrame | None:
        """The published numbers, as printed, or None."""
        return read_published(self.path.parent / self.header.published) if self.header.published else None

    @cached_property
    def positions(self) -> dict[str, Position]:
        """Where units stand on a grid of tiles; empty where the study says nothing."""
        return read_positions(self.path.parent / self.header.positions) if self.header.positions else {}

    @cached_property
    def sample(self) -> Sample:
        """The baseline sample: the panel, the roles, and the scales that every model shares.

        Scales are taken within the effects of the first hierarchical model.
        """
        first = next((model for model in self.models if isinstance(model, HierarchicalModel)), None)
        if first is not None and first.leaves_errors:
            first = first.with_errors(BASE)
        return baseline_sample(self.panel, self.roles, None if first is None else first.spec(self.roles))

    @property
    def scales(self) -> Scales:
        """Divisors of the baseline sample (the study's roles on its window), shared by every model."""
        return self.sample.scales

    def spec(self, model: ModelSpec) -> Spec:
        """The specification of one of the study's models."""
        return model.spec(self.roles)

    def model(self, name: str) -> ModelSpec:
        """The model of that name, or `SpecError` with the nearest known one."""
        for model in self.models:
            if model.name == name:
                return model
        raise SpecError(
            f"unknown model '{name}'", place=shown_path(self.path), fix=nearest(name, [m.name for m in self.models])
        )

    @cached_property
    def overlaps(self) -> tuple[Overlap, ...]:
        """What variables of different roles share, alternative exposures among them."""
        exposures = self.measurement.exposures if self.measurement else ()
        return overlaps(parts_of_study(self.roles, self.models, exposures), self.variables, self.concepts)

    @cached_property
    def altered(self) -> tuple[tuple[str, Robustness, Altered], ...]:
        """Every robustness row, once for each model it applies to: the model's name, the row, what it estimates."""
        rows = []
        for row in self.robustness:
            with located(f"{shown_path(self.path)}, robustness '{row.name}'"):
                rows += [(model.name, row, alter(self.sample, model, row)) for model in targets(row, self.models)]
        return tuple(rows)

    @property
    def labels_zh(self) -> dict[str, str]:
        """What units and groups are called in Chinese, by the panel's labels."""
        return labels_in_chinese(self.labels, self.panel)

    def with_models(self, models: Mapping[str, ModelSpec]) -> "Study":
        """The study with other models in the place of those of their names; what was read is not read again."""
        other = replace(self, models=tuple(models.get(model.name, model) for model in self.models))
        other.__dict__.update({name: own for name in READ if (own := self.__dict__.get(name)) is not None})
        return other

    @property
    def simplest(self) -> "Study":
        """The study with independent errors where its models leave them to the ladder: what is known before a fit."""
        left = [model for model in self.models if isinstance(model, BayesianModel) and model.leaves_errors]
        if not left:
            return self
        assert self.sample  # read here, so that both have it
        return self.with_models({model.name: model.with_errors(BASE) for model in left})

    def priors(self, model: BayesianModel) -> PriorSet:
        return load_priors(model.priors, self.path.parent)

    def content_hash(self) -> str:
        """SHA-256 of the study file's content."""
        return content_hash(self.content)


def load_study(path: str | Path) -> Study:
    """Read and validate a study file (a folder with a study.toml, or the file).

    Raises
    ------
    SpecError
        No file, invalid TOML, an unknown table or key (with the nearest known name), a wrong type.
    """
    path = Path(path)
    if path.suffix != ".toml" or is_file(path / "study.toml"):
        path = path / "study.toml"
    if not is_file(path):
        raise SpecError("there is no study here", place=str(path), fix="Give a folder with a study.toml, or the file")
    place = shown_path(path)
    content = read_toml(path, place)
    for table in content:
        if table not in TABLES:
            raise SpecError(f"unknown table [{table}]", place=place, fix=nearest(table, TABLES))
    for table in ("study", "roles", "model"):
        if not content.get(table):
            raise SpecError(f"table [{table}] is missing", place=place, fix=f"A study has {', '.join(TABLES)}")
    for table in ("variable", "model", "table", "robustness", "overlap", "difference", "claim"):
        if not isinstance(content.get(table, []), list):
            raise SpecError(f"[{table}] must be a list of tables", place=place, fix=f"Write [[{table}]]")

    def parsed[T](name: str, parse: Callable[[Any, str], T]) -> tuple[T, ...]:
        tables = enumerate(content.get(name, []), start=1)
        return tuple(parse(table, f"{place}, [[{name}]] {number}") for number, table in tables)

    header = StudyHeader.parse(content["study"], f"{place}, [study]")
    roles = Roles.parse(content["roles"], f"{place}, [roles]")
    variables = parsed("variable", parse_variable)
    models = parsed("model", _parse_model)
    _names_differ([model.name for model in models], "models", "model", place)
    robustness = parsed("robustness", Robustness.parse)
    _names_differ([row.name for row in robustness], "robustness rows", "row", place)
    tables = parsed("table", PaperTable.parse)
    differences = parsed("difference", Difference.parse)
    _names_differ([one.name for one in differences], "differences", "difference", place)
    claims = parsed("claim", Claim.parse)
    _names_differ([claim.id for claim in claims], "claims", "claim", place)
    measurement = None
    if "measurement" in content:
        measurement = Measurement.parse(content["measurement"], f"{place}, [measurement]")
    return Study(
        path=path,
        header=header,
        roles=roles,
        variables=variables,
        models=models,
        tables=tables,
        content=content,
        robustness=robustness,
        measurement=measurement,
        concepts=parsed("overlap", Concept.parse),
        differences=differences,
        claims=claims,
        claim_rules=ClaimRules.parse(content.get("claims", {}), f"{place}, [claims]"),
        event_time=EventTime.parse(content["event_time"], f"{place}, [event_time]")
        if "event_time" in content
        else None,
        confounding=ConfoundingRules.parse(content.get("confounding", {}), f"{place}, [confounding]"),
        labels=Labels.parse(content["labels"], f"{place}, [labels]") if "labels" in content else None,
    )


def _names_differ(names: list[str], what: str, one: str, place: str) -> None:
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise SpecError(f"two {what} are named '{twice[0]}'", place=place, fix=f"Give each {one} its own name")


def _parse_model(table: Any, place: str) -> ModelSpec:
    kind = table.get("kind") if isinstance(table, dict) else None
    label = f"{place} '{table.get('name', '')}'" if isinstance(table, dict) else place
    if not isinstance(kind, str) or kind not in MODEL_RECORDS:
        problem = "key 'kind' is missing" if kind is None else f"unknown kind '{kind}'"
        raise SpecError(problem, place=label, fix=nearest(str(kind), MODEL_RECORDS))
    return MODEL_RECORDS[kind].parse(table, label)


def shown_path(path: Path) -> str:
    """The path as a reader would type it from the current folder."""
    resolved = path.resolve()
    here = Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(path)
