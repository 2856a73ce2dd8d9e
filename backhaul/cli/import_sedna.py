"""`backhaul import-sedna`: a job of KubeEdge Sedna or benchmark of Ianvs as a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backhaul.campaign.sedna.benchmark import is_benchmark, translate_benchmark
from backhaul.campaign.sedna.job import translate_job
from backhaul.campaign.sedna.resources import read_documents
from backhaul.cli.imported import tell, write_new
from backhaul.errors import InputError


def import_sedna(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="JOB.yaml...",
            help="The job, and files of the Dataset and Models that it names; or the "
            "benchmarkingjob of Ianvs.",
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG.yaml",
            help="Where to write the campaign.",
            show_default="JOB-campaign.yaml beside it",
        ),
    ] = None,
) -> None:
    """Turn an IncrementalLearningJob of KubeEdge Sedna, or an Ianvs benchmark, into a campaign.

    Says field by field what was taken over, what means something else here, and what has no
    counterpart. Beside the campaign of a job lies the policy by which nodes choose. Nothing of
    the job is run or fetched. docs/coming-from-sedna.md has more.

    [bold]Examples[/bold]

      backhaul import-sedna helmet_detection.yaml dataset.yaml --to helmets.yaml

      backhaul import-sedna benchmarkingjob.yaml --to pcb.yaml
    """
    target = to or files[0].with_name(f"{files[0].stem}-campaign.yaml")
    policy = target.with_name(f"{target.stem}-policy.yaml")
    for each in (target, policy):
        if each.exists():
            raise InputError(f"{each}: exists already; choose another file with --to")
    documents = read_documents(files)
    benchmarks = [each for each in documents if is_benchmark(each)]
    made = translate_benchmark(benchmarks[0]) if benchmarks else translate_job(documents)
    write_new(target, made.yaml)
    if made.policy:
        write_new(policy, made.policy)
    tell(made.rows, target, [policy] if made.policy else ())
