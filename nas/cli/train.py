"""`nas train`, `nas export`: from an architecture to a trained network to a checked file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from nas.cli.output import json_option, print_json, print_pairs, print_table
from nas.frameworks import load_keras
from searchspaces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nas.config import SearchConfig
    from nas.detection_task import DetectionTask
    from nas.task import Task
    from searchspaces.spec import NetworkSpec

_LONGEST_NAME = 200
RECORD = "network.json"
WEIGHTS = "network.weights.h5"


@click.command()
@click.argument("network")
@click.option("--task", "task_text", required=True, help="Task and options: digits, or csv,path=F.csv,label=COLUMN.")
@click.option(
    "--out",
    default=Path("trained"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of weights and record.",
)
@click.option("--input", "input_text", help="Shape the task is brought to, such as 32x32x3, or 8x64x64x3 for clips.")
@click.option("--epochs", default=30, show_default=True, type=click.IntRange(1), help="Passes over the data.")
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Rows a step.")
@click.option("--learning-rate", default=5e-3, show_default=True, type=float, help="The highest of its schedule.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of splits, weights and shuffling.")
@json_option
def train(
    network: str,
    task_text: str,
    out: Path,
    input_text: str | None,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    as_json: bool,
) -> None:
    """Train NETWORK (a reference name or an architecture id) on a task. The same command goes on after a stop."""
    from benchmarks.tasks import typed_options
    from nas.cli.networks import parsed_input
    from nas.config import parse_config

    name, texts = _task_options(task_text)
    options = typed_options(name, texts)
    shape = parsed_input(input_text)
    space_name = network.partition(":")[0] if ":" in network else _space_of(network)
    config = parse_config(
        {
            "space": {"name": space_name, **({"input": list(shape)} if shape else {})},
            "task": {"name": name, **options},
            "evaluator": {
                "name": "train",
                "epochs": epochs,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
            },
            "seed": seed,
        }
    )
    record = train_network(network, config, out)
    if as_json:
        print_json(record)
    else:
        print_pairs({key: value for key, value in record.items() if key != "config"})


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--pick", default="best", show_default=True, help="best, knee, or an architecture id of the run.")
@click.option("--precision", default="float32", show_default=True, help="float32, float16, dynamic or int8.")
@click.option("--target", "target_name", default="host-cpu", show_default=True, help="Where the file is measured.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The .tflite to write.")
@click.option("--epochs", type=click.IntRange(1), help="Of the training; default three times the search's.")
@click.option("--nms", is_flag=True, help="Detectors: decode and suppress in the file (TFLite_Detection_PostProcess).")
@json_option
def export(
    source: Path,
    pick: str,
    precision: str,
    target_name: str,
    out: Path,
    epochs: int | None,
    nms: bool,
    as_json: bool,
) -> None:
    """Train the pick of a run (or take the network of a `nas train` folder SOURCE) and write a checked .tflite."""
    result = export_network(source, pick, precision, target_name, out, epochs, nms=nms)
    if as_json:
        print_json(result)
        return
    click.echo(f"{result['tflite']}: {result['architecture']}, {result['precision']}, {result['size_bytes']:,} bytes")
    metrics = [key for key in result if key.startswith("test_")]
    print_table(
        [
            {"test": name, **{key.removeprefix("test_"): result[key][name] for key in metrics}}
            for name in result[metrics[0]]
        ]
    )
    for name in ("card", "readme", "labels"):
        click.echo(result[name])


def train_network(network: str, config: SearchConfig, out: Path) -> dict[str, Any]:
    """Train one network to the end and leave weights and record in `out`; a stopped training goes on."""
    from nas.cli.assemble import make_space, make_task
    from nas.evaluators.train import TrainEvaluator, prepared
    from nas.options import call_with_options
    from searchspaces.catalog import named_network

    task = make_task(config)
    space = make_space(config, task)
    named = named_network(network, space.input_shape, space.classes)
    spec = prepared(named.spec, task)
    options = {key: value for key, value in config.evaluator.items() if key != "name"}
    evaluator = call_with_options("evaluator train", TrainEvaluator, options, space, task)
    identity = {"architecture": named.architecture.id, "config": config.to_dict()}
    _claim(out, identity)
    result = evaluator.fit(spec, seed=config.seed, checkpoint=out / "checkpoint")
    result.model.save_weights(out / WEIGHTS)
    record = {
        **identity,
        "spec": spec.to_dict(),
        **{f"validation_{name}": result.metrics[name] for name in evaluator.metrics},
        "epochs": result.epochs,
        "stopped": result.stopped,
        "seconds": result.seconds,
        "weights": str(out / WEIGHTS),
    }
    _write_json(out / RECORD, record)
    return {key: value for key, value in record.items() if key != "spec"}


def export_network(
    source: Path, pick: str, precision: str, target_name: str, out: Path, epochs: int | None, *, nms: bool = False
) -> dict[str, Any]:
    """Find the network, train it if no trained one is there, and export it."""
    from hardware_profiles.target import load_target
    from nas.cli.assemble import make_task
    from nas.config import parse_config
    from nas.export.convert import PRECISIONS
    from nas.export.export import export as write
    from nas.metrics import is_detection
    from nas.run_folder import CONFIG
    from searchspaces.errors import unknown_name

    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    target = load_target(target_name)
    promised: Sequence[Mapping[str, Any]] = ()
    folder = source
    if (source / CONFIG).is_file():
        folder, promised = _train_pick(source, pick, epochs)
    elif not (source / RECORD).is_file():
        raise InputError(f"{source}: expected a run folder or the folder of `nas train`, got neither; check the path.")
    record = _read_json(folder / RECORD, ("architecture", "config", "spec"))
    config = parse_config(record["config"])
    task = make_task(config, with_test=True)
    spec, model = _trained(folder, record)
    options: dict[str, Any] = {
        "precision": precision,
        "out": out,
        "seed": config.seed,
        "promised": [cost for cost in promised if cost.get("precision") == precision],
        "measure": lambda path: target.cost_of_file(path).to_dict(),
    }
    if is_detection(task):
        from nas.export.detector.export import export_detector

        return export_detector(model, spec, cast("DetectionTask", task), nms=nms, **options).to_dict()
    if nms:
        raise InputError(f"--nms: expected a detector, got a classifier of task {task.name}; leave it out.")
    return write(model, spec, cast("Task", task), **options).to_dict()


def _train_pick(run: Path, pick: str, epochs: int | None) -> tuple[Path, Sequence[Mapping[str, Any]]]:
    """Train the chosen trial's network longer than the search did; returns its folder and the promised costs."""
    from nas.config import override
    from nas.run_folder import read_log, read_run

    config = read_run(run)
    with read_log(run) as log:
        trial = picked(log.trials(), config, pick)
    if config.task is None:
        raise InputError(f"{run}: the search was over a table, so there is no task to train on; use `nas train`.")
    wanted = epochs or 3 * int(config.evaluator.get("epochs", 10))
    longer = override(config, [f"evaluator.epochs={wanted}"])
    folder = run / "trained" / f"{_folder_name(trial.architecture.id)}-{wanted}"
    if not (folder / RECORD).is_file():
        train_network(trial.architecture.id, longer, folder)
    return folder, trial.costs


