"""A study is data: load it, check it, run it."""

import tomllib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.bayesian.mediation.equations import check_quantities
from bayes_npp.bayesian.mediation.missing import treat
from bayes_npp.bayesian.priors.grid import load_grid
from bayes_npp.bayesian.priors.sets import PriorSet, check_priors, load_priors
from bayes_npp.design.design import Design, Scales, build_design, check_membership, check_two_way
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.design.spec import Spec
from bayes_npp.errors import BayesNppError, SpecError, nearest
from bayes_npp.frequentist.dynamic.moments import Equations, build_moments
from bayes_npp.frequentist.least_squares.absorbed import check_absorbed
from bayes_npp.frequentist.mediation.equations import path_equations
from bayes_npp.panels.panel import Panel, read_panel
from bayes_npp.panels.transforms import Transform, derive, parse_variable
from bayes_npp.records import content_hash
from bayes_npp.study.claims import Claim, ClaimRules
from bayes_npp.study.index_variants import check_measurement
from bayes_npp.study.measurement import Measurement
from bayes_npp.study.models import (
    MODEL_RECORDS,
    FrequentistModel,
    GmmModel,
    HierarchicalModel,
    MediationModel,
    MediationPathsModel,
    ModelSpec,
    PaperTable,
    Roles,
    StudyHeader,
    declared_paths,
    dynamic_regressors,
    model_spec,
)
from bayes_npp.study.overlap import Concept, Overlap, check_concepts, overlaps, parts_of_study
from bayes_npp.study.published import read_published
from bayes_npp.study.robustness import Altered, Robustness, alter, check_altered, targets

TABLES = ("study", "roles", "variable", "model", "table", "robustness", "measurement", "overlap", "claims", "claim")


@dataclass(frozen=True)
class Study:
    """A parsed study file: what to read, derive and estimate. Nothing is computed until `panel` is asked for."""

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
    claims: tuple[Claim, ...] = ()
    claim_rules: ClaimRules = field(default_factory=ClaimRules)

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
        panel = read_panel(self.panel_path, header.unit, header.time, header.group, header.window, header.encoding)
        panel = replace(panel, source=_short(self.panel_path))
        try:
            return derive(panel, self.variables)
        except BayesNppError as error:
            raise error.at(_short(self.path)) from None

    @cached_property
    def published(self) -> pd.DataFrame | None:
        """The published numbers, as printed, or None."""
        return read_published(self.path.parent / self.header.published) if self.header.published else None

    @cached_property
    def scales(self) -> Scales:
        """Divisors of the baseline sample (the study's roles on its window), shared by every model."""
        roles = self.roles
        return build_design(
            self.panel, Spec(outcome=roles.outcome, exposure=roles.exposure, controls=roles.controls)
        ).scales

    def spec(self, model: ModelSpec) -> Spec:
        """The specification of one of the study's models."""
        return model_spec(model, self.roles)

    def equations(self, model: GmmModel) -> Equations:
        """Equations and instruments of one of the study's GMM models."""
        return Equations(
            outcome=self.roles.outcome,
            regressors=dynamic_regressors(model, self.roles),
            gmm=model.gmm_instruments,
            iv=model.iv,
            system=model.kind == "system_gmm",
            transform=model.transform,
            time_dummies=model.time_dummies,
            collapse=model.collapse,
        )

    def model(self, name: str) -> ModelSpec:
        """The model of that name, or `SpecError` with the nearest known one."""
        for model in self.models:
            if model.name == name:
                return model
        raise SpecError(
            f"unknown model '{name}'", place=_short(self.path), fix=nearest(name, [m.name for m in self.models])
        )

    def mediators(self, model: MediationModel | MediationPathsModel) -> tuple[str, ...]:
        """The mediators of a model: its own, or the study's."""
        return self.roles.mediators if model.mediators is None else model.mediators

    @cached_property
    def overlaps(self) -> tuple[Overlap, ...]:
        """What variables of different roles share, alternative exposures among them."""
        exposures = self.measurement.exposures if self.measurement else ()
        return overlaps(parts_of_study(self.roles, self.models, exposures), self.variables, self.concepts)

    def altered(self) -> list[tuple[str, Robustness, Altered]]:
        """Every robustness row, once for each model it applies to: the model's name, the row, what it estimates."""
        rows = []
        for row in self.robustness:
            try:
                for model in targets(row, self.models):
                    rows.append((model.name, row, alter(self.panel, self.roles, self.scales, model, row)))
            except BayesNppError as error:
                raise error.at(f"{_short(self.path)}, robustness '{row.name}'") from None
        return rows

    def on(self, altered: Altered) -> "Study":
        """The study with the data and roles of a robustness row, and the baseline's scales."""
        other = replace(self, roles=altered.roles)
        vars(other).update(panel=altered.panel, scales=altered.scales)  # cached: never computed from the file again
        return other

    def with_panel(self, panel: Panel) -> "Study":
        """The study with another panel, and the baseline's scales."""
        other = replace(self)
        vars(other).update(panel=panel, scales=self.scales)
        return other

    def priors(self, model: HierarchicalModel | MediationModel) -> PriorSet:
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
    path = path / "study.toml" if path.is_dir() or path.suffix != ".toml" else path
    if not path.is_file():
        raise SpecError("there is no study here", place=str(path), fix="Give a folder with a study.toml, or the file")
    place = _short(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"the file is not valid TOML ({error})", place=place, fix="Correct the line") from None
    for table in content:
        if table not in TABLES:
            raise SpecError(f"unknown table [{table}]", place=place, fix=nearest(table, TABLES))
    for table in ("study", "roles", "model"):
        if not content.get(table):
            raise SpecError(f"table [{table}] is missing", place=place, fix=f"A study has {', '.join(TABLES)}")
    for table in ("variable", "model", "table", "robustness", "overlap", "claim"):
        if not isinstance(content.get(table, []), list):
            raise SpecError(f"[{table}] must be a list of tables", place=place, fix=f"Write [[{table}]]")
    header = StudyHeader.parse(content["study"], f"{place}, [study]")
    roles = Roles.parse(content["roles"], f"{place}, [roles]")
    variables = tuple(
        parse_variable(table, f"{place}, [[variable]] {number}")
        for number, table in enumerate(content.get("variable", []), start=1)
    )
    models = tuple(
        _parse_model(table, f"{place}, [[model]] {number}") for number, table in enumerate(content["model"], start=1)
    )
    names = [model.name for model in models]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise SpecError(f"two models are named '{twice[0]}'", place=place, fix="Give each model its own name")
    robustness = tuple(
        Robustness.parse(table, f"{place}, [[robustness]] {number}")
        for number, table in enumerate(content.get("robustness", []), start=1)
    )
    rows = [row.name for row in robustness]
    twice = [name for i, name in enumerate(rows) if name in rows[:i]]
    if twice:
        raise SpecError(f"two robustness rows are named '{twice[0]}'", place=place, fix="Give each row its own name")
    tables = tuple(
        PaperTable.parse(table, f"{place}, [[table]] {number}")
        for number, table in enumerate(content.get("table", []), start=1)
    )
    measurement = None
    if "measurement" in content:
        measurement = Measurement.parse(content["measurement"], f"{place}, [measurement]")
    concepts = tuple(
        Concept.parse(table, f"{place}, [[overlap]] {number}")
        for number, table in enumerate(content.get("overlap", []), start=1)
    )
    claims = tuple(
        Claim.parse(table, f"{place}, [[claim]] {number}")
        for number, table in enumerate(content.get("claim", []), start=1)
    )
    rules = ClaimRules.parse(content.get("claims", {}), f"{place}, [claims]")
    return Study(
        path, header, roles, variables, models, tables, content, robustness, measurement, concepts, claims, rules
    )


