"""HTTP filters: faults and CORS."""
from suite import asks, case, gets, http, plain


@case("42-faults", common={})
def faults():
    grpc = [("Content-Type", "application/grpc")]
    out = gets("/abort", "/never", "/delay", "/both", "/other", "/mine", "/headers", "/most", "/off", "/direct", "/late", "/plain")
    out += plain(*(http("POST", t, headers=grpc) for t in ("/abort", "/grpc", "/both", "/delay")), http(target="/grpc"), http("HEAD", "/abort"), http("POST", "/abort", body=b"body"),
                 http("POST", "/delay", body=b"body"), http("POST", "/delay", headers=[("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n0\r\n\r\n")
    out += plain(*(http(target=t, headers=[("x-fault", v)]) for t in ("/plain", "/abort", "/off", "/never") for v in ("yes", "no")))
    return out + plain(*(http(target="/headers", headers=[("x-user", u)]) for u in ("jason", "bob"))) + [asks("status=500", target="/delay")]


@case("43-cors")
def cors():
    origins = ("https://a.test", "https://b.test", "http://x.local", "null", "", "HTTPS://A.TEST")
    preflight = [("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-a")]
    out = []
    for target in ("/exact", "/any", "/star", "/prefix", "/off", "/none"):
        out += [http(target=target, headers=[("Origin", o)]) for o in origins]
        out += [http("OPTIONS", target, headers=[("Origin", o), *preflight]) for o in origins]
        out += [http("OPTIONS", target, headers=[("Origin", origins[0])]), http("OPTIONS", target, headers=preflight), http(target=target)]
    return plain(*out) + [asks("header=access-control-allow-origin:theirs|vary:x", target=t, headers=[("Origin", o)]) for t in ("/exact", "/star") for o in origins[:2]]
