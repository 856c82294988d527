"""Processes pinned to a processor, what they cost, and the load that is put on them."""
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import time

from envoy_config import HOST, PATH
from peers import find

HEADERS = [f"Host: {HOST}", "User-Agent: bench/1.0 (acceptance; x86_64)", "Accept: application/json, text/plain, */*",
           "Accept-Encoding: gzip, deflate", "Authorization: Bearer " + "eyJhbGciOiJFUzI1NiJ9" * 5,
           "X-Tenant: 7f3d9a51-1c1e-4e2a-9d1b-6f0d3f5f8a77", "Cookie: session=0123456789abcdef0123456789abcdef"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Processes:
    """Children of this run, each on one processor; stopped by pid."""

    def __init__(self, folder):
        self.folder, self.all = folder, []

    def start(self, command, cpu, name, stdout=None):
        with open(self.folder / f"{name}.out", "wb") as log:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log, text=bool(stdout),
                                       preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        self.all.append(process)
        return process

    def wait_for(self, process, port, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                return
            except OSError:
                time.sleep(0.02)
        logs = "\n".join(path.read_text(errors="replace")[-400:] for path in self.folder.glob("*.out"))
        raise AssertionError(f"{process.args[0]} does not listen on {port}\n{logs}")

    def stop(self):
        for process in reversed(self.all):
            if process.poll() is None:
                process.terminate()
        for process in self.all:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def family(pid):
    """The process and its descendants."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def processor_seconds(pids):
    """What all threads have used, in nanoseconds' resolution."""
    total = 0
    for pid in pids:
        for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            total += int(path.read_text().split()[0])
    return total / 1e9


def resident(pids):
    """KiB."""
    total = 0
    for pid in pids:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Rss:\s+(\d+)", rollup, re.MULTILINE)[1])
    return total


def own(pids):
    """KiB without pages of files: those of the executable come and go (plait-proxy lets them go after its start)."""
    total = 0
    for pid in pids:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += sum(int(kib) for kib in re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", rollup, re.MULTILINE))
    return total


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def run(command, cpu, timeout):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                          preexec_fn=lambda: os.sched_setaffinity(0, {cpu}), check=False).stdout


def wrk(port, connections, seconds, cpu, close=False):
    """HTTP/1.1. Gives requests, errors, p50 and p99 in microseconds."""
    command = [find("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "5s"]
    for header in HEADERS + (["Connection: close"] if close else []):
        command += ["-H", header]
    text = run([*command, f"http://127.0.0.1:{port}{PATH}"], cpu, seconds + 20)
    total = re.search(r"(\d+) requests in", text)
    if not total or int(total[1]) == 0:
        raise AssertionError("wrk got no answer: " + " ".join(text.split())[-200:])
    # Each connection that is told to close counts as a read error there.
    errors = sum(int(n) for line in text.splitlines() if "Socket errors" in line for n in re.findall(r"(?:connect|write|timeout) (\d+)", line))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {"requests": int(total[1]), "errors": errors + (int(bad[1]) if bad else 0),
            "p50": microseconds(re.search(r"^ +50%\s+(\S+)", text, re.MULTILINE)[1]),
            "p99": microseconds(re.search(r"^ +99%\s+(\S+)", text, re.MULTILINE)[1])}


def h2load(port, connections, streams, seconds, cpu, folder):
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = [find("h2load"), f"-c{connections}", f"-m{streams}", "-t1", f"-D{seconds}", f"--log-file={log}"]
    for header in HEADERS[1:]:
        command += ["-H", header]
    text = run([*command, f"http://127.0.0.1:{port}{PATH}"], cpu, seconds + 20)
    found = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed", text)
    if not found or int(found[1]) == 0:
        raise AssertionError("h2load got no answer: " + " ".join(text.split())[-200:])
    # A line a request: start, status, duration in microseconds.
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    return {"requests": int(found[1]), "errors": int(found[2]), "p50": statistics.median(times), "p99": times[int(0.99 * len(times))]}


def count_requests(port, count, cpu):
    """Exactly that many requests of HTTP/1.1 on 8 connections."""
    command = [find("h2load"), "--h1", "-t1", "-c8", f"-n{count}"]
    for header in HEADERS[1:]:
        command += ["-H", header]
    text = run([*command, f"http://127.0.0.1:{port}{PATH}"], cpu, 60)
    if f" {count} succeeded" not in text:
        raise AssertionError("h2load: " + " ".join(text.split())[-300:])


def tcp_load(mode, port, connections, seconds, cpu):
    text = run([find("bench-tcp-load"), mode, port, seconds, connections], cpu, seconds + 20)
    told = json.loads(text)
    return {"requests": told["bytes"] if mode == "blast" else told["messages"], "errors": told["errors"], "p50": told["p50_us"], "p99": told["p99_us"]}


def hold(port, count, context=None):
    """Connections that have made one request each and are idle now."""
    request = "\r\n".join([f"GET {PATH} HTTP/1.1", *HEADERS, "", ""])
    held = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port), 5)
        if context:
            one = context.wrap_socket(one, server_hostname="localhost")
        one.sendall(request.encode())
        got = b""
        while b"\r\n\r\n" not in got or len(got) < got.index(b"\r\n\r\n") + 4 + 1024:
            data = one.recv(65536)
            if not data:
                raise AssertionError(f"the proxy closed an idle connection: {got[:200]!r}")
            got += data
        held.append(one)
    return held