def check_study(study: Study) -> list[str]:
    """Validate panel, variables, roles, models, priors and published numbers before anything is estimated.

    Returns
    -------
    list of str
        What was found, a line each.

    Raises
    ------
    BayesNppError
        The first thing that is wrong.
    """
    panel, place = study.panel, _short(study.path)
    columns = [(f"[roles] {role}", name) for role, name in _role_columns(study.roles)]
    for model in study.models:
        try:
            spec = study.spec(model)
        except BayesNppError as error:
            raise error.at(f"{place}, model '{model.name}'") from None
        named = {"slopes": spec.slope_group, "group_time_effects": spec.group_time_effects, "se": spec.se}
        named |= {key: getattr(model, key, None) for key in ("subsamples", "outcome", "exposure")}
        columns += [(f"model '{model.name}', {key}", name) for key, name in named.items() if name]
        columns += [(f"model '{model.name}', controls", name) for name in model.controls or ()]
        columns += [(f"model '{model.name}', mediators", name) for name in getattr(model, "mediators", None) or ()]
    for where, name in columns:
        if name not in panel.frame:
            raise SpecError(
                f"unknown column '{name}'", place=f"{place}, {where}", fix=nearest(name, panel.frame.columns)
            )
    lines = [f"{study.header.title}", f"panel: {_short(study.panel_path)}, {panel.balance()}"]
    lines += [f"filled by interpolation: {c.variable}, {c.unit} {c.time} = {c.value:.6g}" for c in panel.filled]
    for model in study.models:
        try:
            design = build_design(panel, study.spec(model))
            if isinstance(model, FrequentistModel) and _is_two_way(model):
                check_absorbed(design, model.absorbed_effects, panel.source)
            elif _is_two_way(model):
                check_two_way(design, panel.source)
            if isinstance(model, HierarchicalModel | MediationModel):
                check_membership(design)
            if isinstance(model, MediationModel):
                *_, design = _check_mediation(study, model)
            if isinstance(model, MediationPathsModel):
                equations = path_equations(panel, study.spec(model), study.mediators(model), model.effects)
                design = replace(equations.outcome, n_dropped=equations.n_dropped)
        except BayesNppError as error:
            raise error.at(f"{place}, model '{model.name}'") from None
        if isinstance(model, GmmModel):
            try:
                moments = build_moments(panel, study.equations(model))
            except BayesNppError as error:
                raise error.at(f"{place}, model '{model.name}'") from None
            counts = f"{moments.n_obs} equations, {moments.instruments.shape[2]} instruments"
            lines.append(f"model {model.name} ({model.kind}): {counts}")
            continue
        dropped = f", {design.n_dropped} dropped for missing values" if design.n_dropped else ""
        lines.append(f"model {model.name} ({model.kind}): {design.n_obs} rows{dropped}")
        if isinstance(model, HierarchicalModel | MediationModel):
            priors = study.priors(model)
            try:
                check_priors(priors, study.spec(model))
            except BayesNppError as error:
                raise error.at(f"{place}, model '{model.name}'") from None
            lines.append(f"  priors: {priors.name}")
    for name, row, altered in study.altered():
        try:
            design = check_altered(altered)
            if isinstance(altered.model, HierarchicalModel):
                check_priors(study.priors(altered.model), study.on(altered).spec(altered.model))
        except BayesNppError as error:
            raise error.at(f"{place}, robustness '{row.name}' of '{name}'") from None
        lines.append(f"robustness {altered.model.name}: {altered.changed}")
    if study.measurement is not None:
        try:
            lines.append(check_measurement(study.measurement, panel, study.variables, study.roles, study.models))
        except BayesNppError as error:
            raise error.at(f"{place}, [measurement]") from None
    try:
        check_concepts(study.concepts, panel)
    except BayesNppError as error:
        raise error.at(f"{place}, [[overlap]]") from None
    known = [*(model.name for model in study.models), *(altered.model.name for _, _, altered in study.altered())]
    for declared in study.tables:
        for name in declared.columns:
            if name not in known:
                where = f"{place}, [[table]] {declared.number}"
                raise SpecError(f"unknown model '{name}' in columns", place=where, fix=nearest(name, known))
    lines += _check_claims(study, place)
    if study.published is not None:
        lines.append(f"published numbers: {len(study.published)} rows")
    return lines


