"""`plait up --net`: each mode says which one it is, why, and what it cannot do."""
import os

import pytest

from local_mesh import GATEWAY, web

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces without a user namespace")


def said(local):
    local.end()
    return local.said()


def test_the_default_is_rootless_and_says_what_it_cannot_do(local):
    local.want(web("a-0"))
    local.up()
    status = local.status()
    assert (status["mode"], status["mode_reason"]) == ("rootless", "the default: it needs no privilege")
    assert any("only TCP leaves the mesh" in limit for limit in status["limits"])
    table = local.plait("status").stdout
    assert "mode rootless (the default: it needs no privilege)" in table
    told = said(local)
    assert "mode: rootless (the default: it needs no privilege)" in told
    assert all(limit in told for limit in status["limits"])


@needs_root
def test_in_netns_root_makes_the_namespaces_and_applications_are_nobody(local):
    local.as_root()
    local.flags = ["--net", "netns"]
    local.want(web("a-0"), web("b-0", 8080), GATEWAY, gateway_ports=[80])
    local.up()
    status = local.status()
    assert (status["mode"], status["mode_reason"]) == ("netns", "as --net says")
    b = local.workload("b-0")["ips"][0]
    assert local.sh("a-0", f"curl -s --max-time 5 http://{b}:8080/").stdout.startswith("15001 pid")
    # Another user than the mesh's, on the host too: root's files and processes are not its.
    inside, outside, count = local.sh("a-0", "cat /proc/self/uid_map").stdout.split()
    assert (inside, count) == ("1000", "1") and int(outside) >= 60100
    assert local.sh("a-0", "id -u; cat /etc/shadow").stdout == "1000\n"
    assert local.sh("a-0", "unshare -n true").returncode != 0
    assert any("run as the host's root" in limit for limit in status["limits"])
    told = said(local)
    assert "mode: netns (as --net says)" in told
    assert all(limit in told for limit in status["limits"])


def test_netns_without_root_is_refused_with_the_way_out(local):
    if local.uid == 0:
        pytest.skip("the tests run as an ordinary user here only when they are started by root")
    refused = local.plait("up", str(local.directory), "--net", "netns", check=False)
    assert refused.returncode == 1
    assert "makes namespaces as root, and this is not root" in refused.stderr and "leave --net out" in refused.stderr


def test_an_unknown_mode_names_those_that_are(local):
    refused = local.plait("up", str(local.directory), "--net", "bridge", check=False)
    assert refused.returncode != 0 and "rootless" in refused.stderr and "netns" in refused.stderr
