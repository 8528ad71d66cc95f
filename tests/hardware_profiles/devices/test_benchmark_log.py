"""Logs as benchmark_model has printed them since 2020, and what is not one."""

from __future__ import annotations

import pytest

from hardware_profiles.devices.benchmark_log import Delegation, Replacement, parse_benchmark_log
from hardware_profiles.devices.op_profile import parse_op_profile
from searchspaces.errors import NoResultError

NEW = """INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Graph: [/data/local/tmp/m.tflite]
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Replacing 29 out of 31 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 2 partitions for subgraph 0.
INFO: The input model file size (MB): 3.88
INFO: Initialized session in 17.187ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=31 first=18721 curr=15000 min=14890 max=18721 avg=15230.4 std=700 p5=14900 median=15010 p95=18000
INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=66 first=15010 curr=14990 min=14880 max=16020 avg=15042.1 std=150 p5=14890 median=15001 p95=15400
INFO: Inference timings in us: Init: 17187, First inference: 18721, Warmup (avg): 15230.4, Inference (avg): 15042.1
INFO: Memory footprint delta from the start of the tool (MB): init=4.21 overall=9.08
INFO: Overall peak memory footprint (MB) via periodic monitoring: 21.3
"""

OLD = """STARTING!
Duplicate flags: num_threads
The input model file size (MB): 16.9008
Initialized session in 17.187ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=1 curr=3512391

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=50 first=2990275 curr=2913402 min=2727568 max=3189954 avg=2.95034e+06 std=109798

Inference timings in us: Init: 17187, First inference: 3512391, Warmup (avg): 3.51239e+06, Inference (avg): 2.95034e+06
Peak memory footprint (MB): init=4.21094 overall=46.0859
"""

LITERT = NEW.replace("INFO: ", "I tflite  : ")


@pytest.mark.parametrize("text", [NEW, LITERT, NEW.replace("\n", "\r\n")])
def test_a_log_of_today(text: str) -> None:
    log = parse_benchmark_log(text)
    assert (log.runs, log.warmup_runs) == (66, 31)
    assert (log.min_us, log.max_us, log.mean_us, log.std_us) == (14880, 16020, 15042.1, 150)
    assert log.median_us == log.typical_us == 15001
    assert log.init_us == 17187 and log.peak_memory_bytes == round(21.3 * 2**20)
    assert log.delegation is None
    assert log.replacements == (Replacement(delegate="TfLiteXNNPackDelegate", nodes=29, of_nodes=31, partitions=2),)


def test_a_log_of_2020() -> None:
    log = parse_benchmark_log(OLD)
    assert (log.runs, log.warmup_runs, log.min_us, log.max_us) == (50, 1, 2727568, 3189954)
    assert log.median_us is None and log.typical_us == log.mean_us == 2950340
    assert log.peak_memory_bytes == round(46.0859 * 2**20)


def test_a_single_run_has_one_time() -> None:
    log = parse_benchmark_log("count=1 curr=3512391\n")
    assert (log.runs, log.min_us, log.max_us, log.mean_us) == (1, 3512391, 3512391, 3512391)


def test_the_line_of_an_op_profile_is_no_result() -> None:
    profiled = NEW + "Timings (microseconds): count=50 first=79449 curr=81350 min=77385 max=88213 avg=79732 std=1929\n"
    assert parse_benchmark_log(profiled) == parse_benchmark_log(NEW)


@pytest.mark.parametrize(
    ("line", "delegation", "fell_back"),
    [
        (
            "Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.",
            Delegation(name="GPU", kernels=None, whole=True),
            False,
        ),
        (
            "Explicitly applied NNAPI delegate, and the model graph will be partially executed by the delegate w/ 3 "
            "delegate kernels.",
            Delegation(name="NNAPI", kernels=3, whole=False),
            False,
        ),
        (
            "Though HEXAGON delegate is explicitly applied, the model graph will not be executed by the delegate.",
            Delegation(name="HEXAGON", kernels=0, whole=False),
            True,
        ),
    ],
)
def test_what_became_of_a_delegate(line: str, delegation: Delegation, fell_back: bool) -> None:
    log = parse_benchmark_log(f"INFO: {line}\n{NEW}")
    assert log.delegation == delegation and delegation.fell_back is fell_back


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got: nothing"),
        ("ERROR: Failed to mmap model /data/local/tmp/m.tflite\nERROR: Benchmarking failed.\n", "Benchmarking failed"),
        ("sh: /data/local/tmp/benchmark_model: not executable: 64-bit ELF file", "not executable: 64-bit ELF file"),
        ("INFO: count=fifty min=1", "count=fifty"),
        ("\x00\xff garbage \x1b[0m", "garbage"),
        ("count=2 first=1e curr=1 min=1 max=1 avg=1", "expected a number for first"),
    ],
)
def test_what_is_no_result_is_quoted(text: str, words: str) -> None:
    with pytest.raises(NoResultError, match=words):
        parse_benchmark_log(text)


OP_CSV = """
Profiling Info for Benchmark Initialization:
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
ModifyGraphWithDelegate, 0, 10.5, 10.5, 90%, 90%, 0, 1, ModifyGraphWithDelegate/0

Operator-wise Profiling Info for Regular Benchmark Runs:
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 0, 0.11, 0.0930388, 44.8994%, 44.8994%, 0, 1, [sequential_11/conv2d_33/Conv2D]:0
ADD, 0.11, 0.12, 0.1142, 55.1006%, 100%, 0, 2, [a, b]:1

node type, count, avg_ms, avg %, cdf %, mem KB, times called
ADD, 1, 0.1142, 55.1006%, 55.1006%, 0, 2
"""

OP_TABLE = """INFO: count=50 first=79449 curr=81350 min=77385 max=88213 avg=79732 std=1929
Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t                 CONV_2D\t    4.269\t    4.301\t 60.000%\t 60.000%\t     0.000\t        1\t[stem/Relu6]:0
\t       DEPTHWISE_CONV_2D\t    2.800\t    2.867\t 40.000%\t100.000%\t     0.000\t        1\t[depthwise/Relu6]:1

============================== Top by Computation Time ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t                 CONV_2D\t    4.269\t    4.301\t 60.000%\t 60.000%\t     0.000\t        1\t[stem/Relu6]:0
"""


def test_the_csv_of_operators_holds_the_timed_runs_alone() -> None:
    first, second = parse_op_profile(OP_CSV)
    assert (first.kind, first.name, first.mean, first.unit) == (
        "CONV_2D",
        "[sequential_11/conv2d_33/Conv2D]:0",
        0.0930388,
        "ms",
    )
    assert first.share == pytest.approx(0.448994)
    assert (second.name, second.times_called) == ("[a, b]:1", 2)


def test_the_table_on_standard_output_is_read_in_running_order() -> None:
    ops = parse_op_profile(OP_TABLE)
    assert [(op.kind, op.mean, op.share) for op in ops] == [("CONV_2D", 4.301, 0.6), ("DEPTHWISE_CONV_2D", 2.867, 0.4)]


def test_a_hexagon_delegate_counts_cycles() -> None:
    assert {op.unit for op in parse_op_profile(OP_TABLE, unit="cycles")} == {"cycles"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (NEW, "expected a table of operators"),
        (OP_CSV.replace("44.8994%, 44", "much, 44"), "expected times, shares and calls"),
        (OP_CSV.replace("times called", "calls made"), "times, shares and calls .*'calls'"),
    ],
)
def test_tables_of_another_form_are_refused(text: str, words: str) -> None:
    with pytest.raises(NoResultError, match=words):
        parse_op_profile(text)
