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


class Proxy:
    """One running proxy. `port` is its listener; `log()` waits for and returns the access log's lines."""

    def __init__(self, kind, case, backends, certs, folder):
        self.kind = kind
        self.port, self.admin = free_port(), free_port()
        self.log_file = folder / f"{case.stem}-{kind}.log"
        config = folder / f"{case.stem}-{kind}.yaml"
        config.write_text(string.Template(case.read_text()).substitute(
            LISTEN=self.port, ADMIN=self.admin, CERTS=certs, LOG=self.log_file, **backends))
        if kind == "envoy":
            command = [envoy_binary(), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
        else:
            command = [plait_binary(), "-c", str(config), "--concurrency", "1", "--log-level", "warning"]
        self.output = open(folder / f"{case.stem}-{kind}.out", "wb")
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT)
        self.seen = 0

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

    def next_log_line(self, seconds=5):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lines = self.log_file.read_text().splitlines() if self.log_file.exists() else []
            if len(lines) > self.seen:
                self.seen += 1
                return lines[self.seen - 1]
            select_pause()
        return "(no access log line)"

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


def select_pause():
    """Polling interval for things that only a file or a port can tell."""
    import select
    select.select([], [], [], 0.01)
