"""Starting a Ray of our own, or joining a cluster: package, threads and token."""

from __future__ import annotations

import logging
import os
import socket
from importlib import import_module
from typing import Any

from searchspaces.errors import MissingError

LOCAL = "local"

_PACKAGES = ("nas", "searchspaces", "models", "hardware_profiles", "benchmarks", "reports")
_CONNECT_S = 5.0
_AUTH_MODE = "RAY_AUTH_MODE"
# Any call will do: a cluster that wants a token says so before it looks at what is asked.
_FIRST_CALL = "/ray.rpc.NodeInfoGcsService/GetClusterId"


def prepare_token(address: str) -> None:
    """Have Ray send its token (`RAY_AUTH_TOKEN`, or `~/.ray/auth_token`) to a cluster at ``host:port`` that asks.

    Ray does so by itself for ``local`` and ``auto`` alone. It reads the mode as it is imported, so call this before;
    and the mode has to be the cluster's, because with a token on one side only no trial ever starts.
    """
    if _AUTH_MODE not in os.environ and _host_port(address) and _asks_for_token(address):
        os.environ[_AUTH_MODE] = "token"


def connect(address: str, *, workers: int, cpus_per_trial: float) -> None:
    """Start or join the cluster; `workers` 0 leaves their number to the processors.

    Raises:
        MissingError: nobody answers at the address, or the cluster refuses this driver.
    """
    import ray
    from ray.exceptions import AuthenticationError

    threads = str(max(1, int(cpus_per_trial)))
    env = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": threads,
    }
    options: dict[str, Any] = {"runtime_env": {"env_vars": env}}
    if address == LOCAL:
        options.update(include_dashboard=False)
        if workers:
            options["num_cpus"] = max(1, round(workers * cpus_per_trial))
    else:
        # Nodes may not have the package, or another release of it: they compute with this one.
        options["runtime_env"]["py_modules"] = [package_folder(name) for name in _PACKAGES]
    try:
        _check_reachable(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (AuthenticationError, ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise MissingError(
            f"engine ray: no cluster at {address!r} that takes this driver ({reason}); start one with `ray start "
            "--head`, or leave the address out. Where it asks for a token, put what `ray get-auth-token` prints on its "
            f"head into RAY_AUTH_TOKEN or ~/.ray/auth_token here; {_AUTH_MODE} has to be alike on both sides."
        ) from error


def package_folder(name: str) -> str:
    """The folder a package of ours is imported from."""
    (path,) = import_module(name).__path__
    return str(path)


def _host_port(address: str) -> tuple[str, str] | None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return (host, port) if host else None


def _check_reachable(address: str) -> None:
    """Raise `ConnectionError` at once where nobody listens at ``host:port``: Ray itself would wait for minutes."""
    place = _host_port(address)
    if place is None:
        return
    try:
        socket.create_connection((place[0], int(place[1])), timeout=_CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(f"nobody listens there: {error}") from error


def _asks_for_token(address: str) -> bool:
    """Whether a cluster refuses a call without token; False where nobody answers, which `connect` will say."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(_FIRST_CALL)(b"", timeout=_CONNECT_S)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.UNAUTHENTICATED)
    return False
