"""What people get wrong: each ends in one clear paragraph and the right status, and nothing is made or lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

Nas = Callable[[Sequence[object]], tuple[int, str, str]]
Config = dict[str, Any]
TRAIN = {"space": "tabnas", "task": "iris", "budget": {"trials": 1}}


# -- the configuration as a file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("space: {name: tabnas", ("not YAML", "search.yaml")),
        ("space: tabnas\n\tseed: 1\n", ("not YAML", "mend that line")),
        ("space: *nothing\n", ("not YAML", "nothing")),
        ("space: !!python/object/apply:os.system ['true']\n", ("not YAML",)),
        ("seed: 2020-13-45\n", ("not YAML", "month")),
        ("space: " + "[" * 5000, ("not YAML",)),
        ("\x00", ("not YAML",)),
        ("", ("expected a mapping", "got None")),
        ("- space\n- task\n", ("expected a mapping", "['space', 'task']")),
        ("just words", ("expected a mapping", "'just words'")),
        ("42", ("expected a mapping", "got 42")),
        ("{space: tabnas, task: iris, 7: x}", ("configuration key", "got 7")),
        ("? [a, b]\n: c\n", ("not YAML",)),
        ("größe: 3\nspace: tabnas\n", ("configuration key", "'größe'")),
        ("🚀: 🚀\n", ("configuration key", "🚀")),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_files_that_are_no_configuration(
    refused: Callable[..., str], write_yaml: Callable[..., Path], text: str, words: tuple[str, ...]
) -> None:
    refused(["search", write_yaml(text), "--out", "run"], *words)


def test_a_file_that_is_no_text(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "search.yaml").write_bytes(b"space: \xff\xfe\x00tabnas")
    refused(["search", "search.yaml", "--out", "run"], "expected a readable YAML file")


@pytest.mark.parametrize("command", ["search", "plan"])
def test_a_file_that_is_not_there(refused: Callable[..., str], command: str) -> None:
    refused([command, "absent.yaml"], "absent.yaml", "No such file")


def test_a_folder_in_the_file_s_place(refused: Callable[..., str], tmp_path: Path) -> None:
    refused(["search", tmp_path], "expected a readable YAML file", "Is a directory")


# -- what is in it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        # Names, with the nearest known one.
        ({"spaces": "tabnas"}, ("configuration key", "did you mean 'space'")),
        ({"space": "tabnsa"}, ("space: expected one of", "did you mean 'tabnas'")),
        ({"task": "irirs"}, ("task: expected one of", "did you mean 'iris'")),
        ({"evaluator": "trian"}, ("evaluator: expected one of", "did you mean 'train'")),
        ({"controller": "evolutoin"}, ("controller: expected one of", "did you mean 'evolution'")),
        ({"engine": "seriall"}, ("engine: expected one of", "did you mean 'serial'")),
        ({"precision": "int88"}, ("precision: expected one of", "did you mean 'int8'")),
        ({"constraints": ["latency_ms@host-cpuu <= 3"]}, ("target: expected one of", "did you mean 'host-cpu'")),
        ({"constraints": ["parms <= 3e5"]}, ("cost: expected one of", "did you mean 'params'")),
        ({"constraints": ["latency_ms@pixel1-cpu <= 84"]}, ("constraint latency_ms@pixel1-cpu <= 84", "an objective")),
        ({"objectives": ["minimize mcas"]}, ("cost: expected one of", "did you mean 'macs'")),
        ({"objectives": ["minimise macs"]}, ("direction", "did you mean 'minimize'")),
        ({"evaluator": {"name": "train", "epoch": 3}}, ("option of evaluator train", "did you mean 'epochs'")),
        ({"controller": {"name": "evolution", "popluation": 9}}, ("controller evolution", "did you mean 'population'")),
        ({"controller": {"name": "random", "population": 9}}, ("option of controller random", "got 'population'")),
        ({"engine": {"name": "serial", "workers": 2}}, ("option of engine serial", "got 'workers'")),
        ({"task": {"name": "iris", "sead": 3}}, ("option of task", "got 'sead'")),
        ({"space": {"name": "tabnas", "layer": 3}}, ("option of space tabnas", "did you mean 'layers'")),
        ({"space": {"name": "tabnas", "input_shape": [4]}}, ("option of space tabnas", "did you mean 'input'")),
        ({"space": {"name": "tabnas", "self": 1}}, ("option of space tabnas", "got 'self'")),
        ({"space": {"name": "tabnas", "layers": 9}}, ("choice layers: expected one of [2, 3, 4]", "got 9")),
        ({"space": {"name": "tabnas", "layers": [2]}}, ("choice layers", "got [2]")),
        ({"budget": {"trails": 3}}, ("budget key", "did you mean 'trials'")),
        # Constraints.
        ({"constraints": ["accuracy >= 0.9"]}, ("known only after training", "make it an objective")),
        ({"constraints": ["energy_mj <= 3"]}, ("cost: expected one of", "'energy_mj'")),
        ({"constraints": ["params about 3"]}, ("constraint: expected a metric, a comparison",)),
        ({"constraints": ["params <= .nan"]}, ("and a number, got 'params <= .nan'",)),
        ({"constraints": [{"params": 3}]}, ("constraint: expected a metric", "{'params': 3}")),
        ({"constraints": {"params": 3}}, ("constraints: expected a list of texts",)),
        ({"constraints": 7}, ("constraints: expected a list of texts, got 7",)),
        # Types and bounds.
        ({"seed": -1}, ("seed: expected a whole number from 0, got -1",)),
        ({"seed": True}, ("seed: expected a whole number from 0, got True",)),
        ({"seed": "a"}, ("seed: expected a whole number from 0, got 'a'",)),
        ({"seed": 1.0}, ("seed: expected a whole number from 0, got 1.0",)),
        ({"seed": None}, ("seed: expected a whole number from 0, got None",)),
        ({"seed": float("nan")}, ("seed: expected a whole number from 0, got nan",)),
        ({"budget": {"trials": 0}}, ("budget.trials: expected a whole number above 0, got 0",)),
        ({"budget": {"trials": -5}}, ("budget.trials", "got -5")),
        ({"budget": {"trials": "many"}}, ("budget.trials", "got 'many'")),
        ({"budget": {"trials": 1e9}}, ("budget.trials: expected a whole number above 0, got 1000000000.0",)),
        ({"budget": {"wall_clock_s": "1h"}}, ("budget.wall_clock_s: expected a number above 0, got '1h'",)),
        ({"budget": {"trial_s": float("nan")}}, ("budget.trial_s", "got nan")),
        ({"budget": 64}, ("budget: expected a mapping", "got 64")),
        ({"budget": "64"}, ("budget: expected a mapping", "got '64'")),
        ({"budget": ["trials"]}, ("budget: expected a mapping",)),
        ({"objectives": []}, ("objectives: expected one or more, got none",)),
        ({"objectives": None}, ("objectives: expected a list of texts, got None",)),
        ({"objectives": ["maximize accuracy", "minimize accuracy"]}, ("distinct metrics", "drop the repeats")),
        ({"objectives": ["accuracy"]}, ("expected a direction and a metric, got 'accuracy'",)),
        ({"objectives": [3]}, ("expected a direction and a metric, got 3",)),
        ({"evaluator": {"name": "train", "epochs": "fast"}}, ("expected epochs as int, got 'fast'", "default is 10")),
        ({"evaluator": {"name": "train", "epochs": True}}, ("expected epochs as int, got True",)),
        ({"evaluator": {"name": "train", "epochs": 0}}, ("epochs: got 0, which no training can use",)),
        ({"evaluator": {"name": "train", "learning_rate": float("inf")}}, ("learning_rate: got inf",)),
        ({"evaluator": {"name": "train", "learning_rate": float("nan")}}, ("learning_rate: got nan",)),
        ({"evaluator": {"epochs": 3}}, ("evaluator: expected a name, got None",)),
        ({"evaluator": "table"}, ("evaluator table: expected the option path",)),
        ({"evaluator": {"name": "table", "path": "absent.csv"}}, ("evaluator.path: no such file", "absent.csv")),
        ({"evaluator": {"name": "table", "path": 3}}, ("evaluator.path: expected a path, got 3",)),
        ({"task": None}, ("task: expected one to train on, got none",)),
        ({"task": {"name": "csv"}}, ("expected the option 'path'",)),
        ({"task": {"name": "csv", "path": "absent.csv", "label": "y"}}, ("task.path: no such file",)),
        ({"task": ["iris"]}, ("task: expected a mapping",)),
        ({"task": {"name": 3}}, ("task: expected a name, got 3",)),
        ({"space": None}, ("space: expected a search space, got none",)),
        ({"space": {"name": "tabnas", 3: 4}}, ("space: expected a mapping",)),
        ({"space": {"name": "tabnas", "input": [4, 4]}}, ("expected [4]", "got (4, 4)")),
        ({"space": {"name": "tabnas", "input": [5]}}, ("expected [4]", "got (5,)")),
        ({"space": {"name": "tabnas", "input": "4"}}, ("space.input: expected sizes",)),
        ({"space": {"name": "tabnas", "classes": "three"}}, ("space.classes: expected a whole number, got 'three'",)),
        ({"space": {"name": "tabnas", "classes": 2}}, ("task iris has 3 classes, got 2",)),
        ({"space": {"name": "bignas"}}, ("bignas", "4")),
        ({"controller": {"name": "evolution", "population": 1}}, ("evolution: expected population 2 or more",)),
        ({"controller": {"name": "evolution", "crossover": "no"}}, ("expected crossover as float, got 'no'",)),
        ({"engine": {"name": "serial", "batch": 0}}, ("expected batch 1 or more, got 0",)),
        ({"engine": {"name": "ray", "workers": -1}}, ("engine ray: workers is out of range",)),
        ({"precision": ["int8"]}, ("precision: expected one of 2 known names",)),
    ],
    ids=str,
)
def test_configurations_that_are_refused(
    refused: Callable[..., str], write_yaml: Callable[..., Path], change: Config, words: tuple[str, ...]
) -> None:
    config = write_yaml(TRAIN | change)
    refused(["search", config, "--out", "run"], *words)
    refused(["plan", config], *words)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("budget.trials", ("--set: expected key=value, got 'budget.trials'",)),
        ("=5", ("--set: expected key=value",)),
        ("budget.trails=5", ("budget key", "did you mean 'trials'")),
        ("budget.trials.deep=5", ("--set: budget.trials.deep: trials holds a value, not a section",)),
        ("space.name.first=5", ("holds a value, not a section",)),
        ("budget.trials=[", ("--set budget.trials: not YAML",)),
        ("budget.trials=", ("budget.trials", "got None")),
        ("sed=5", ("configuration key", "did you mean 'seed'")),
    ],
)
def test_overrides_that_are_refused(
    refused: Callable[..., str], write_yaml: Callable[..., Path], override: str, words: tuple[str, ...]
) -> None:
    config = write_yaml({"space": {"name": "tabnas"}, "task": "iris", "budget": {"trials": 3}})
    refused(["search", config, "--out", "run", "--set", override], *words)


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ("arch,accuracy\ntabnas:0-1-2-x-x,1\n", {}, ("id column", "got 'id'")),
        ("id,acuracy\ntabnas:0-1-2-x-x,1\n", {"metrics": {"accuracy": "accuracy"}}, ("did you mean 'acuracy'",)),
        ("id,accuracy\ntabnas:0-1-2-x-x,\n", {}, ("expected finite numbers", "data row 1")),
        ("id,accuracy\ntabnas:0-1-2-x-x,1\ntabnas:0-1-2-x-x,2\n", {}, ("data row 2", "stands there twice")),
        ("id,accuracy\n0|1|2,1\n", {}, ("data row 1", "expected tabnas:…")),
        ("id,accuracy\ntabnas:0-1,1\n", {}, ("data row 1", "expected 5 indices")),
        ("id,accuracy\n", {"metrics": {"accuracy": "accuracy"}}, ("table.csv",)),
        ("", {}, ("expected a readable .csv file",)),
        ("id,size\ntabnas:0-1-2-x-x,1\n", {}, ("metric: expected one of", "got 'accuracy'")),
        ("id,accuracy\ntabnas:0-1-2-x-x,1\n", {"metrics": 3}, ("metric: column pairs, got 3",)),
        ("id,accuracy\ntabnas:0-1-2-x-x,1\n", {"id": 3}, ("expected id as str, got 3",)),
        ("id,accuracy\ntabnas:0-1-2-x-x,1\n", {"paths": "x"}, ("did you mean 'path'",)),
    ],
)
def test_tables_that_are_refused(
    refused: Callable[..., str],
    write_yaml: Callable[..., Path],
    tmp_path: Path,
    table: str,
    options: Config,
    words: tuple[str, ...],
) -> None:
    (tmp_path / "table.csv").write_text(table, encoding="utf-8")
    config = write_yaml({"space": "tabnas", "evaluator": {"name": "table", "path": "table.csv"} | options})
    refused(["search", config, "--out", "run"], *words)


def test_a_constraint_on_a_column_the_table_lacks_names_the_nearest(
    refused: Callable[..., str], write_yaml: Callable[..., Path], table_config: Config
) -> None:
    config = write_yaml(table_config | {"constraints": ["latency_ms@toys <= 3"]})
    refused(["search", config, "--out", "run"], "did you mean 'latency_ms@toy'")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("a,b,y\n1,2,0\n3,4,1\n", ("rows: expected enough",)),
        ("a,b,label\n1,2,0\n", ("'y'", "label")),
        ("a,b,y\n1,2\n3,4,5,6\n", ("csv",)),
        ("", ("csv",)),
    ],
)
def test_data_that_no_network_can_be_trained_on(
    refused: Callable[..., str], write_yaml: Callable[..., Path], tmp_path: Path, data: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "data.csv").write_text(data, encoding="utf-8")
    config = write_yaml({"space": "tabnas", "task": {"name": "csv", "path": "data.csv", "label": "y"}})
    refused(["search", config, "--out", "run"], *words)


@pytest.mark.parametrize("labels", [[-1, 0, 1], [0, 1, 3]], ids=str)
def test_labels_out_of_range(
    refused: Callable[..., str], write_yaml: Callable[..., Path], tmp_path: Path, labels: list[int]
) -> None:
    x = np.arange(240, dtype=np.float32).reshape(60, 4)
    np.savez(tmp_path / "data.npz", x=x, y=np.array(labels * 20))
    config = write_yaml({"space": "tabnas", "task": {"name": "npz", "path": "data.npz", "classes": 3}})
    refused(["search", config, "--out", "run"], str(labels[0] if labels[0] else labels[-1]))


# -- commands on networks and files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample", "tabnsa"], ("space: expected one of", "did you mean 'tabnas'")),
        (["sample", "tabnas", "--input", "4", "--classes", "3", "-n", "0"], ("-n", "0")),
        (["sample", "tabnas", "--input", "4", "--classes", "3", "-n", "many"], ("-n", "many")),
        (["sample", "tabnas", "--input", "4", "--classes", "3", "--seed", "-1"], ("--seed", "-1")),
        (["sample", "tabnas"], ("input and classes of space tabnas: expected both",)),
        (["sample", "bignas", "--input", "32x32"], ("bignas",)),
        (["sample", "bignas", "--input", "32x32x"], ("--input: expected sizes such as 32x32x3",)),
        (["sample", "bignas", "--input", "-4"], ("--input: expected sizes such as 32x32x3",)),
        (["sample", "bignas", "--constraint", "params << 3"], ("constraint: expected a metric",)),
        (["sample", "bignas", "--constraint", "accuracy > 0.5"], ("cost: expected one of", "'accuracy'")),
        (["sample", "bignas", "--constraint", "latency_ms@hostcpu < 5"], ("did you mean 'host-cpu'",)),
        (["describe", "bignas-mx"], ("network: expected one of", "did you mean 'bignas-max'")),
        (["describe", "efficientnet-b9"], ("did you mean 'efficientnet-b0'",)),
        (["describe", "bignas:1-2"], ("expected 24 indices", "got 2")),
        (["describe", "bignsa:1-2"], ("space: expected one of", "did you mean 'bignas'")),
        (["describe", "tabnas:0-1-99999999999999999999-x-x", "--input", "4"], ("width_2",)),
        (["describe", "tabnas:0-1-½-x-x", "--input", "4"], ("width_2", "½")),
        (["describe", "größe"], ("network: expected one of", "'größe'")),
        (["describe", "bignas-min", "--classes", "0"], ("--classes", "0")),
        (["describe", "bignas-min", "--input", "9999999999x9x3"], ("--input: expected sizes",)),
        (["profile", "absent.tflite"], ("absent.tflite",)),
        (["profile", "text.tflite"], ("text.tflite",)),
        (["profile", "empty.tflite"], ("empty.tflite",)),
        (["profile", "cut.tflite"], ("cut.tflite",)),
        (["profile", "picture.png"], ("picture.png",)),
        (["profile", "."], ("network: expected one of", "'.'")),
        (["profile", "text.tflite", "--target", "hots-cpu"], ("did you mean 'host-cpu'",)),
        (["profile", "text.tflite", "--input", "4"], ("a .tflite file has its own",)),
        (["profile", "bignas-min", "--precision", "int4"], ("--precision", "int4")),
        (["profile", "bignas-min", "--threads", "0"], ("--threads", "0")),
        (["profile", "bignas-min", "--target", "pixel1-cpu"], ("pixel1-cpu refuses unsupported op LOGISTIC",)),
        (["profile", "mobilenet-v2", "--target", "pixel1-cpu"], ("refuses a network other than", "proxylessnas")),
        (["profile", "proxylessnas-mobile", "--target", "pixel1-cpu", "--per-op"], ("--per-op: expected a target",)),
        (["profile", "proxylessnas-mobile", "--target", "pixel1-cpu", "--threads", "2"], ("threads: expected 1",)),
        (["sample", "proxylessnas", "--constraint", "latency_ms@pixel1-cpu <= 84"], ("an objective",)),
        (["profile", "bignas-min", "--runs", "0"], ("--runs", "0")),
        (["plan", "text.tflite"], ("text.tflite: expected a mapping",)),
        (["train", "tabnas:0-1-1-x-x"], ("--task",)),
        (["train", "tabnas:0-1-1-x-x", "--task", "iriss"], ("did you mean 'iris'",)),
        (["train", "tabnas:0-1-1-x-x", "--task", "iris,seed"], ("--task: expected name,key=value",)),
        (["train", "tabnas:0-1-1-x-x", "--task", "digits"], ("space tabnas", "(8, 8, 1)")),
        (["train", "tabnas:0-1-77-x-x", "--task", "iris"], ("width_2", "'77'")),
        (["train", "tabnas-criteoo", "--task", "iris"], ("did you mean 'tabnas-criteo'",)),
        (["train", "tabnas:0-1-1-x-x", "--task", "iris", "--epochs", "0"], ("--epochs", "0")),
        (["train", "tabnas:0-1-1-x-x", "--task", "iris", "--learning-rate", "nan"], ("learning_rate: got nan",)),
        (["train", "tabnas:0-1-1-x-x", "--task", "iris", "--out", "text.tflite/below"], ("cannot be written",)),
        (["export", "absent", "--out", "f.tflite"], ("absent: expected a run folder or the folder of `nas train`",)),
        (["export", "absent", "--out", "f.tflite", "--precision", "int9"], ("did you mean 'int8'",)),
        (["export", "absent", "--out", "f.tflite", "--target", "phone"], ("target: expected one of",)),
        (["export", "absent"], ("--out",)),
        (["status", "absent"], ("expected the folder of a search",)),
        (["resume", "absent"], ("expected the folder of a search",)),
        (["report", "absent"], ("expected the folder of a search",)),
        (["report"], ("RUNS", "Missing")),
        (["serach"], ("No such command", "serach")),
        (["search"], ("CONFIG", "Missing")),
        (["search", "x.yaml", "--josn"], ("No such option", "--josn")),
        (["plan", "x.yaml", "--samples", "1000000000000"], ("--samples",)),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_command_lines_that_are_refused(
    refused: Callable[..., str], tmp_path: Path, arguments: list[str], words: tuple[str, ...]
) -> None:
    (tmp_path / "text.tflite").write_text("no model", encoding="utf-8")
    (tmp_path / "empty.tflite").touch()
    (tmp_path / "cut.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(40))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    refused(arguments, *words)


def test_bounds_that_nothing_keeps_end_a_sample_with_status_1(refused: Callable[..., str]) -> None:
    arguments = ["sample", "tabnas", "--input", "4", "--classes", "3", "--constraint", "params <= 10"]
    refused(arguments, "none of 2000 architectures", "params <= 10", "loosen", status=1)


def test_bounds_that_nothing_keeps_end_a_search_with_status_1_and_its_acceptance(
    refused: Callable[..., str], nas: Nas, write_yaml: Callable[..., Path], table_config: Config, tmp_path: Path
) -> None:
    constraints = ["latency_ms@toy <= 0.001", "size <= 400"]
    config = write_yaml(table_config | {"constraints": constraints, "budget": {"trials": 5, "attempts": 50}})
    words = ("no feasible architecture", "latency_ms@toy <= 0.001: 0 of 50", "loosen a constraint")
    refused(["search", config, "--out", "run"], *words, status=1, keeps=False)
    status, out, _ = nas(["status", tmp_path / "run", "--json"])
    assert status == 0
    assert yaml.safe_load(out)["trials"]["INFEASIBLE"] == 50
