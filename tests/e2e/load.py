"""The load under which no request may be lost, and what its report must say.

The generator asks at a constant rate, whatever the answers do, and a request's latency counts from when it was due: a stall
lowers the rate or shows as the longest wait.
"""
import contextlib
import json
import os
import subprocess
import urllib.parse

import manifests as m
from mesh import BIN, SANITIZED, unprivileged, until

# Of requests on kept connections, and of those on new ones: what has to have been sent in each second. A third of it with a
# sanitizer: the machine has to carry it while a workload or a proxy starts.
RATE, KEPT, NEW = 100 if SANITIZED else 300, 20, 5
# What is asked for is a tenth more, so that a wait at the very end, which nothing makes up for, costs no test.
ASKED, ASKED_NEW = RATE * 1.1, NEW * 1.1
LOAD = ["--rate", str(ASKED), "--connections", str(KEPT), "--new-per-second", str(ASKED_NEW)]
# What can be in flight at the moment of a kill: a request on each kept connection, and those that are just being opened.
IN_FLIGHT = KEPT + NEW
# Of an answer while nothing is away. The machine of CI has two cores for all of the mesh: what is meant is that nobody waits
# for a timeout (1 s until a SYN is sent again, 5 s for a lookup) but now and then for a core.
LONGEST_MS = 5000 if SANITIZED else 1000
TOLD = []  # a line for each load that a test was judged by; conftest.py prints them at the end


def carries_the_load(mesh, url, caller="productpage-v1"):
    """Waits until the machine has the time for it while nothing happens: what is slow afterwards is so because of what happens."""
    def carried():
        report = mesh.load(caller, url, *LOAD, "--duration", "0.5")
        check(report, LONGEST_MS, seconds=0.5)
        return report
    until(carried, 60, f"this machine carries {ASKED + ASKED_NEW:.0f} requests a second to {url} (end what else runs on it)")


@contextlib.contextmanager
def load_from_outside(url):
    """The load of a client on the host, while the body runs; yields a dict that holds the report afterwards."""
    load = subprocess.Popen(unprivileged([str(BIN / "plait-demo-app"), "load", url, *LOAD]), stdout=subprocess.PIPE, text=True)
    report = {}
    try:
        yield report
    finally:
        load.terminate()
        report.update(json.loads(load.communicate(timeout=30)[0]))


def check_rates(report, seconds):
    assert report.get("seconds", 0) >= seconds, report
    assert report["sent"] == report["kept"] + report["new"], report
    for kind, least in (("kept", RATE), ("new", NEW)):
        assert report[kind] / report["seconds"] >= least, (f"{kind} connections: {report[kind] / report['seconds']:.1f} requests/s", report)


def check(report, longest_ms, seconds):
    check_rates(report, seconds)
    assert report["failed"] == 0 and report["failures"] == {} and set(report["status"]) == {"200"}, report
    assert report["max_ms"] <= longest_ms, report


def check_kept(report, reopened):
    """A kept connection that has ended after an answer is opened again, and the next request goes there: nothing is lost. But only
    the end of the process that has the other end of it is a reason for that; `reopened`: how many that may concern."""
    assert report["reopened"] <= reopened, (f"{report['reopened']} kept connections were opened again", report)


def tell(report):
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0].rpartition("/")[2]
    if report.get("seconds"):
        TOLD.append(f"{test}: {report['kept'] / report['seconds']:.1f}/s on kept connections, {report['new'] / report['seconds']:.1f}/s on new ones, "
                    f"{report['reopened']} kept ones opened again, longest wait {report['max_ms']:.0f} ms, {report['failed']} failed")


def was_asked(report, seconds=1, reopened=0):
    """At the full rate, on kept connections and on new ones, for long enough to be a load."""
    tell(report)
    check_rates(report, seconds)
    check_kept(report, reopened)


def lost_nothing(report, longest_ms=LONGEST_MS, seconds=1, reopened=0):
    tell(report)
    check(report, longest_ms, seconds)
    check_kept(report, reopened)


def moves_between_subsets(mesh, file, caller, url, pods, *more):
    """The route of the host of `url` moves to a new subset and the old one goes, in one edit of `file`, back and forth under load,
    and at last to `to-v1`. Nobody retries. `pods`: who answers, with {} for the version; `more`: further objects of the file."""
    host = urllib.parse.urlsplit(url).hostname

    def move(n):
        version = f"v{n % 2 + 1}"
        m.write(file, *more, m.destination_rule(host, {"host": host, "subsets": [{"name": f"to-{version}", "labels": {"version": version}}]}),
                m.virtual_service(host, {"hosts": [host], "http": [
                    {"retries": {"attempts": 0}, "route": [{"destination": {"host": host, "subset": f"to-{version}"}}]}]}))
        until(lambda: set(mesh.load(caller, url, "--count", "4", "--count-by", "x-app-pod")["by"]) == {pods.format(version)}, 10,
              f"only {version} answers")
    move(0)
    carries_the_load(mesh, url)
    with mesh.load_while(caller, url, *LOAD) as report:
        for n in range(1, 25):
            move(n)
    lost_nothing(report)
