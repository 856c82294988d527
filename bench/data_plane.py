"""plait-proxy beside Envoy, nginx, HAProxy and nghttpx: processor time a request and latency by scenario, memory an idle
connection, allocations a request. The proxy (or the pair of them) has one processor, load and backend the other.

Figures are medians of rounds in which the proxies take turns, so that what else the machine does hits all of them; only
ratios within one run mean something."""
import contextlib
import dataclasses
import os
import pathlib
import re
import ssl
import statistics
import subprocess
import tempfile
import time

import goals
import loads
import peers
from peers import Missing, Spec, Unsupported

HTTP = ["plait", "plait meshlike", "Envoy", "Envoy meshlike", "nginx", "HAProxy", "nghttpx"]
PAIRS = ["plait", "plait meshlike", "Envoy", "Envoy meshlike", "nginx", "HAProxy"]
PLAIN = ["plait", "Envoy", "nginx", "HAProxy", "nghttpx"]
TCP = ["plait", "Envoy", "nginx", "HAProxy"]


@dataclasses.dataclass
class Scenario:
    name: str
    what: str
    proxies: list
    load: str                      # wrk, close, h2load, blast, pingpong
    backend: str = "http"          # http, echo, sink, nghttpd
    protocol: str = "h1"
    upstream_protocol: str = "h1"
    pair: bool = False
    fresh: bool = False
    unit: str = "µs"


SCENARIOS = [
    Scenario("a", "HTTP/1.1 to HTTP/1.1, 64 connections", HTTP, "wrk"),
    Scenario("b", "sidecar pair with mutual TLS (cost of both)", PAIRS, "wrk", pair=True),
    Scenario("c", "h2c to HTTP/1.1, 16 connections of 32 streams", HTTP, "h2load", protocol="h2c"),
    Scenario("c2", "h2c to h2c", PLAIN, "h2load", "nghttpd", protocol="h2c", upstream_protocol="h2c"),
    Scenario("d", "TCP bulk, processor seconds a GB (latency: of a MiB)", TCP, "blast", "sink", protocol="tcp", unit="s/GB"),
    Scenario("d1", "TCP, 1 KiB there and back", TCP, "pingpong", "echo", protocol="tcp"),
    Scenario("e", "a new plain connection each request", HTTP, "close"),
    Scenario("e2", "a full handshake of mutual TLS each request, pair", PAIRS, "close", pair=True, fresh=True),
]


def make_certificates(folder):
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-days", "30", "-subj", "/CN=bench")
    for who in ("server", "client"):
        names = folder / f"{who}.ext"
        names.write_text(f"subjectAltName=DNS:localhost,URI:spiffe://mesh.local/ns/a/sa/{who}\n"
                         "extendedKeyUsage=serverAuth,clientAuth\nkeyUsage=digitalSignature\n")
        openssl("req", "-new", *key, "-keyout", folder / f"{who}.key", "-out", folder / f"{who}.csr", "-subj", f"/CN={who}")
        openssl("x509", "-req", "-in", folder / f"{who}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial",
                "-days", "30", "-extfile", names, "-out", folder / f"{who}.pem")


def client_context(certificates):
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    return context


