"""The load under which no request may be lost, and what its report must say.

The generator asks at a constant rate, whatever the answers do, and a request's latency counts from when it was due: a stall
lowers the rate or shows as the longest wait.
"""
from mesh import SANITIZED, until

# A third of it with a sanitizer: the machine has to carry it while a workload or a proxy starts.
RATE, KEPT, NEW = 100 if SANITIZED else 300, 20, 5
LOAD = ["--rate", str(RATE), "--connections", str(KEPT), "--new-per-second", str(NEW)]
# What can be in flight at the moment of a kill: a request on each kept connection, and those that are just being opened.
IN_FLIGHT = KEPT + NEW
# Of an answer while nothing is away. The machine of CI has two cores for all of the mesh: what is meant is that nobody waits
# for a timeout (1 s until a SYN is sent again, 5 s for a lookup) but now and then for a core.
LONGEST_MS = 5000 if SANITIZED else 1000


def carries_the_load(mesh, url):
    """Waits until the machine has the time for it while nothing happens: what is slow afterwards is so because of what happens."""
    def carried():
        report = mesh.load("productpage-v1", url, *LOAD, "--duration", "0.5")
        lost_nothing(report, seconds=0.5)
        return report
    until(carried, 60, f"this machine carries {RATE + NEW} requests a second to {url} (end what else runs on it)")


def was_asked(report, seconds=1):
    """At the full rate, for long enough to be a load."""
    assert report.get("seconds", 0) >= seconds, report
    assert report["sent"] / report["seconds"] >= 0.9 * (RATE + NEW), report


def lost_nothing(report, longest_ms=LONGEST_MS, seconds=1):
    was_asked(report, seconds)
    assert report["failed"] == 0 and report["failures"] == {} and set(report["status"]) == {"200"}, report
    assert report["max_ms"] <= longest_ms, report
