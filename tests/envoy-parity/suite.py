"""What a case is made of: requests as bytes on the wire, and how they are sent.

A case is a static file in `cases/` and the function of the same name in `subjects/`, which gives its requests. To
each case with an HTTP listener the requests of `subjects/common.py` are added.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Request:
    """One connection of a client.

    data      what is sent on it at once
    label     the name of the request in differences.yaml: its place in the case when it has none
    options   tls, sni, client, tls_version, alpn: how the connection is secured
              raw          no HTTP: everything that comes back until the end
              half_close   the client ends its direction after the data
              answers      how many responses are read (pipelining)
              then         bytes sent after a 100, a 101 or the 200 of a CONNECT
              http2        [(headers, body, trailers)] sent as HTTP/2 instead of `data`; trailers may be None
              holds        the response is not awaited: the backend answers when `release` says so
              until        status that is awaited: the request is made again until it comes (what is decided elsewhere
                           takes its time); only the last one counts
              release      name of what the backend holds, released before the response is read
    """
    data: bytes = b""
    label: object = None
    options: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    build: object
    ordered: bool = False   # its own requests one after the other: each depends on those before
    alone: bool = False     # all of them one after the other: some end a connection that all share
    common: object = True   # options of the connection of the common requests; None: it is no HTTP listener
    stats: str = ""         # counters that must be equal in the end: a regular expression for /stats

    def own(self):
        return [r if r.label is not None else dataclasses.replace(r, label=i) for i, r in enumerate(self.build())]

    def shared(self):
        from subjects import common
        return common.requests(self.common)


CASES = {}


def case(name, **options):
    def register(build):
        CASES[name] = Case(name, build, **options)
        return build
    return register


def http(method="GET", target="/", host="any.test", headers=(), body=b"", version="HTTP/1.1"):
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{n}: {v}" for n, v in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin1") + body


def plain(*requests):
    return [r if isinstance(r, Request) else Request(r) for r in requests]


def gets(*targets, **how):
    return [Request(http(target=t, **how)) for t in targets]


def sent(data, **options):
    return Request(data, options=options)


def named(label, data, **options):
    return Request(data, label, options)


def asks(order, method="GET", target="/", headers=(), **how):
    """A request that tells the backend how to answer."""
    return Request(http(method, target, headers=[("x-backend", order), *headers], **how))


def http2(method="GET", target="/", host="any.test", headers=(), body=b"", trailers=None, scheme="http", pseudo=()):
    head = [(":method", method), (":scheme", scheme), (":authority", host), (":path", target)]
    head = [(n, v) for n, v in head if v is not None and not (method == "CONNECT" and n in (":scheme", ":path") and not pseudo)]
    return ([*head, *pseudo, *headers], body, trailers)


def over_http2(*requests, **options):
    """Each on a connection of its own."""
    return [Request(options={"http2": [r], **options}) for r in requests]
