"""A mesh of the real `plait` and plait-init with stand-ins for plaitd and plait-proxy, as an unprivileged user."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from mesh import BIN, Mesh, end_process, logs_end, process_status, processes_with, showing, until  # noqa: E402, F401

HERE = pathlib.Path(__file__).resolve().parent
UID = 62000 + os.getpid() % 2000  # nobody else's, so that what is left behind can be seen


def pod(name, argv, uid=None, **more):
    container = {"name": "main", "argv": argv, "env": [{"name": "WHO", "field": "metadata.name"}], "ports": []}
    container.update(more.pop("container", {}))
    return {"uid": uid or name, "name": name, "namespace": "default", "service_account": "default", "labels": {"app": name},
            "annotations": {}, "owner": name.rsplit("-", 1)[0], "restart_policy": "Always", "grace_seconds": 3,
            "proxy": True, "containers": [container], **more}


def web(name, port=80, **more):
    probe = {"kind": "http", "port": port, "path": "/etc/hostname", "period_ms": 500, "timeout_ms": 1000}
    return pod(name, ["python3", "-m", "http.server", str(port), "--bind", "::"], container={"readiness": probe}, **more)


GATEWAY = {**pod("istio-ingressgateway-0", []), "proxy": "gateway", "containers": []}


class Local:
    def __init__(self, folder):
        self.folder = folder
        self.bin, self.directory, self.output = folder / "bin", folder / "mesh", folder / "up.out"
        self.bin.mkdir()
        self.directory.mkdir()
        for name in ("plait", "plait-init"):
            shutil.copy(BIN / name, self.bin / name)
        shutil.copy(HERE / "fake_plaitd", self.bin / "plaitd")
        shutil.copy(HERE / "fake_proxy", self.bin / "plait-proxy")
        shutil.copy(HERE / "fake_envoy", self.bin / "envoy")
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder / "home"), "LANG": "C.UTF-8",
                    "XDG_RUNTIME_DIR": str(folder / "run")}
        for part in ("home", "run"):
            (folder / part).mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(folder / part, UID, UID)
        self.process = None
        self.uid = UID
        self.port = 0  # None: that of `plait up` itself
        self.flags = []  # of `plait up`

    def as_root(self):
        """The mesh is started by root itself: it is rootless all the same."""
        self.uid = 0
        for part in ("home", "run"):
            os.chown(self.folder / part, 0, 0)

    def command(self, *arguments):
        command = [str(self.bin / "plait"), *arguments]
        if os.geteuid() == 0 and self.uid != 0:
            command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--", *command]
        return command

    def plait(self, *arguments, check=True, **options):
        result = subprocess.run(self.command(*arguments), env=self.env, capture_output=True, text=True, timeout=60, check=False,
                                **{"stdin": subprocess.DEVNULL, **options})
        assert not check or result.returncode == 0, f"{arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def want(self, *pods, gateway_ports=(), services=()):
        ports = [{"port": port, "gateways": [f"{GATEWAY['namespace']}/{GATEWAY['owner']}"], "on_host": True, "scheme": "http"}
                 for port in gateway_ports]
        text = json.dumps({"gateway_ports": ports, "pods": list(pods), "services": list(services)})
        new = self.directory / "pods.new"
        new.write_text(text)
        new.rename(self.directory / "pods.json")

    def start(self):
        """Without waiting until all is ready."""
        with open(self.output, "wb") as out:
            port = [] if self.port is None else ["--port", str(self.port)]
            self.process = subprocess.Popen(self.command("up", str(self.directory), *port, *self.flags), env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        with showing(self.tail):
            until(self.status, 15, "the mesh answers")

    def up(self):
        self.start()
        with showing(self.tail):
            until(lambda: self.status()["state"] == "ready", 15, "the mesh is ready")

    def status(self):
        return json.loads(self.plait("status", "-o", "json").stdout)

    def workload(self, name):
        return {w["name"]: w for w in self.status()["workloads"]}[name]

    def logs(self, workload):
        return self.plait("logs", workload, "-c", "main").stdout

    def sh(self, workload, script, **options):
        return self.plait("exec", workload, "--", "sh", "-c", script, check=False, **options)

    def end(self):
        end_process(self.process, 20, self.tail)

    def said(self):
        """What `plait up` has said so far."""
        return self.output.read_text(errors="replace")

    def tail(self):
        return logs_end(self.folder, self.output)

    def leftovers(self):
        """Processes whose user is the mesh's; where that has others, too (root, or the user who runs the tests), those that
        run its programs."""
        if os.geteuid() != 0:
            return processes_with(f"{self.folder}/")
        found = subprocess.run(["ps", "-ww", "-eo", "pid=,uid=,stat=,args="], capture_output=True, text=True, check=True).stdout
        lines = [line for line in found.splitlines() if not line.split()[2].startswith("Z")]
        return [line for line in lines if (line.split()[1] == str(self.uid) if self.uid else f"{self.folder}/bin" in line)]
