"""What the dashboards of Istio and Kiali read is in a scrape of a mesh, with the labels that they ask for."""
import pathlib
import re
import urllib.request

import pytest
import yaml

from mesh import until
from test_metrics import busy  # noqa: F401  the fixture

READ = yaml.safe_load((pathlib.Path(__file__).parent / "dashboards.yaml").read_text())
PATHS = {15090: "/stats/prometheus", 15020: "/stats/prometheus"}


def series(lines):
    """{name: [(labels, value)]}"""
    found = {}
    for line in lines:
        if match := re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line):
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
            found.setdefault(match[1], []).append((labels, float(match[3])))
    return found


def missing(found, read):
    """What is asked for and not there: a metric, or a label of one."""
    out = [name for name in read if name not in found]
    out += [f"{name}{{{label}}}" for name, labels in read.items() if name in found
            for label in labels if not any(label in has for has, _ in found[name])]
    return out


def of_proxy(mesh, workload, port):
    return series(mesh.exec(workload, "curl", "-sS", f"http://127.0.0.1:{port}{PATHS[port]}").stdout.splitlines())


def has_all(mesh, workload, port):
    found = of_proxy(mesh, workload, port)
    assert not missing(found, READ["proxy"])
    for wanted in READ["proxy_series"]:
        assert (wanted["labels"], wanted["value"]) in found[wanted["name"]], wanted
    return True


@pytest.mark.parametrize("port", PATHS)
def test_a_proxy_tells_what_dashboards_read(busy, port):  # noqa: F811
    until(lambda: has_all(busy, "productpage-v1", port), 8, "all of it is counted")  # it calls over HTTP and TCP


def test_the_control_plane_tells_what_dashboards_read(busy):  # noqa: F811
    with urllib.request.urlopen(busy.status()["debug_url"] + "/metrics", timeout=10) as page:
        found = series(page.read().decode().splitlines())
    assert not missing(found, READ["plaitd"])
    events = {(labels["type"], labels["event"]): value for labels, value in found["pilot_k8s_reg_events"]}
    assert events["Services", "add"] >= 4 and events["Pods", "add"] >= 6, events
