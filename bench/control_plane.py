"""plaitd under a large mesh: the real process, a supervisor that says that all pods run, and proxies as incremental ADS
streams over TLS (bench-ads-fleet). Measures from a change until the last proxy has acknowledged it."""
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import manifests as m
from mesh import BIN, process_status

PODS_EACH, USED = 10, 20


def name(service):
    return f"svc-{service}"


def cluster(service):
    return f"outbound|80||{name(service)}.default.svc.cluster.local"


def application(service, replicas=PODS_EACH):
    return [m.account(name(service)), m.service(name(service), {"http": 80}),
            m.deployment(name(service), [m.APP, "echo", "--port", "80"], replicas=replicas, account=name(service), ports=[80])]


def processor_seconds(pid):
    """Of all threads, in the scheduler's resolution."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def resident(pid):
    return int(process_status(pid)["VmRSS"].split()[0]) / 1024


class Supervisor:
    """The other end of plaitd's channel: every pod that it wants runs at once, unless it is named in `unready`."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.hello, self.pods, self.unready, self.addresses = None, [], set(), {}
        self.told = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)

    def start(self):
        self.theirs.close()
        self.ours.sendall(b'{"type":"running","pods":[]}\n')
        self.thread.start()

    def read(self):
        with self.ours.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                with self.told:
                    if message["type"] == "hello":
                        self.hello = message
                    elif message["type"] == "pods":
                        self.pods = message["pods"]
                        self.tell()
                    self.told.notify_all()

    def address(self, pod):
        count = self.addresses.setdefault(pod, len(self.addresses) + 4)
        return f"10.244.{count >> 8}.{count & 255}"

    @staticmethod
    def token(pod):
        return f"token-of-{pod}"

    def tell(self):
        statuses = [{"uid": pod["uid"], "ips": [self.address(pod["name"])], "ready": pod["name"] not in self.unready,
                     "phase": "Running", "token_sha256": hashlib.sha256(self.token(pod["name"]).encode()).hexdigest(),
                     "restarts": 0, "reason": ""} for pod in self.pods]
        data = json.dumps({"type": "status", "pods": statuses}).encode() + b"\n"
        self.sent = time.monotonic()
        self.ours.sendall(data)

    def wait(self, condition, what, seconds=120):
        with self.told:
            if not self.told.wait_for(condition, seconds):
                raise AssertionError(f"waited {seconds} s in vain: {what}")

    def set_ready(self, pod, ready):
        with self.told:
            (self.unready.discard if ready else self.unready.add)(pod)
            self.tell()