def _check_claims(study: Study, place: str) -> list[str]:
    """Every claim is about something its model estimates; one line each."""
    if study.claims:
        load_grid(study.claim_rules.grid, study.path.parent)
    seen: set[tuple[str, str]] = set()
    for claim in study.claims:
        where = f"{place}, [[claim]] '{claim.id}'"
        if (claim.id, claim.proposition) in seen:
            raise SpecError("the claim is declared twice", place=where, fix="Declare it once")
        seen.add((claim.id, claim.proposition))
        try:
            model = study.model(claim.model)
            if isinstance(model, MediationModel):
                groups = _check_mediation(study, model)[0].groups
                check_quantities(claim.parsed, study.mediators(model), declared_paths(model), groups)
            elif isinstance(model, HierarchicalModel):
                slope_weights(claim.parsed, build_design(study.panel, study.spec(model)))
            else:
                raise SpecError(
                    f"model '{claim.model}' has kind '{model.kind}'",
                    fix="A claim is answered by a hierarchical or a mediation model",
                )
        except BayesNppError as error:
            raise error.at(where) from None
    return [f"claim {claim.id}: {claim.proposition} ({claim.model})" for claim in study.claims]


def _check_mediation(study: Study, model: MediationModel) -> tuple[Design, ...]:
    """Designs of a mediation model's equations, the outcome's last, each with identified slopes."""
    mediators, spec = study.mediators(model), study.spec(model)
    declared = (model.missing, model.extrapolation, model.mediator_errors)
    designs = treat(study.panel, spec, mediators, declared_paths(model), *declared).designs
    if model.correlated_means:
        for design in reversed(designs):
            check_two_way(design, study.panel.source)
    return designs


def _is_two_way(model: ModelSpec) -> bool:
    """Whether slopes are identified by variation within units and periods, on the whole sample."""
    if isinstance(model, HierarchicalModel | MediationModel):
        return model.correlated_means
    return model.kind == "twfe" and not model.subsamples


def _parse_model(table: Any, place: str) -> ModelSpec:
    kind = table.get("kind") if isinstance(table, dict) else None
    label = f"{place} '{table.get('name', '')}'" if isinstance(table, dict) else place
    if kind not in MODEL_RECORDS:
        problem = "key 'kind' is missing" if kind is None else f"unknown kind '{kind}'"
        raise SpecError(problem, place=label, fix=nearest(str(kind), MODEL_RECORDS))
    return MODEL_RECORDS[kind].parse(table, label)


def _role_columns(roles: Roles) -> list[tuple[str, str]]:
    single = [("outcome", roles.outcome), ("exposure", roles.exposure)]
    many = [(role, name) for role in ("controls", "mediators") for name in getattr(roles, role)]
    return single + many


def _short(path: Path) -> str:
    """The path as a reader would type it from the current folder."""
    resolved = path.resolve()
    here = Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(path)
