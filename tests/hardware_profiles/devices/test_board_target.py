"""A board over ssh, with a stand-in for ssh that runs the line here as sshd would there; no board was attached."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware_profiles.op_graph import OpGraph
from hardware_profiles.target import Target, load_target
from searchspaces.errors import InputError, MissingError, NoResultError

ConvGraph = Callable[..., OpGraph]
Write = Callable[[str, str], Path]
Program = Callable[[str, str], Path]

# The last argument is the line; what stands before it are options and the host.
HERE = """printf '%s\\n' "$@" > "$(dirname "$0")/asked"; for line in "$@"; do :; done; exec sh -c "$line" """


@pytest.fixture
def board(write_target: Write, program: Program, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Target]:
    """A target whose ssh is a script and whose `nas` is another; both may be given."""

    def made(*, ssh: str = HERE, nas: str | None = None, device: str = "") -> Target:
        folder = program("ssh", ssh).parent
        if nas is not None:
            program("nas", nas)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        command = folder / "nas" if nas is not None else folder / "absent"
        lines = f'host = "pi@board"\ncommand = "{command}"\n{device}'
        return load_target(write_target("board", lines))

    return made


def test_the_board_s_own_profile_is_the_cost(board: Callable[..., Target], conv_graph: ConvGraph) -> None:
    """Paretonas itself runs at the other end."""
    root = Path(__file__).resolve().parents[3]
    main = "from nas.cli import main; main()"
    nas = f"""PYTHONPATH={root} exec {sys.executable} -c "{main}" "$@" --runs 5 """
    cost = board(nas=nas).cost(conv_graph(16))
    assert (cost.target, cost.method, cost.precision, cost.threads) == ("mine", "measured", "float32", 1)
    assert cost.value > 0 and "ai-edge-litert" in cost.runtime


def test_ssh_is_asked_for_no_password(board: Callable[..., Target], conv_graph: ConvGraph, tmp_path: Path) -> None:
    target = board(nas="cat > /dev/null < /dev/null; echo 'no board' >&2; exit 3")
    with pytest.raises(MissingError, match="mine: pi@board says: no board"):
        target.cost(conv_graph(16))
    asked = (tmp_path / "bin" / "asked").read_text().splitlines()
    assert asked[:5] == ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "pi@board"]
    assert "--target host-cpu --threads 1" in asked[5]


def test_the_file_arrives_whole_and_is_removed(
    board: Callable[..., Target], conv_graph: ConvGraph, tmp_path: Path
) -> None:
    target = board(nas=f'cp "$2" {tmp_path}/arrived; echo "$2" > {tmp_path}/name; echo "{{}}"; exit 1')
    with pytest.raises(NoResultError, match="ended with status 1"):
        target.cost(conv_graph(16))
    assert (tmp_path / "arrived").read_bytes()[4:8] == b"TFL3"
    assert not Path((tmp_path / "name").read_text().strip()).exists()


@pytest.mark.parametrize(
    ("ssh", "nas", "kind", "message"),
    [
        (
            "echo 'ssh: connect to host board port 22: No route' >&2; exit 255",
            None,
            MissingError,
            "no connection .*No route",
        ),
        (HERE, None, MissingError, "no .*absent on pi@board: .*install paretonas there"),
        (HERE, "echo error: a network it cannot run >&2; exit 2", NoResultError, "status 2: error: a network"),
        (HERE, "echo Welcome to board", NoResultError, "expected a cost record .* login may print"),
        (HERE, "echo '[1]'", NoResultError, "expected one cost record"),
        (HERE, "echo '{}'", InputError, "cost record: expected the field"),
        ("exec sleep 30", None, NoResultError, "not done after 1 s"),
    ],
)
def test_what_goes_wrong_is_quoted(
    board: Callable[..., Target],
    conv_graph: ConvGraph,
    ssh: str,
    nas: str | None,
    kind: type[Exception],
    message: str,
) -> None:
    with pytest.raises(kind, match=message):
        board(ssh=ssh, nas=nas, device="time_limit_s = 1" if "sleep" in ssh else "").cost(conv_graph(16))


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("", "key device.host: expected user@address"),
        ("host = 3", "key device.host: expected str, got 3"),
        ('host = "a"\nhots = "b"', "did you mean 'host'"),
        ('host = "a"\ntime_limit_s = "long"', "key device.time_limit_s: expected float"),
    ],
)
def test_tables_that_are_refused(write_target: Write, device: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_target(write_target("board", device))


def test_a_host_that_is_an_option_is_refused(write_target: Write, conv_graph: ConvGraph) -> None:
    with pytest.raises(InputError, match="expected a host, got '-oProxyCommand"):
        load_target(write_target("board", 'host = "-oProxyCommand=x"')).cost(conv_graph(16))
