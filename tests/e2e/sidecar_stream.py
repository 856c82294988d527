"""A delta ADS stream as a sidecar's proxy has it, to count what plaitd sends on it. Run in the mesh's own network:
`python3 sidecar_stream.py ADDRESS ROOT CERTIFICATE NODE SUBSCRIPTIONS`, where NODE and SUBSCRIPTIONS are JSON: {id, namespace,
account} and {type: [names]}. Acknowledges each message and prints it as a line of JSON, until its standard input ends."""
import json
import pathlib
import select
import sys

from plaitd import DELTA_ADS, Call, field, text_entry

TYPES = {"lds": "envoy.config.listener.v3.Listener", "rds": "envoy.config.route.v3.RouteConfiguration",
         "cds": "envoy.config.cluster.v3.Cluster", "eds": "envoy.config.endpoint.v3.ClusterLoadAssignment", "wads": "istio.workload.Address"}


class Server:
    def __init__(self, address, root):
        self.host, _, port = address.rpartition(":")
        self.port, self.root = int(port), pathlib.Path(root)


def fields(message):
    """[(number, value)] of a message: bytes of what has a length, else a number."""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte, at = message[at], at + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value
    while at < len(message):
        key = varint()
        if key & 7 == 2:
            size = varint()
            value, at = message[at:at + size], at + size
        elif key & 7 == 0:
            value = varint()
        else:
            raise ValueError(f"field {key >> 3} of type {key & 7} is in no DeltaDiscoveryResponse")
        found.append((key >> 3, value))
    return found


def request(kind, names=(), nonce=b"", node=b""):
    return (node and field(1, node)) + field(2, "type.googleapis.com/" + TYPES[kind]) + b"".join(field(3, name) for name in names) + (
        nonce and field(6, nonce))


def main():
    address, root, certificate, node, subscriptions = sys.argv[1:]
    who = json.loads(node)
    node = (field(1, who["id"]) + field(3, text_entry("NAMESPACE", who["namespace"]) + text_entry("SERVICE_ACCOUNT", who["account"])) +
            field(6, "plait-proxy"))
    with Call(Server(address, root), DELTA_ADS, certificate) as call:
        for kind, names in json.loads(subscriptions).items():
            call.send(request(kind, names, node=node))
            node = b""  # once a stream
        while True:
            if len(call.received) < 5 and not call.socket.pending() and 0 in select.select([0, call.socket], [], [])[0]:
                return
            message = fields(call.receive(None))
            of = {number: value for number, value in message if number in (4, 5)}
            kind = next(kind for kind, name in TYPES.items() if of[4].decode().endswith("/" + name))
            resources = [dict(fields(value))[3].decode() for number, value in message if number == 2]
            print(json.dumps({"type": kind, "resources": resources, "removed": [value.decode() for number, value in message if number == 6]}),
                  flush=True)
            call.send(request(kind, nonce=of[5]))


main()
