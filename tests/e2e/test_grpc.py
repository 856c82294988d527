"""A stock gRPC client and server through the proxies: all four kinds of call, metadata, trailers, deadlines, errors."""
import json
import pathlib
import shutil
import sys
import sysconfig
import tempfile

import pytest

import manifests as m
from mesh import Mesh, leftovers

APP = m.APP
PEER = pathlib.Path(__file__).with_name("grpc_peer.py")


@pytest.fixture(name="library", scope="module")
def fixture_library():
    """grpcio where an application can read it: the tests' own environment may be root's alone, and an application has a
    /tmp of its own."""
    with tempfile.TemporaryDirectory(prefix="plait-grpc-", dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        packages = pathlib.Path(sysconfig.get_paths()["platlib"])
        shutil.copytree(packages / "grpc", folder / "grpc")
        shutil.copy(packages / "typing_extensions.py", folder)
        shutil.copy(PEER, folder)
        yield folder


@pytest.fixture(scope="module")
def called(folder, library):
    directory = folder / "grpc"
    directory.mkdir()
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    peer = [python, str(library / PEER.name)]
    m.write(
        directory / "mesh.yaml",
        m.peer_authentication("STRICT"),
        m.account("server"),
        m.deployment("server", [*peer, "serve", "50051"], account="server", ports=[50051],
                     probe={"tcpSocket": {"port": 50051}, "periodSeconds": 1}),
        m.service("declared", {"grpc": 50051}, {"app": "server"}),
        m.service("undeclared", {"peer": 50051}, {"app": "server"}),
        m.deployment("client", [APP, "client"]))
    mesh = Mesh(folder, directory, name="grpc")
    mesh.start()

    def call(target):
        return json.loads(mesh.exec("client", *peer, "call", target, timeout=300).stdout)
    yield call
    mesh.stop()
    assert not leftovers()


@pytest.mark.parametrize("service", ["declared", "undeclared"])
def test_every_kind_of_call_arrives_whole(called, service):
    got = called(f"{service}:50051")
    assert got["unary"] == "hello"
    assert got["initial"]["x-first"] == "1"
    assert got["trailers"] == {"x-caller": "me", "x-last-bin": "00ff"}
    assert got["server_stream"] == [500, sum(len(b"%d " % i) + 1000 for i in range(500))]
    assert got["server_stream_trailers"] == {"x-sent": "500"}
    assert got["client_stream"] == "a,b,c"
    assert got["both"] == ["ONE", "TWO", "THREE"]
    assert got["large"]
    assert got["failure"] == {"code": "FAILED_PRECONDITION", "details": "not now: 100 %, \u00fc", "trailers": {"x-why": "because"}}
    # The client's deadline came to the server, and so did its giving up.
    assert got["deadline"] == "DEADLINE_EXCEEDED"
    remaining, end = got["seen"][-2:]
    assert 0 < remaining <= 5.1 and end == "cancelled"
