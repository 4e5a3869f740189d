"""A finished audit in MLflow: what was asked as parameters, what was found as metrics, record and report as artifacts.

Nothing else leaves the run folder: no sample, no per-patient score. Nothing is sent anywhere but to the store that
MLflow's own environment variables name; MLflow's telemetry is switched off before it is imported.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .errors import BadInputError
from .record import AuditRecord, PluginSpec
from .runs import RECORD

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

EXPERIMENT, FINGERPRINT = "privbench", "privbench.record"
REPORT = "report.html"
SEGMENT, VALUE, BATCH = 60, 6000, 100
"""MLflow's limits: a name has at most 250 characters, a parameter's value 6,000; 100 parameters go in one request."""
BOUNDS = ("low", "high", "detectable")
T = TypeVar("T")
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9_.\- ]")


class TrackingError(Exception):
    """A finished audit could not be logged."""


@dataclass(frozen=True)
class Tracker:
    """MLflow's store, open, with the experiment that runs go to.

    Attributes:
        client: of the store.
        experiment: its id there.
        uri: where the store is.
    """

    client: "MlflowClient"
    experiment: str
    uri: str

    def log(self, record: AuditRecord, folder: Path) -> bool:
        """Log a finished audit, unless one with the same result is there: then nothing is added.

        Args:
            record: of the audit.
            folder: its run folder.

        Returns:
            Whether it was logged now.

        Raises:
            TrackingError: if the store refuses; what was logged until then is marked as failed there.
        """
        run = ""
        try:
            mark = fingerprint_of(record)
            same = f"tags.`{FINGERPRINT}` = '{mark}' and attributes.status = 'FINISHED'"
            if self.client.search_runs([self.experiment], same, max_results=1):
                return False
            began = round(datetime.fromisoformat(record.provenance.started).timestamp() * 1000)
            ended = began + round(record.provenance.seconds * 1000)
            name = f"{record.spec.generator.name}, seed {record.spec.seed}"
            tags = tags_of(record) | {FINGERPRINT: mark}
            run = self.client.create_run(self.experiment, start_time=began, tags=tags, run_name=name).info.run_id
            self._fill(run, record, folder, ended)
            self.client.set_terminated(run, "FINISHED", ended)
        except Exception as error:
            with suppress(Exception):  # what went wrong first is what is said
                self.client.set_terminated(run, "FAILED")
            raise TrackingError(_first_line(error)) from error
        return True

    def _fill(self, run: str, record: AuditRecord, folder: Path, ended: int) -> None:
        from mlflow.entities import Metric, Param

        params = [Param(key, value) for key, value in parameters_of(record).items()]
        metrics = [Metric(key, value, ended, 0) for key, value in metrics_of(record).items()]
        for i in range(0, max(len(params), len(metrics)), BATCH):
            self.client.log_batch(run, params=params[i : i + BATCH], metrics=metrics[i : i + BATCH])
        for file in (RECORD, REPORT):
            if (folder / file).is_file():
                self.client.log_artifact(run, str(folder / file))


def open_tracker() -> Tracker:
    """MLflow's store as its environment variables name it, by default the folder ``mlruns`` here.

    Raises:
        BadInputError: if MLflow is not installed, or its store cannot be opened.
    """
    if find_spec("mlflow") is None:
        raise BadInputError("--track mlflow: MLflow is not installed\nget it with: pip install 'privbench[mlflow]'")
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"
    # A local folder needs no database; MLflow wants to be told that it is meant.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = os.environ.get("MLFLOW_TRACKING_URI") or Path("mlruns").absolute().as_uri()
    from mlflow import MlflowClient

    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        return Tracker(client, _experiment(client), uri)
    except Exception as error:
        raise BadInputError(
            f"--track mlflow: the store '{uri}' cannot be opened: {_first_line(error)}\n"
            "set MLFLOW_TRACKING_URI to a folder (file:///...) or a server (http://...)"
        ) from error


def parameters_of(record: AuditRecord) -> dict[str, str]:
    """What was asked, flattened: ``generator.steps``, ``attack.nearest.k``; long values are cut."""
    spec = record.spec
    single = {"cohort": spec.cohort, "generator": spec.generator, "guard": spec.guard or PluginSpec(name="none")}
    given: list[tuple[tuple[str, ...], object]] = []
    for kind, plugin in single.items():
        given += [((kind,), plugin.name), *(((kind, name), value) for name, value in plugin.options.items())]
    for kind, plugins in (("attack", spec.attacks), ("metric", spec.metrics)):
        given.append(((f"{kind}s",), " ".join(plugin.name for plugin in plugins)))
        given += [((kind, plugin.name, name), value) for plugin in plugins for name, value in plugin.options.items()]
    plain = spec.model_dump(mode="json", exclude={*single, "attacks", "metrics"})
    given += [((name,), value) for name, value in plain.items()]
    return dict(_named((".".join(map(_segment, path)), str(value)[:VALUE]) for path, value in given))


def metrics_of(record: AuditRecord) -> dict[str, float]:
    """What was found: ``membership/gan-leaks/auc``, and beside it ``auc.low``, ``auc.high``, ``auc.detectable``.

    An estimate without a value leaves nothing, and so does a finding that is not valid: no number stands for it.
    """
    found: list[tuple[str, float]] = []
    for finding in (f for f in record.findings if f.status == "ok"):
        for estimate in (e for e in finding.estimates if e.value is not None):
            assert estimate.value is not None
            name = f"{estimate.name} {estimate.group}".strip()
            key = "/".join(_segment(part) for part in (finding.family, finding.plugin, name))
            bounds = [(bound, getattr(estimate, bound)) for bound in BOUNDS]
            found += [(key, estimate.value), *((f"{key}.{bound}", v) for bound, v in bounds if v is not None)]
    return dict(_named(found))


def tags_of(record: AuditRecord) -> dict[str, str]:
    """The verdict, and what tells this audit from others."""
    made = record.provenance
    return {
        "privbench.verdict": record.verdict.outcome,
        "privbench.version": made.privbench,
        "privbench.simulated": str(record.simulated).lower(),
        "privbench.access": record.access,
        **({"mlflow.source.git.commit": made.git_commit} if made.git_commit else {}),
    }


def fingerprint_of(record: AuditRecord) -> str:
    """A hash of the result: what was asked, on which data, and what came out; not when, nor how fast.

    Of numbers nine digits count: the last ones may depend on the machine.
    """
    content = record.model_dump_json(exclude={"provenance": True, "findings": {"__all__": {"seconds"}}})
    rounded = json.loads(content, parse_float=lambda digits: f"{float(digits):.9g}")
    return hashlib.sha256(json.dumps(rounded).encode()).hexdigest()


def _experiment(client: "MlflowClient") -> str:
    """The experiment that MLflow's environment names, made where it is not there.

    Raises:
        ValueError: if it is deleted there: nothing could be logged to it.
    """
    from mlflow.exceptions import MlflowException

    found: Experiment | None
    if known := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        found = client.get_experiment(known)
    else:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name))
            except MlflowException:  # another process may have been quicker
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
    if found.lifecycle_stage != "active":
        raise ValueError(f"experiment '{found.name}' is deleted there; restore it, or set MLFLOW_EXPERIMENT_NAME")
    return str(found.experiment_id)


def _segment(text: str) -> str:
    """A part of a name as every store takes it, also one that makes files of names."""
    plain = _UNNAMEABLE.sub("_", text)[:SEGMENT].strip()
    return plain if plain.strip(".") else "_"


def _named(pairs: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """The pairs, where two have come to one name the second with a number."""
    taken: set[str] = set()
    for name, value in pairs:
        own, number = name, 1
        while own in taken:
            own, number = f"{name}-{number + 1}", number + 1
        taken.add(own)
        yield own, value


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().split("\n", 1)[0]
