"""`--port` is that port, or the next free one if it is taken, which is told; one that this user may not have is an error."""
import pathlib
import socket

import pytest

from mesh import Mesh, copy_sample, leftovers_of

VERBS = {"up": ["up", "DIRECTORY"], "up --detach": ["up", "DIRECTORY", "--detach"], "demo": ["demo"], "demo --detach": ["demo", "--detach"],
         "demo --test": ["demo", "--test"], "demo tour": ["demo", "tour", "--yes"]}


@pytest.fixture(scope="module")
def shop(folder):
    return Mesh(folder, copy_sample(folder), name="ports")


def refused(mesh, words, port):
    """What is said of a port that cannot be had, by a start that leaves nothing behind."""
    words = [str(mesh.directory) if word == "DIRECTORY" else word for word in words]
    result = mesh.plait(*words, "--name", mesh.name, "--port", str(port), check=False)
    assert result.returncode == 1, result.stderr
    assert "mode: " not in result.stderr, "it is said before anything is started"
    assert not leftovers_of(mesh) and not any((mesh.folder / "run").iterdir()) and not any((mesh.folder / "state").iterdir())
    return result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_a_chosen_port_that_only_root_may_have_is_an_error(shop, verb):
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="utf-8"))
    if first < 2:
        pytest.skip("this host lets everybody have every port")
    said = refused(shop, VERBS[verb], first - 1)
    assert f"plait: port {first - 1} is below {first}, where only root may listen\n  try: another --port, or --port 0 for any free one\n" in said


def test_a_chosen_port_that_is_free_is_had_and_one_that_is_taken_is_the_next_free_one(shop):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        shop.named("up", str(shop.directory), "--port", str(port), "--detach")
        assert shop.url == f"http://127.0.0.1:{port}" and shop.get("/productpage")[0] == 200
        second = Mesh(shop.folder, shop.directory, name="second")
        second.env["PLAIT_STATE_DIR"] = str(shop.folder / "state" / "second")
        try:
            said = second.plait("up", str(shop.directory), "--name", "second", "--port", str(port), "--detach").stderr
            assert f"port {port} of this host is taken by another program: the gateway's port " in said, said
            assert int(second.url.rpartition(":")[2]) > port and second.get("/productpage")[0] == 200
        finally:
            second.named("down", "--purge", check=False)
    finally:
        shop.named("down", "--purge", check=False)