class Fleet:
    """Proxies; proxy n is the first pod of service n, and all of them use service 0."""

    def __init__(self, folder, supervisor, proxies, services):
        self.proxies, self.updates, self.changed = proxies, [], threading.Condition()
        roots = folder / "roots.pem"
        roots.write_text(supervisor.hello["root_pem"])
        lines = []
        for n in range(proxies):
            pod = next(p["name"] for p in supervisor.pods if p["owner"] == name(n))
            used = {0, *((n + k * 37) % services for k in range(USED))}
            lines.append(" ".join([f"sidecar~{supervisor.address(pod)}~{pod}.default~default.svc.cluster.local", name(n),
                                   supervisor.token(pod), *(cluster(service) for service in sorted(used))]))
        with open(folder / "fleet.log", "w") as log:
            self.process = subprocess.Popen([BIN / "bench-ads-fleet", str(supervisor.hello["xds_port"]), roots],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        self.process.stdin.write("\n".join(lines) + "\n\n")
        self.process.stdin.flush()

    def read(self):
        for line in self.process.stdout:
            moment, stream, kind, added, removed = line.split()
            with self.changed:
                self.updates.append((int(moment) / 1e9, int(stream), kind, int(added), int(removed)))
                self.changed.notify_all()

    def wait(self, kind, since, seconds=60):
        """The moment at which the last proxy acknowledged something of this type that came after `since`."""
        def last():
            first = {}
            for moment, stream, a_kind, _, _ in self.updates:
                if a_kind == kind and moment >= since:
                    first.setdefault(stream, moment)
            return len(first) == self.proxies and max(first.values())
        with self.changed:
            if not self.changed.wait_for(last, seconds):
                raise AssertionError(f"{kind} did not reach every proxy within {seconds} s")
            return last()

    def wait_for_all(self, kind, count, seconds):
        """Until every proxy has acknowledged so many resources of this type."""
        def there():
            held = collections.Counter()
            for _, stream, a_kind, added, _ in self.updates:
                held[stream] += added * (a_kind == kind)
            return len(held) == self.proxies and min(held.values()) >= count
        with self.changed:
            # Each look walks all updates: not at each of them.
            end = time.monotonic() + seconds
            while not there():
                if time.monotonic() > end:
                    raise AssertionError(f"{count} {kind} did not reach every proxy within {seconds} s")
                self.changed.wait_for(lambda: False, 0.2)

    def wait_for_quiet(self, quiet=1.0):
        while True:
            with self.changed:
                if not self.changed.wait(quiet):
                    break
        with self.changed:
            self.updates.clear()


class ControlPlane:
    def __init__(self, folder, services, proxies):
        self.directory, self.services = folder / "mesh", services
        self.directory.mkdir()
        (folder / "state").mkdir()
        for service in range(services):
            m.write(self.directory / f"{name(service)}.yaml", *application(service))
        self.write_rule(0)
        self.supervisor = Supervisor()
        command = [BIN / "plaitd", "--directory", self.directory, "--state-dir", folder / "state", "--listen-address", "127.0.0.1:0",
                   "--debug-address", "127.0.0.1:0"]
        fd = self.supervisor.theirs.fileno()
        begin = time.monotonic()
        with open(folder / "plaitd.log", "wb") as log:
            # Inherited as number 3, by the convention of sd_listen_fds(3); Python's other descriptors close by themselves.
            self.plaitd = subprocess.Popen(command, close_fds=False, preexec_fn=lambda: os.dup2(fd, 3), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "supervisor"})
        self.supervisor.start()
        self.supervisor.wait(lambda: self.supervisor.hello and len(self.supervisor.pods) == services * PODS_EACH, "plaitd wants all pods")
        self.start_seconds = time.monotonic() - begin
        self.settle()
        before, begin = processor_seconds(self.plaitd.pid), time.monotonic()
        self.fleet = Fleet(folder, self.supervisor, proxies, services)
        self.fleet.wait("Cluster", 0, 300)
        self.fleet.wait_for_all("Address", services * (1 + PODS_EACH), 300)
        self.connect_seconds = time.monotonic() - begin
        self.fleet.wait_for_quiet()
        self.connect_processor = processor_seconds(self.plaitd.pid) - before

    def settle(self, quiet=1.0):
        """Waits until plaitd has nothing to do."""
        last = None
        while last is None or processor_seconds(self.plaitd.pid) - last > 0.01:
            last = processor_seconds(self.plaitd.pid)
            time.sleep(quiet)

    def write_rule(self, n):
        m.write(self.directory / "rule.yaml", m.virtual_service("rule", {"hosts": [name(0)], "http": [
            {"timeout": f"{n + 1}s", "route": [{"destination": {"host": name(0)}}]}]}))

    def change(self, count, kind, make):
        """Wall and processor seconds of each of `count` changes. `make(n)` makes one and gives the moment of it."""
        wall, processor = [], []
        for n in range(count):
            self.fleet.wait_for_quiet()
            before = processor_seconds(self.plaitd.pid)
            since = time.monotonic()
            begin = make(n) or since
            wall.append(self.fleet.wait(kind, since) - begin)
            self.fleet.wait_for_quiet(0.5)
            processor.append(processor_seconds(self.plaitd.pid) - before)
        return wall, processor

    def flip_pod(self, n):
        pod = next(p["name"] for p in self.supervisor.pods if p["owner"] == name(0))
        self.supervisor.set_ready(pod, n % 2 == 1)
        return self.supervisor.sent

    def add_pod(self, n):
        m.write(self.directory / f"{name(0)}.yaml", *application(0, PODS_EACH + n + 1))
        self.supervisor.wait(lambda: sum(p["owner"] == name(0) for p in self.supervisor.pods) == PODS_EACH + n + 1, "plaitd wants one more")

    def stop(self):
        self.fleet.process.terminate()
        self.fleet.process.wait()
        self.supervisor.ours.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.plaitd.wait(10)
        self.plaitd.kill()
        self.plaitd.wait()


def rows(services=1000, proxies=200, changes=10):
    """Rows of the table: what, measured, goal."""
    def cell(values):
        return f"p50 {statistics.median(values) * 1000:.0f} ms, max {max(values) * 1000:.0f} ms"
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
        plane = ControlPlane(pathlib.Path(folder), services, proxies)
        try:
            rule = plane.change(changes, "RouteConfiguration", lambda n: plane.write_rule(n + 1))
            flipped = plane.change(changes, "ClusterLoadAssignment", plane.flip_pod)
            added = plane.change(changes, "ClusterLoadAssignment", plane.add_pod)
            memory = resident(plane.plaitd.pid)
        finally:
            plane.stop()
    pods = services * PODS_EACH
    return [
        (f"plaitd: start with {services} services and {pods} pods, until it wants all of them", f"{plane.start_seconds:.1f} s", ""),
        (f"plaitd: {proxies} proxies connect at once, to the last acknowledgement", f"{plane.connect_seconds:.1f} s, {plane.connect_processor:.1f} s of processor time", ""),
        (f"plaitd: a VirtualService is edited, to the last of {proxies} acknowledgements", f"{cell(rule[0])}; {statistics.median(rule[1]) * 1000:.0f} ms of processor time", "≤ 100 ms"),
        ("plaitd: a pod changes between ready and not, likewise", f"{cell(flipped[0])}; {statistics.median(flipped[1]) * 1000:.0f} ms of processor time", "≤ 100 ms"),
        ("plaitd: a Deployment gets one pod more, likewise", f"{cell(added[0])}; {statistics.median(added[1]) * 1000:.0f} ms of processor time", ""),
        ("plaitd: resident memory with all of that", f"{memory:.0f} MiB", ""),
    ]