class Run:
    """One proxy (or pair) in one scenario, with its backend."""

    def __init__(self, folder, cpus, scenario, proxy, certificates, tls_in=False, clusters=0):
        self.folder, self.scenario, self.certificates, self.clusters = folder, scenario, certificates, clusters
        self.proxy_cpu, self.load_cpu = cpus
        self.processes = loads.Processes(folder)
        try:
            self.start(proxy, tls_in)
        except BaseException:
            self.processes.stop()
            raise

    def start(self, proxy, tls_in):
        s, driver = self.scenario, peers.DRIVERS[proxy]
        backend = self.start_backend()
        self.port = loads.free_port()
        common = {"protocol": s.protocol, "upstream_protocol": s.upstream_protocol, "fresh": s.fresh, "certificates": str(self.certificates)}
        if s.pair:
            between = loads.free_port()
            specs = [Spec(between, backend, tls_in=True, name="server", **common), Spec(self.port, between, tls_out=True, name="client", **common)]
        else:
            specs = [Spec(self.port, backend, tls_in=tls_in, clusters=self.clusters, **common)]
        self.pids = []
        for spec in specs:
            process = self.processes.start(driver(spec, self.folder), self.proxy_cpu, spec.name)
            self.processes.wait_for(process, spec.listen)
            self.pids += loads.family(process.pid)

    def start_backend(self):
        if self.scenario.backend == "nghttpd":
            place = self.folder / "www/api/v3/items"
            place.mkdir(parents=True, exist_ok=True)
            (place / "4711").write_text("x" * 1024)
            port = loads.free_port()
            process = self.processes.start([peers.find("nghttpd"), "--no-tls", "-d", self.folder / "www", "--workers=1", str(port)], self.load_cpu, "backend")
            self.processes.wait_for(process, port)
            return port
        process = self.processes.start([peers.find("bench-backend"), self.scenario.backend], self.load_cpu, "backend", stdout=subprocess.PIPE)
        return int(process.stdout.readline())

    def load(self, seconds):
        kind = self.scenario.load
        if kind in ("wrk", "close"):
            connections = 16 if self.scenario.fresh else 64
            return loads.wrk(self.port, connections, seconds, self.load_cpu, close=kind == "close")
        if kind == "h2load":
            return loads.h2load(self.port, 16, 32, seconds, self.load_cpu, self.folder)
        return loads.tcp_load(kind, self.port, 4 if kind == "blast" else 64, seconds, self.load_cpu)

    def measure(self, seconds):
        with contextlib.suppress(AssertionError):  # only to warm it up
            self.load(1)
        before = loads.processor_seconds(self.pids)
        told = self.load(seconds)
        used = loads.processor_seconds(self.pids) - before
        told["cost"] = used / (told["requests"] / (1e9 if self.scenario.unit == "s/GB" else 1e6))
        return told


def choose_cpus():
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise SystemExit("bench: two processors are needed, one for the proxy and one for the load")
    return allowed[0], allowed[1]


class Suite:
    def __init__(self, seconds, rounds):
        self.seconds, self.rounds, self.cpus, self.notes = seconds, rounds, choose_cpus(), []

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def scenario(self, scenario, certificates):
        """Medians by proxy; a proxy that cannot or is not there is left out."""
        results = {}
        for _ in range(self.rounds):
            for proxy in scenario.proxies:
                with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
                    try:
                        run = Run(pathlib.Path(folder), self.cpus, scenario, proxy, certificates)
                    except Unsupported:
                        continue
                    except (Missing, AssertionError) as error:
                        self.note(f"{proxy}, {scenario.name}: {error}")
                        continue
                    try:
                        measured = run.measure(self.seconds)
                        results.setdefault(proxy, []).append(measured)
                    except (AssertionError, subprocess.TimeoutExpired) as error:
                        self.note(f"{proxy}, {scenario.name}: {error}")
                    finally:
                        run.processes.stop()
        for proxy, runs in results.items():
            if errors := sum(run["errors"] for run in runs):
                self.note(f"{proxy}, {scenario.name}: {errors} requests failed")
        return {proxy: {key: statistics.median(run[key] for run in runs) for key in ("cost", "p50", "p99")} for proxy, runs in results.items()}

    def idle(self, proxy, certificates, tls, count=1000):
        """Bytes an idle connection, and KiB of the proxy before any."""
        scenario = Scenario("f", "", [], "wrk")
        with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
            try:
                run = Run(pathlib.Path(folder), self.cpus, scenario, proxy, certificates, tls_in=tls)
            except Unsupported:
                return None
            except (Missing, AssertionError) as error:
                return self.note(f"{proxy}, f: {error}")
            try:
                context = client_context(certificates) if tls else None
                time.sleep(0.5)
                fresh = loads.resident(run.pids)
                held = loads.hold(run.port, 10, context)
                before = loads.own(run.pids)
                held += loads.hold(run.port, count, context)
                time.sleep(0.3)
                after = loads.own(run.pids)
                for one in held:
                    one.close()
                return {"bytes": (after - before) * 1024 / count, "resident": fresh}
            finally:
                run.processes.stop()

    def own(self, proxy, certificates, clusters):
        """KiB of the proxy with that many clusters that nobody uses."""
        with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
            run = Run(pathlib.Path(folder), self.cpus, Scenario("f", "", [], "wrk"), proxy, certificates, clusters=clusters)
            try:
                time.sleep(1)
                return loads.own(run.pids)
            finally:
                run.processes.stop()

    def cluster(self, proxy, certificates, count=5000):
        """KiB a cluster, or None."""
        try:
            return (self.own(proxy, certificates, count) - self.own(proxy, certificates, 0)) / count
        except (Missing, AssertionError) as error:
            return self.note(f"{proxy}, clusters: {error}")


