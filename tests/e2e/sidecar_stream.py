"""A delta ADS stream as a sidecar's proxy has it, to count what plaitd sends on it. Run in the mesh's own network:
`python3 sidecar_stream.py ADDRESS ROOT CERTIFICATE NODE SUBSCRIPTIONS`, where NODE and SUBSCRIPTIONS are JSON: {account,
namespace, pod, ip} and {type: [names]}. Acknowledges each message and prints it as a line of JSON, until its standard input ends."""
import json
import select
import sys

from plaitd import DELTA_ADS, TYPES, Call, Server, delta_request, node, type_url


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


def main():
    address, root, certificate, who, subscriptions = sys.argv[1:]
    sender = node(**json.loads(who))
    with Call(Server(address, root), DELTA_ADS, certificate) as call:
        for kind, names in json.loads(subscriptions).items():
            call.send(delta_request(kind, names, sender=sender))
            sender = None  # once a stream
        while True:
            if len(call.received) < 5 and not call.socket.pending() and 0 in select.select([0, call.socket], [], [])[0]:
                return
            message = fields(call.receive(None))
            of = {number: value for number, value in message if number in (4, 5)}
            kind = next(kind for kind in TYPES if type_url(kind) == of[4].decode())
            resources = [dict(fields(value))[3].decode() for number, value in message if number == 2]
            print(json.dumps({"type": kind, "resources": resources, "removed": [value.decode() for number, value in message if number == 6]}),
                  flush=True)
            call.send(delta_request(kind, nonce=of[5], sender=None))


main()
