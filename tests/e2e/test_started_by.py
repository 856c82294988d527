"""The default mode is rootless whoever starts the mesh: root's own has a user namespace, too, and all else is the same."""
import os

import pytest

from mesh import TEST_UID, Mesh, command_lines, copy_sample
from test_lifecycle import namespaces, namespaces_of
from test_netns import host, leaves_nothing_behind, needs_root, shows_bookinfo_by_mutual_tls_alone, users


@pytest.mark.parametrize("who", ["user", pytest.param("root", marks=needs_root)])
def test_bookinfo_is_rootless_encrypted_on_the_wire_and_leaves_nothing_behind(folder, who):
    before = host()
    work = folder / who  # what is one's own cannot be written by the other
    work.mkdir()
    mesh = Mesh(work, copy_sample(work), name=f"by-{who}")
    if who == "root":
        mesh.as_root()
    try:
        mesh.start()
        status = mesh.status()
        assert status["mode"] == "rootless" and all(workload["ready"] for workload in status["workloads"])
        shows_bookinfo_by_mutual_tls_alone(mesh)
        used = namespaces_of(mesh)
        if os.geteuid() == 0:  # others may not look into them
            assert {kind for kind, _ in used} == {"net", "mnt", "pid", "user"}
        # Root's programs are root's, confined to their namespaces; an application is not even that.
        proxies = mesh.processes("plait-proxy")
        assert len(proxies) == len(status["workloads"]) and users(proxies) == users([mesh.process.pid])
        if os.geteuid() == 0:
            of_the_mesh = [pid for pid, words in command_lines() if words[0].endswith(b"plait-demo-app") and namespaces([pid]) & used]
            assert len(of_the_mesh) >= 6 and 0 not in users(of_the_mesh), users(of_the_mesh)
            assert who == "root" or users(of_the_mesh) == {TEST_UID}
        inside, _, count = mesh.exec("details-v1", "cat", "/proc/self/uid_map").stdout.split()
        assert (inside, count) == ("1000", "1")
        assert mesh.exec("details-v1", "sh", "-c", "id -u; cat /etc/shadow", check=False).stdout == "1000\n"
    finally:
        mesh.stop()
    leaves_nothing_behind(mesh, before, used)