def _folder_name(architecture: str) -> str:
    """The id as the name of a folder; file systems take 255 bytes, and ids of deep video networks are longer."""
    name = architecture.replace(":", "_")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 17]}-{hashlib.sha256(architecture.encode()).hexdigest()[:16]}"


def picked(trials: Sequence[Any], config: SearchConfig, pick: str) -> Any:
    """The trial that ``best``, ``knee`` or an architecture id names."""
    from nas.pareto import knee
    from nas.search import pareto_front
    from searchspaces.errors import NoResultError, unknown_name

    complete = [trial for trial in trials if trial.state == "COMPLETE"]
    front = pareto_front(complete, config.objectives)
    if not front:
        raise NoResultError("run: no complete trial to pick from; let the search run first (`nas resume`).")
    if pick == "best":
        return front[0]
    if pick == "knee":
        values = [[trial.metrics[objective.metric] for objective in config.objectives] for trial in front]
        return front[knee(values, [objective.direction for objective in config.objectives])]
    by_id = {trial.architecture.id: trial for trial in complete}
    if pick not in by_id:
        raise unknown_name("--pick", pick, ["best", "knee", *by_id])
    return by_id[pick]


def _trained(folder: Path, record: Mapping[str, Any]) -> tuple[NetworkSpec, Any]:
    """The network of a `nas train` folder with its weights, softmax included."""
    load_keras()
    from models.builder import build
    from models.training import with_probabilities
    from searchspaces.spec import NetworkSpec

    spec = NetworkSpec.from_dict(record["spec"])
    model = build(spec.without_softmax())
    try:
        model.load_weights(folder / WEIGHTS)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / WEIGHTS}: not the weights of this network ({error}); train it again.") from error
    return spec, with_probabilities(spec, model)


def _task_options(text: str) -> tuple[str, dict[str, str]]:
    name, *pairs = text.split(",")
    options = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise InputError(f"--task: expected name,key=value,…, got {pair!r}; write csv,path=F.csv,label=COLUMN.")
        options[key.strip()] = value.strip()
    return name.strip(), options


def _space_of(network: str) -> str:
    from searchspaces.catalog import named_network

    return named_network(network).space.name


def _claim(out: Path, identity: Mapping[str, Any]) -> None:
    """Make the folder, or make sure that it holds this very training."""
    file = out / "training.json"
    if file.is_file():
        known = _read_json(file, ())
        if known != json.loads(json.dumps(identity)):
            raise InputError(f"{out}: it holds another training; give another --out folder.")
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_json(file, identity)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); give another --out folder.") from error


def _read_json(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    """A record of a training, with at least these keys."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the record of a training ({error}); train the network again.") from error
    absent = [key for key in keys if key not in data] if isinstance(data, dict) else ["a mapping"]
    if absent:
        raise InputError(f"{path}: expected {', '.join(absent)} in the record of a training; train the network again.")
    return dict(data)


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)
