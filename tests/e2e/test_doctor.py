"""`plait doctor` on hosts that lack something: namespaces of this test stand for them, in which the kernel says no."""
import json
import shutil
import subprocess

import pytest

from mesh import BIN, Mesh, unprivileged

NO_NAMESPACES = "user.max_user_namespaces"


@pytest.fixture
def host(folder):
    return Mesh(folder, folder, name="doctor")


def run(host, shell, *words, program=BIN / "plait"):
    """`plait WORDS` as the test user in a user namespace of its own, after `shell` has changed what it can in there. The
    user keeps its name, and has no privilege any more when plait begins."""
    command = ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "--mount", "sh", "-ec",
               f"{shell}\nexec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- \"$@\"", "sh", str(program), *words]
    return subprocess.run(unprivileged(command), env=host.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def checks(result):
    report = json.loads(result.stdout)
    return report, {check["description"]: check for category in report["categories"] for check in category["checks"]}


def test_on_this_host_a_mesh_can_run(host):
    result = host.plait("doctor", "-o", "json")
    report, found = checks(result)
    assert report["success"] and report["mode"] == "rootless"
    assert {check["result"] for check in found.values()} <= {"success", "warning"}
    assert "this host can run a mesh: try `plait demo`" in host.plait("doctor").stdout


def everything_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_it_leaves_a_home_as_it_found_it(host, folder):
    del host.env["XDG_STATE_HOME"]
    home = folder / "home"
    assert checks(host.plait("doctor", "-o", "json"))[1]["folders"]["result"] == "success"
    assert everything_in(home) == []
    # Also where only some of them can be made.
    host.env["XDG_STATE_HOME"] = f"{home}/new/{'x' * 256}"
    refused = checks(host.plait("doctor", "-o", "json", check=False))[1]["folders"]
    assert refused["result"] == "error" and "File name too long" in refused["error"], refused
    assert everything_in(home) == []
    # What was there stays, empty or not.
    host.env["XDG_STATE_HOME"] = f"{home}/state"
    subprocess.run(unprivileged(["mkdir", f"{home}/state"]), check=True)
    assert checks(host.plait("doctor", "-o", "json"))[1]["folders"]["result"] == "success"
    assert everything_in(home) == ["state"]


def test_without_user_namespaces_it_says_so_with_the_setting_and_the_mode_that_is_left(host):
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces; ip link set lo up"
    result = run(host, forbid, "doctor", "-o", "json")
    report, found = checks(result)
    assert result.returncode == 1 and not report["success"] and report["mode"] == "loopback", result.stdout
    refused = found["user, mount, pid and network namespaces"]
    assert refused["result"] == "error" and refused["error"]
    assert NO_NAMESPACES in refused["error"] + refused["hint"], refused
    # What was not tried is not told as if it had been.
    assert "capture by nftables" not in found
    text = run(host, forbid, "doctor")
    assert text.returncode == 1 and NO_NAMESPACES in text.stdout and "plait up --net loopback" in text.stdout, text.stdout
    # And that is what the start says, too.
    up = run(host, forbid, "up", str(host.directory), "--name", host.name, "--port", "0")
    assert up.returncode == 1 and NO_NAMESPACES in up.stderr, up.stderr


def test_without_its_other_programs_it_names_the_one_that_is_missing(host, folder):
    alone = folder / "alone"
    alone.mkdir()
    for name in ("plait", "plait-init", "plait-proxy"):
        shutil.copy(BIN / name, alone)
    result = run(host, "ip link set lo up", "doctor", "-o", "json", program=alone / "plait")
    report, found = checks(result)
    assert result.returncode == 1 and not report["success"] and report["mode"] == "none", result.stdout
    assert found["plaitd"]["result"] == "error" and f"{alone}/plaitd is missing" in found["plaitd"]["error"]
    assert "install" in found["plaitd"]["hint"] and found["plait-proxy"]["result"] == "success"


def test_where_its_folders_cannot_be_made_it_names_the_folder(host, folder):
    host.env["XDG_STATE_HOME"] = "/proc/nowhere"
    result = host.plait("doctor", "-o", "json", check=False)
    report, found = checks(result)
    assert result.returncode == 1 and not report["success"] and report["mode"] == "none"
    assert found["folders"]["result"] == "error" and "/proc/nowhere" in found["folders"]["error"], found["folders"]
    assert found["folders"]["hint"]
