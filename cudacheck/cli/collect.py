"""`cudacheck fleet ray`, `cudacheck fleet slurm` and `cudacheck fleet kubernetes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.fleet import FOLDER, ExcludeAs, ExcludedAs, ExcludeFile, FleetFormat, RequireOfNodes, fleet_app
from cudacheck.cli.options import FailingFrom, FailOn, Proof, Strict, Timeout, usage_error
from cudacheck.cli.output import deliver, refusing, show
from cudacheck.render import out

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from cudacheck.collecting import NodeAnswer
    from cudacheck.commands.fleet_collect import Collected

TIMEOUT_S = 180.0
PASSED_ON = {"ignore_unknown_options": True}
"""What a command does not know is srun's."""

Bench = Annotated[
    bool, typer.Option("--bench/--no-bench", help="Measure every GPU of all nodes, at the same time; reserves them.")
]
NodesPython = Annotated[
    str | None, typer.Option(help="The interpreter to inspect, as the nodes call it.", metavar="PATH")
]
Kept = Annotated[Path | None, typer.Option(help="Keep each report in this folder, as NODE.json.", metavar="FOLDER")]
Nodes = Annotated[int, typer.Option(min=1, help="How many: one pod each.", metavar="N")]


@fleet_app.command()
def ray(
    address: Annotated[
        str | None,
        typer.Option(help="As `ray.init` takes it; else $RAY_ADDRESS, or the cluster here.", metavar="HOST:PORT"),
    ] = None,
    python: NodesPython = None,
    bench: Bench = False,
    timeout: Timeout = TIMEOUT_S,
    keep: Kept = None,
    exclude_file: ExcludeFile = None,
    exclude_as: ExcludedAs = ExcludeAs.SLURM,
    require: RequireOfNodes = None,
    strict: Strict = False,
    fail_on: FailingFrom = None,
    output_format: FleetFormat = None,
) -> None:
    """Ask every node of a running Ray cluster, and judge what they answer."""
    from cudacheck.collecting import Asked
    from cudacheck.collecting import ray as engine

    answers = engine.collect(Asked(timeout or TIMEOUT_S, bench, python), address)
    _judge(answers, keep, exclude_file, exclude_as, require or (), strict, fail_on, output_format)


@fleet_app.command(context_settings=PASSED_ON)
def slurm(
    srun_options: Annotated[
        list[str] | None, typer.Argument(help="Handed on to srun.", metavar="[SRUN OPTIONS]...")
    ] = None,
    python: NodesPython = None,
    bench: Bench = False,
    timeout: Timeout = TIMEOUT_S,
    keep: Kept = None,
    exclude_file: ExcludeFile = None,
    exclude_as: ExcludedAs = ExcludeAs.SLURM,
    require: RequireOfNodes = None,
    strict: Strict = False,
    fail_on: FailingFrom = None,
    output_format: FleetFormat = None,
) -> None:
    """Ask every node of a Slurm allocation, this one or one that srun makes, and judge what they answer."""
    from cudacheck.collecting import Asked
    from cudacheck.collecting import slurm as engine

    answers = engine.collect(Asked(timeout or TIMEOUT_S, bench, python), srun_options or ())
    _judge(answers, keep, exclude_file, exclude_as, require or (), strict, fail_on, output_format)


@fleet_app.command()
def kubernetes(
    nodes: Nodes,
    image: Annotated[str, typer.Option(help="It has cudacheck and the PyTorch to inspect.", metavar="IMAGE")],
    gpus: Annotated[
        int, typer.Option(min=0, help="Reserve this many on each node; --bench needs it.", metavar="N")
    ] = 0,
    selector: Annotated[
        list[str] | None,
        typer.Option(help="Label of the nodes (repeatable); else nvidia.com/gpu.present=true.", metavar="LABEL=VALUE"),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the Job.", metavar="NAME")] = "cudacheck",
    namespace: Annotated[str, typer.Option(help="Of the Job.", metavar="NAME")] = "",
    runtime_class: Annotated[str, typer.Option(help="The pods' runtimeClassName.", metavar="NAME")] = "",
    bench: Annotated[bool, typer.Option("--bench/--no-bench", help="Measure the GPUs.")] = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Print a Job that inspects one pod a node, and what to type with it. Nothing is created."""
    from cudacheck.collecting import kubernetes as engine

    if bench and not gpus:
        usage_error("--bench needs --gpus N: what is measured must be in nobody else's use")
    labels = tuple(selector or (engine.GPU_NODES,))
    cluster = engine.Cluster(nodes, image, gpus, name, namespace, labels, runtime_class)
    try:
        show(engine.manifest(cluster, bench=bench, timeout_s=timeout or TIMEOUT_S))
    except ValueError as error:
        usage_error(str(error))


def _judge(
    answers: Generator[NodeAnswer, None, None],
    keep: Path | None,
    exclude_file: str | None,
    exclude_as: ExcludeAs,
    require: Collection[str],
    strict: bool,
    fail_on: FailOn | None,
    output_format: str | None,
) -> NoReturn:
    """Gather them, judge and tell; `fleet judge` has more to choose, over what --keep kept."""
    from cudacheck.commands import fleet_judge
    from cudacheck.comparing.fleet.document import Told

    with refusing():
        fleet_judge.asking((), require)  # what is no requirement is said before the nodes are asked
    found = _gather(answers, keep)
    with refusing():
        fleet = fleet_judge.of_reports(found.reports, found.missing, require=require)
        if exclude_file:
            fleet_judge.exclude(fleet, exclude_as, exclude_file)
    if exclude_file != "-":
        deliver(Told(fleet), output_format or "text", (), folder=FOLDER, verbose=False)
    not_proven = Proof.FAIL if strict else Proof.PASS
    code = fleet_judge.exit_code(fleet, fail_on=fail_on or FailOn.ERROR, not_proven=not_proven)
    raise typer.Exit(interrupts.CODE if found.interrupted else code)


def _gather(answers: Generator[NodeAnswer, None, None], folder: Path | None) -> Collected:
    """With a bar on stderr; what is to be kept is written as it comes."""
    from cudacheck.collecting import EngineError
    from cudacheck.commands import fleet_collect
    from cudacheck.render import progress

    try:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        with interrupts.raised(), progress.Bar(_read) as bar:

            def heard(answer: NodeAnswer) -> None:
                bar.heard(answer)
                if folder:
                    fleet_collect.keep(folder, answer)

            found = fleet_collect.collect(answers, heard)
    except EngineError as error:
        usage_error(str(error))
    except OSError as error:
        usage_error(f"cannot write {error.filename or folder}: {error.strerror}")
    if found.without_gpus:
        out.say(f"left out, without a GPU as the cluster has it: {' '.join(found.without_gpus)}")
    return found


def _read(bar: Any, answer: NodeAnswer) -> None:
    """A tick for each node that is done; those that are expected make the bar longer."""
    if answer.report or answer.failure:
        bar.tick(f"{answer.node}: {answer.failure or 'answered'}")
    else:
        bar.expect(1)
