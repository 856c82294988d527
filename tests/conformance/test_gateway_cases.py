"""The cases of tests/envoy-parity that stand for a gateway of the mesh say what plaitd sends to one: the connection manager's
options, limits and rules of the edge, the filters, and what the route table says for all routes."""
import pathlib
import re
import string
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
CASES = {"65-mesh-gateway": "gateway", "66-mesh-gateway-behind-proxies": "gateway-behind-proxies"}
# Where it comes from and goes to, as the case has one backend and its own log.
NOT_COMPARED = {"stat_prefix", "rds", "route_config", "access_log", "http_filters"}


@pytest.fixture(scope="module")
def descriptors():
    built = subprocess.run([str(ROOT / "third_party/apis/build"), "data_plane"], check=True, capture_output=True, text=True).stdout
    return pathlib.Path(built.strip()) / "apis.binpb"


def decode(message, data, descriptors):
    """The message as {field: [values]}."""
    text = subprocess.run(["protoc", f"--decode={message}", f"--descriptor_set_in={descriptors}"], input=data, check=True, capture_output=True).stdout.decode()
    stack = [{}]
    for line in (line.strip() for line in text.splitlines() if line.strip()):
        if line == "}":
            stack.pop()
        elif line.endswith(" {"):
            stack[-1].setdefault(line[:-2], []).append(inner := {})
            stack.append(inner)
        else:
            name, _, value = line.partition(": ")
            stack[-1].setdefault(name, []).append(value)
    return stack[0]


def unquoted(text):
    return re.sub(rb"\\([0-7]{3}|.)", lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(m[1], m[1]), text[1:-1].encode())


def managers(bootstrap, descriptors):
    """The connection managers of its listeners."""
    whole = decode("envoy.config.bootstrap.v3.Bootstrap", bootstrap.read_bytes(), descriptors)
    for listener in whole["static_resources"][0]["listeners"]:
        for chain in listener["filter_chains"]:
            config = chain["filters"][-1]["typed_config"][0]
            assert config["type_url"][0].endswith(f'{MANAGER}"')
            yield decode(MANAGER, unquoted(config["value"][0]), descriptors)


def plain(value):
    """As the file writes it: wrapped values without their wrapper, durations in seconds, what is said once without a list."""
    if isinstance(value, list):
        return plain(value[0]) if len(value) == 1 else [plain(one) for one in value]
    if not isinstance(value, dict):
        return value.strip('"')
    if not value or set(value) <= {"seconds", "nanos"}:
        return f"{int(value.get('seconds', [0])[0]) + int(value.get('nanos', [0])[0]) / 1e9:g}s"
    return plain(value["value"]) if set(value) == {"value"} else {name: plain(one) for name, one in value.items()}


def written(value):
    """A part of a case in the same form. What protoc shows of an Any is its type: only one without fields can be compared."""
    if isinstance(value, list):
        return written(value[0]) if len(value) == 1 else [written(one) for one in value]
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, dict):
        return str(value)
    if set(value) == {"@type"}:
        return {"type_url": value["@type"]}
    return written(value["value"]) if set(value) == {"value"} else {name: written(one) for name, one in value.items()}


def case(name):
    """Its connection manager. What is written as ${...} says nothing about a gateway."""
    class Anything(dict):
        def __missing__(self, key):
            return "{name: envoy.filters.http.router}" if key == "ROUTER" else "[]" if key == "ACCESS_LOG" else "type.googleapis.com/envoy.extensions" if key == "EXT" else "0"
    file = yaml.safe_load(string.Template((ROOT / "tests/envoy-parity/cases" / f"{name}.yaml").read_text()).substitute(Anything()))
    return file["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][-1]["typed_config"]


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_case_for_a_gateway_has_the_connection_manager_that_plaitd_sends(name, bootstraps, descriptors):
    sent, routes = managers(bootstraps / f"{CASES[name]}.pb", descriptors)
    ours = case(name)
    assert written({key: value for key, value in ours.items() if key not in NOT_COMPARED | {"@type"}}) == plain(
        {key: value for key, value in sent.items() if key not in NOT_COMPARED})
    assert [one["name"] for one in ours["http_filters"]] == [plain(one["name"]) for one in sent["http_filters"]]
    table, said = ours["route_config"], routes["route_config"][0]
    apart = {"name", "virtual_hosts", "validate_clusters"}
    assert written({key: value for key, value in table.items() if key not in apart}) == plain({key: value for key, value in said.items() if key not in apart})
    (host,), (of_mesh,) = table["virtual_hosts"], said["virtual_hosts"]
    apart = {"name", "domains", "routes"}
    assert written({key: value for key, value in host.items() if key not in apart}) == plain({key: value for key, value in of_mesh.items() if key not in apart})
