"""``privbench track``: finished runs into a log of experiments."""

from pathlib import Path
from typing import Annotated

import typer


def track(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, or folders around them.")],
) -> None:
    """Log finished runs to MLflow, as privbench run --track mlflow does while it is at it.

    Parameters, estimates, the verdict, record.json and report.html go to the store that MLFLOW_TRACKING_URI names, by
    default the folder mlruns; samples and confidential files never do. A result that is there is not logged again.

    Examples:
      privbench track runs/

      MLFLOW_TRACKING_URI=http://localhost:5000 privbench track runs/brain-sim-dfgm-1a2b3c4d
    """
    from ..errors import BadInputError
    from ..runs import find_runs, load_record
    from ..tracking import open_tracker
    from .auditing import log

    folders = []
    for run in runs:
        if not run.is_dir():
            raise BadInputError(f"'{run}' is not a folder\ngive a folder that privbench run has written")
        found = list(find_runs(run))
        if not found:
            raise BadInputError(f"'{run}' holds no finished run\ngive a folder that privbench run has written")
        folders += found
    records = [load_record(folder) for folder in folders]
    tracker = open_tracker()
    logged = [log(tracker, record, folder, quiet=False) for record, folder in zip(records, folders, strict=True)]
    if not all(logged):
        raise typer.Exit(4)
