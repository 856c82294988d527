"""Volumes of a pod: what its containers share, what outlives a restart, and files that nobody can change."""
import base64

from local_mesh import pod, until


def files(name, **texts):
    """A volume of files, each (text, mode)."""
    return {"name": name, "empty_dir": False, "files": [
        {"path": path, "mode": mode, "base64": base64.b64encode(text).decode()} for path, (text, mode) in texts.items()]}


def mount(volume, path, **more):
    return {"volume": volume, "path": path, **more}


SHARED = {"name": "shared", "empty_dir": True, "files": []}


def container(name, script, *mounts):
    return {"name": name, "argv": ["sh", "-c", script], "env": [], "ports": [], "mounts": list(mounts)}


def test_an_empty_dir_is_shared_by_containers_and_outlives_their_restarts(local):
    writer = container("writer", "date +%N >>/out/starts; exec sleep 1000", mount("shared", "/out"))
    reader = container("reader", "exec sleep 1000", mount("shared", "/opt/plait-test/in", read_only=True))
    local.want({**pod("a-0", []), "volumes": [SHARED], "containers": [writer, reader]},
               {**pod("b-0", []), "volumes": [SHARED], "containers": [reader]})
    local.up()
    starts = lambda workload="a-0": local.plait("exec", workload, "-c", "reader", "--", "sh", "-c", "cat /opt/plait-test/in/*", check=False).stdout
    until(lambda: len(starts().splitlines()) == 1, 5, "the one sees what the other writes")
    assert starts("b-0") == "", "another pod has a volume of its own"
    local.plait("exec", "a-0", "-c", "writer", "--", "sh", "-c", "kill 2", check=False)
    until(lambda: len(starts().splitlines()) == 2, 10, "what was written before the restart is still there")
    refused = local.plait("exec", "a-0", "-c", "reader", "--", "touch", "/opt/plait-test/in/x", check=False)
    assert "Read-only file system" in refused.stderr
    # Another pod of that name begins with nothing; the old one's volume is gone with it.
    local.want({**pod("a-0", [], uid="second"), "volumes": [SHARED], "containers": [writer, reader]})
    until(lambda: len(local.status()["workloads"]) == 1 and local.workload("a-0")["ready"], 20, "the new pod")
    until(lambda: len(starts().splitlines()) == 1, 5, "its volume is new")
    until(lambda: [path.name for path in local.folder.glob("run/plait/default/volumes/*")] == ["second"], 5, "the old one's is gone")


def test_files_have_their_modes_and_are_read_only(local):
    conf = files("conf", **{"app.conf": (b"color\n", 0o444), "keys/key": (b"\0\xff", 0o400)})
    conf["files"].append({"path": "labels", "mode": 0o644, "field": "metadata.labels"})
    script = "cat /etc/app/app.conf /etc/app/labels /etc/one.conf; stat -c '%a %s' /etc/app/keys/key; echo x >/etc/app/app.conf; exec sleep 1000"
    local.want({**pod("a-0", []), "volumes": [conf],
                "containers": [container("main", script, mount("conf", "/etc/app"), mount("conf", "/etc/one.conf", sub_path="app.conf"))]})
    local.up()
    until(lambda: "Read-only file system" in local.logs("a-0"), 10, "it ran")
    assert local.logs("a-0").startswith('color\napp="a-0"\ncolor\n400 2\n'), local.logs("a-0")
    assert local.sh("a-0", "cat /etc/app/keys/key | wc -c; touch /etc/app/y").stdout == "2\n"


def test_a_volume_that_cannot_be_mounted_is_the_reason_of_its_pod(local):
    local.want({**pod("a-0", []), "volumes": [files("conf", **{"app.conf": (b"", 0o644)})],
                "containers": [container("main", "exec sleep 1000", mount("conf", "/etc/other.conf", sub_path="other.conf"))]})
    local.start()
    until(lambda: "cannot mount volume conf at /etc/other.conf: cannot find other.conf in it" in local.workload("a-0")["reason"], 10, "the reason")
