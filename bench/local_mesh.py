"""A whole mesh on this machine: time to ready, time from an edit to its effect at every proxy, idle memory, memory a cluster."""
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

import manifests as m
from mesh import BIN, TEST_UID, Mesh, copy_sample, process_status, until

# Runs inside a workload: asks reviews over one connection and tells when a header changes.
POLLER = """
import http.client, time
connection, last = http.client.HTTPConnection("reviews", 9080, timeout=5), None
while True:
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    value = answer.headers.get("x-edit")
    if value != last:
        print(time.monotonic(), value, flush=True)
        last = value
    time.sleep(0.002)
"""
CALLERS = ["productpage-v1", "details-v1", "ratings-v1", "reviews-v2", "reviews-v3"]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def resident(pid, pages="VmRSS"):
    return int(process_status(pid).get(pages, "0").split()[0]) / 1024


class Workspace:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="plait-bench-")
        path = pathlib.Path(self.folder.name)
        path.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(path, TEST_UID, TEST_UID)
        return path

    def __exit__(self, *_):
        self.folder.cleanup()


def starts(count):
    """Seconds from `plait up` to all ready."""
    taken = []
    for _ in range(count):
        with Workspace() as folder:
            mesh = Mesh(folder, copy_sample(folder))
            begin = time.monotonic()
            mesh.start()
            taken.append(time.monotonic() - begin)
            mesh.stop()
    return taken


def processor_seconds():
    """User and system time of the test user's processes, and of those that they have waited for."""
    ticks = 0
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if status.stat().st_uid == (TEST_UID if os.geteuid() == 0 else os.getuid()):
                ticks += sum(int(word) for word in status.read_text().rpartition(")")[2].split()[11:15])
        except OSError:  # it has ended meanwhile
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def many(count):
    """Seconds and processor seconds until that many workloads, each with a proxy, are ready."""
    with Workspace() as folder:
        directory = folder / "many"
        directory.mkdir()
        for n in range(count):
            name = f"echo-{n}"
            m.write(directory / f"{name}.yaml", m.deployment(name, [m.APP, "echo", "--port", "8080"], ports=[8080], probe=m.http_probe(8080)),
                    m.service(name, {"http": 8080}))
        mesh = Mesh(folder, directory)
        before, begin = processor_seconds(), time.monotonic()
        try:
            mesh.start(wait=180)
            return time.monotonic() - begin, processor_seconds() - before
        finally:
            mesh.stop()


class Pollers:
    def __init__(self, mesh):
        self.changes, self.lock, self.processes = {}, threading.Condition(), []
        for caller in CALLERS:
            command = mesh.command("exec", caller, "--", "python3", "-c", POLLER)
            process = subprocess.Popen(command, env=mesh.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            self.processes.append(process)
            threading.Thread(target=self.read, args=(caller, process), daemon=True).start()

    def read(self, caller, process):
        for line in process.stdout:
            moment, value = line.split()
            with self.lock:
                self.changes[caller, value] = float(moment)
                self.lock.notify_all()

    def wait(self, value):
        """When the last caller saw the value."""
        with self.lock:
            if not self.lock.wait_for(lambda: all((caller, value) in self.changes for caller in CALLERS), 10):
                raise AssertionError(f"{value} did not reach every proxy within 10 s")
            return max(self.changes[caller, value] for caller in CALLERS)

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()


def edits(mesh, count):
    """Seconds from the rename of the file to the effect at the last of five proxies, as their applications see it."""
    pollers, taken = Pollers(mesh), []
    try:
        for n in range(count):
            value = f"edit-{n}"
            begin = time.monotonic()
            m.write(mesh.directory / "reviews-split.yaml", m.virtual_service("reviews", {"hosts": ["reviews"], "http": [{
                "headers": {"response": {"set": {"x-edit": value}}}, "route": [{"destination": {"host": "reviews", "subset": "v1"}}]}]}))
            taken.append(pollers.wait(value) - begin)
    finally:
        pollers.stop()
    return taken


def idle(mesh, seconds):
    """MiB resident of each proxy and of plaitd, after some idle seconds and one config_dump."""
    for pod in mesh.pods():
        if not pod["name"].startswith("istio-ingress"):
            mesh.admin(pod["name"], "/config_dump")
    time.sleep(seconds)
    return [resident(pid) for pid in mesh.processes("plait-proxy")], resident(mesh.plaitd_pid())


def static_proxy(folder, clusters):
    """MiB of a proxy with that many static clusters; without the pages of its executable, of which each start maps others."""
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9}}}}
    config = {"static_resources": {"clusters": [
        {"name": f"outbound|80||service-{n}.default.svc.cluster.local", "type": "STATIC", "connect_timeout": "5s",
         "load_assignment": {"cluster_name": f"outbound|80||service-{n}.default.svc.cluster.local", "endpoints": [{"lb_endpoints": [endpoint]}]}}
        for n in range(clusters)]}, "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}
    path = folder / "clusters.yaml"
    path.write_text(json.dumps(config))
    process = subprocess.Popen([BIN / "plait-proxy", "-c", path, "--concurrency", "2"], stderr=subprocess.DEVNULL)
    try:
        last = None
        def steady():
            nonlocal last
            now, last = resident(process.pid, "RssAnon"), last
            same, last = now == last and now > 1, now
            time.sleep(0.5)
            return same and now
        return until(steady, 60, "the memory of the proxy is steady")
    finally:
        process.terminate()
        process.wait()


def rows(starts_count, edits_count, idle_seconds, workloads, clusters):
    """What, measured, goal."""
    ready = starts(starts_count)
    made = [("`plait up samples/bookinfo` to all ready", f"{statistics.median(ready):.2f} s (max {max(ready):.2f})", "≤ 3 s")]
    wall, processor = many(workloads)
    made.append((f"{workloads} workloads to all ready", f"{wall:.1f} s ({processor:.1f} s of processor time)", "≤ 15 s"))
    with Workspace() as folder:
        mesh = Mesh(folder, copy_sample(folder)).start()
        try:
            proxies, plaitd = idle(mesh, idle_seconds)
            made.append((f"resident memory of plait-proxy, idle ({len(proxies)} proxies)", f"{statistics.median(proxies):.1f} MiB (max {max(proxies):.1f})", "≤ 8 MiB"))
            made.append(("resident memory of plaitd, idle", f"{plaitd:.1f} MiB", "≤ 25 MiB"))
            effect = edits(mesh, edits_count)
            made.append((f"edit to effect at every proxy ({len(effect)} edits)", f"p50 {percentile(effect, 0.5) * 1000:.0f} ms, p99 {percentile(effect, 0.99) * 1000:.0f} ms", "p99 ≤ 100 ms"))
        finally:
            mesh.stop()
        one, all_of_them = static_proxy(folder, 1), static_proxy(folder, clusters)
        made.append((f"memory a cluster, {clusters} static clusters", f"{(all_of_them - one) * 1024 / clusters:.2f} KiB", "2 KB"))
    return made
