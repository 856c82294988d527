"""Starts Envoy or plait-proxy on one of the static files and reads its access log."""
import json
import os
import pathlib
import select
import shutil
import socket
import string
import subprocess
import sysconfig
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent


def envoy_binary():
    if found := os.environ.get("PLAIT_ENVOY") or shutil.which("envoy"):
        return found
    return str(pathlib.Path(sysconfig.get_paths()["purelib"]) / "envoy" / "_bin" / "envoy")


def plait_binary():
    return str(pathlib.Path(os.environ.get("PLAIT_BIN", ROOT / "build/release/bin")) / "plait-proxy")


GIVEN = set()


def free_port():
    """A port that nobody listens at and that was not given before: both proxies of a case start long after it."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


# The access log of a case that has none of its own: the client's address says whose line it is, the rest is compared.
LOG_FIELDS = {
    "code": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%", "details": "%RESPONSE_CODE_DETAILS%",
    "end": "%CONNECTION_TERMINATION_DETAILS%", "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "protocol": "%PROTOCOL%", "method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "host": "%REQ(:AUTHORITY)%",
    "route": "%ROUTE_NAME%", "cluster": "%UPSTREAM_CLUSTER%", "upstream": "%UPSTREAM_HOST%",
    "received": "%BYTES_RECEIVED%", "sent": "%BYTES_SENT%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "wire_received": "%UPSTREAM_WIRE_BYTES_RECEIVED%", "wire_sent": "%UPSTREAM_WIRE_BYTES_SENT%", "over": "%UPSTREAM_PROTOCOL%",
    "sni": "%REQUESTED_SERVER_NAME%", "tls": "%DOWNSTREAM_TLS_VERSION%", "peer": "%DOWNSTREAM_PEER_URI_SAN%",
    "subject": "%DOWNSTREAM_PEER_SUBJECT%",
}
WHOSE = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"
LOG_FORMAT = WHOSE + "\\t" + "\\t".join(f"{k}={v}" for k, v in LOG_FIELDS.items()) + "\\n"
EXTENSIONS = "type.googleapis.com/envoy.extensions"


def typed(name, type_name, **config):
    return json.dumps({"name": name, "typed_config": {"@type": f"{EXTENSIONS}.{type_name}", **config}})


def endpoint(port):
    return f"{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}}}"


def cluster(name, *ports):
    hosts = ", ".join(endpoint(port) for port in ports)
    return (f"{{name: {name}, type: STATIC, connect_timeout: 3s, load_assignment: "
            f"{{cluster_name: {name}, endpoints: [{{lb_endpoints: [{hosts}]}}]}}}}")


def substitutions(backends, log_file):
    """What the files write as ${...} beside ports: parts that say nothing about their subject."""
    log = typed("envoy.access_loggers.file", "access_loggers.file.v3.FileAccessLog", path=str(log_file),
                log_format={"text_format_source": {"inline_string": LOG_FORMAT.replace("\\t", "\t").replace("\\n", "\n")}})
    return {
        "FORMAT": LOG_FORMAT, "ACCESS_LOG": f"[{log}]", "EXT": EXTENSIONS, "WHOSE": WHOSE,
        "HCM": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "ROUTER": typed("envoy.filters.http.router", "filters.http.router.v3.Router"),
        "REFUSED": cluster("refused", 1),
        **({"BACKEND": cluster("backend", backends["HTTP"])} if backends else {}),
        "TLS_INSPECTOR": typed("envoy.filters.listener.tls_inspector", "filters.listener.tls_inspector.v3.TlsInspector"),
        **{f"AT_{name}": endpoint(port) for name, port in backends.items()},
    }


class Proxy:
    """One running proxy on a static file. `port` is its listener."""

    def __init__(self, kind, case, backends, certs, folder):
        self.kind = kind
        self.port, self.admin = free_port(), free_port()
        self.log_file = folder / f"{case.stem}-{kind}.log"
        config = folder / f"{case.stem}-{kind}.yaml"
        config.write_text(string.Template(case.read_text()).substitute(
            LISTEN=self.port, ADMIN=self.admin, CERTS=certs, LOG=self.log_file, **substitutions(backends, self.log_file), **backends))
        if kind == "envoy":
            command = [envoy_binary(), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
        else:
            command = [plait_binary(), "-c", str(config), "--concurrency", "1", "--log-level", "warning"]
        self.output = open(folder / f"{case.stem}-{kind}.out", "wb")
        # It must not outlive a test run that was killed.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], stdout=self.output, stderr=subprocess.STDOUT)

    def wait_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                select.select([], [], [], 0.01)  # only the port can tell
        raise AssertionError(f"{self.kind} did not start:\n{self.said()}")

    def said(self):
        if not self.output.closed:
            self.output.flush()
        return pathlib.Path(self.output.name).read_text()[-3000:]

    def counters(self, pattern):
        """{name: value} of the counters and gauges whose names match."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/stats?filter={pattern}", timeout=10) as page:
            lines = page.read().decode().splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line and "No recorded" not in line and "P0(" not in line)

    def stop(self):
        """Ends it as an orchestrator does; what it logged is complete then. Returns its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "killed: it did not end at SIGTERM"
        finally:
            self.output.close()

    def log_lines(self):
        """{address of the client: [fields of each line]} in the order of the file."""
        lines = {}
        for line in self.log_file.read_text("latin1").split("\n") if self.log_file.exists() else []:
            if not line:
                continue
            if line.startswith("{"):
                fields = json.loads(line, strict=False)
                lines.setdefault(fields.pop("whose"), []).append(fields)
                continue
            whose, *parts = line.split("\t")
            lines.setdefault(whose, []).append(dict(part.partition("=")[::2] for part in parts))
        return lines
