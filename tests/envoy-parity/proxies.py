"""Starts Envoy or plait-proxy on one of the static files and reads its access log."""
import os
import pathlib
import shutil
import socket
import string
import subprocess
import sysconfig
import time

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent


def envoy_binary():
    if found := os.environ.get("PLAIT_ENVOY") or shutil.which("envoy"):
        return found
    return str(pathlib.Path(sysconfig.get_paths()["purelib"]) / "envoy" / "_bin" / "envoy")


def plait_binary():
    return str(pathlib.Path(os.environ.get("PLAIT_BIN", ROOT / "build/release/bin")) / "plait-proxy")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# The access log of every case: the client's port says whose line it is, the rest is compared.
LOG_FIELDS = {
    "code": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%", "details": "%RESPONSE_CODE_DETAILS%",
    "end": "%CONNECTION_TERMINATION_DETAILS%", "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "protocol": "%PROTOCOL%", "method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "host": "%REQ(:AUTHORITY)%",
    "route": "%ROUTE_NAME%", "cluster": "%UPSTREAM_CLUSTER%", "upstream": "%UPSTREAM_HOST%",
    "received": "%BYTES_RECEIVED%", "sent": "%BYTES_SENT%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "sni": "%REQUESTED_SERVER_NAME%", "tls": "%DOWNSTREAM_TLS_VERSION%", "peer": "%DOWNSTREAM_PEER_URI_SAN%",
    "subject": "%DOWNSTREAM_PEER_SUBJECT%",
}
LOG_FORMAT = "%DOWNSTREAM_DIRECT_REMOTE_PORT%\\t" + "\\t".join(f"{k}={v}" for k, v in LOG_FIELDS.items()) + "\\n"


class Proxy:
    """One running proxy on a static file. `port` is its listener."""

    def __init__(self, kind, case, backends, certs, folder):
        self.kind = kind
        self.port, self.admin = free_port(), free_port()
        self.log_file = folder / f"{case.stem}-{kind}.log"
        config = folder / f"{case.stem}-{kind}.yaml"
        config.write_text(string.Template(case.read_text()).substitute(
            LISTEN=self.port, ADMIN=self.admin, CERTS=certs, LOG=self.log_file, FORMAT=LOG_FORMAT, **backends))
        if kind == "envoy":
            command = [envoy_binary(), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
        else:
            command = [plait_binary(), "-c", str(config), "--concurrency", "1", "--log-level", "warning"]
        self.output = open(folder / f"{case.stem}-{kind}.out", "wb")
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT)

    def wait_ready(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                select_pause()
        self.output.flush()
        raise AssertionError(f"{self.kind} did not start:\n" + pathlib.Path(self.output.name).read_text()[-3000:])

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
        """{port of the client: [fields of each line]} in the order of the file."""
        lines = {}
        for line in self.log_file.read_text().splitlines() if self.log_file.exists() else []:
            port, *fields = line.split("\t")
            lines.setdefault(int(port), []).append(dict(field.partition("=")[::2] for field in fields))
        return lines


def select_pause():
    """Polling interval for things that only a file or a port can tell."""
    import select
    select.select([], [], [], 0.01)