def allocations(cpus, mesh, few=2000, many=22000):
    """Calls of malloc and its kin a request, HTTP/1.1 to HTTP/1.1: the difference of two runs."""
    counts = []
    for requests in (few, many):
        with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
            folder = pathlib.Path(folder)
            processes = loads.Processes(folder)
            try:
                backend = processes.start([peers.find("bench-backend"), "http"], cpus[1], "backend", stdout=subprocess.PIPE)
                spec = Spec(loads.free_port(), int(backend.stdout.readline()))
                command = [peers.find("bench-counting-proxy"), *peers.plait(spec, folder, mesh)[1:]]
                proxy = processes.start(command, cpus[0], "proxy")
                processes.wait_for(proxy, spec.listen)
                loads.count_requests(spec.listen, requests, cpus[1])
                proxy.terminate()
                proxy.wait(30)
                counts.append(int(re.search(r"allocations: (\d+)", (folder / "proxy.out").read_text())[1]))
            finally:
                processes.stop()
    return (counts[1] - counts[0]) / (many - few)


def cells(results, proxies, scenario):
    digits = 2 if scenario.unit == "s/GB" else 1
    out = []
    for proxy in proxies:
        if proxy not in results:
            out.append("–")
            continue
        r = results[proxy]
        out.append(f"{r['cost']:.{digits}f} ({r['p50'] / 1e3:.2f} / {r['p99'] / 1e3:.2f})")
    return out


def tables(seconds=5, rounds=3, names=None):
    """Lines of Markdown."""
    suite = Suite(seconds, rounds)
    lines = ["| scenario: µs of processor time a request (p50 / p99 in ms) | " + " | ".join(HTTP) + " |", "|---" * (len(HTTP) + 1) + "|"]
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
        certificates = pathlib.Path(folder)
        make_certificates(certificates)
        costs = {}
        for scenario in SCENARIOS:
            if not names or scenario.name in names:
                results = suite.scenario(scenario, certificates)
                costs[scenario.name] = {proxy: result["cost"] for proxy, result in results.items()}
                lines.append(f"| {scenario.name} {scenario.what} | " + " | ".join(cells(results, HTTP, scenario)) + " |")
        for name, tls in (("f", False), ("f-tls", True)):
            if names and name not in names:
                continue
            found = {proxy: suite.idle(proxy, certificates, tls) for proxy in HTTP}
            what = "bytes an idle connection, " + ("mutual TLS" if tls else "plain") + " (resident memory before)"
            lines.append(f"| {name} {what} | " + " | ".join(
                f"{found[p]['bytes']:.0f} ({found[p]['resident'] / 1024:.1f} MiB)" if found[p] else "–" for p in HTTP) + " |")
        if not names or "clusters" in names:
            found = {proxy: suite.cluster(proxy, certificates) for proxy in HTTP}
            lines.append("| clusters KiB a cluster, 5,000 static ones of one host | " + " | ".join(
                f"{found[p]:.2f}" if found.get(p) is not None else "–" for p in HTTP) + " |")
        if not names or "allocations" in names:
            try:
                lines += ["", "Allocations a request, HTTP/1.1 to HTTP/1.1: " +
                          f"{allocations(suite.cpus, False):.1f}, meshlike {allocations(suite.cpus, True):.1f}."]
            except Missing as error:
                suite.note(str(error))
    return lines + goals.lines(costs), suite.notes
