"""Joining a cluster: when Ray is told to send its token."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from nas.engines.ray_connect import package_folder, prepare_token

Serve = Callable[[grpc.StatusCode], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that ends every call with one status; gives its address."""
    servers = []

    def start(status: grpc.StatusCode) -> str:
        class Ending(grpc.GenericRpcHandler):  # type: ignore[misc]
            def service(self, details: Any) -> Any:
                return grpc.unary_unary_rpc_method_handler(lambda request, context: context.abort(status, "no"))

        servers.append(grpc.server(ThreadPoolExecutor(1)))
        servers[-1].add_generic_rpc_handlers((Ending(),))
        port = servers[-1].add_insecure_port("127.0.0.1:0")
        servers[-1].start()
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None).wait()


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """RAY_AUTH_MODE is not set, and is put back afterwards as it was."""
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    monkeypatch.delenv("RAY_AUTH_MODE")


def test_a_cluster_that_asks_for_a_token_gets_it(serve: Serve) -> None:
    prepare_token(serve(grpc.StatusCode.UNAUTHENTICATED))
    assert os.environ["RAY_AUTH_MODE"] == "token"


@pytest.mark.parametrize("status", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL])
def test_a_cluster_that_does_not_ask_gets_none(serve: Serve, status: grpc.StatusCode) -> None:
    prepare_token(serve(status))
    assert "RAY_AUTH_MODE" not in os.environ


@pytest.mark.parametrize("address", ["local", "auto", "127.0.0.1:1", "127.0.0.1:none"])
def test_where_nobody_can_be_asked_nothing_is_set(address: str) -> None:
    prepare_token(address)
    assert "RAY_AUTH_MODE" not in os.environ


def test_what_the_user_has_set_stays(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    prepare_token(serve(grpc.StatusCode.UNAUTHENTICATED))
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_the_package_travels_from_where_it_is_imported() -> None:
    import nas

    assert package_folder("nas") == next(iter(nas.__path__))
