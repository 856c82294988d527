"""Time limits, retries, circuit breakers and what else keeps a bad upstream from the client."""
from suite import Request, asks, case, gets, http, plain


@case("06-retries", ordered=True)  # at most three retries at a time
def retries():
    out = []
    for path in ("/5xx", "/gw", "/codes", "/reset", "/none"):
        for fail in (0, 1, 2, 3, 4):
            out += plain(http(target=path, headers=[("x-backend", f"fail={fail};key={path}{fail}")]))
    for path in ("/5xx", "/gw", "/codes", "/none"):
        for status in (200, 404, 409, 500, 502):
            out += plain(http("POST", path, headers=[("x-backend", f"status={status}")], body=b"again"))
    return out + plain(http(target="/reset", headers=[("x-backend", "reset")]), http(target="/5xx", headers=[("x-backend", "reset")]),
                       http(target="/none", headers=[("x-backend", "reset")]), http(target="/connect"), http("POST", "/connect", body=b"x"))


@case("33-timeouts")
def timeouts():
    grpc = [("Content-Type", "application/grpc")]
    out = [asks(f"late={ms}", target=t) for t in ("/route", "/none", "/idle", "/no-idle", "/life", "/any") for ms in (0, 1000, 2400)]
    out += [asks(f"slow={ms};body=400", target=t) for t in ("/route", "/idle", "/life") for ms in (0, 1200)]
    out += [asks("late=1000", target=t, headers=[*grpc, ("grpc-timeout", g)]) for t in ("/grpc", "/most", "/glife", "/any") for g in ("100m", "3S", "900u", "5000000000n", "bad", "100000000000S")]
    out += [asks("late=1000", target=t, headers=grpc) for t in ("/grpc", "/most", "/glife")] + [asks("late=1000", target="/grpc", headers=[("grpc-timeout", "100m")])]
    out += [asks("late=1000", target=t) for t in ("/try", "/once", "/silent")] + [asks("late=1000", "POST", t, body=b"x") for t in ("/try", "/silent")] + gets("/connect")
    out += [asks("late=1000", target=t, headers=[("Connection", "Upgrade"), ("Upgrade", "websocket")]) for t in ("/socket", "/talk")]
    out += [asks(f"slow={ms};body=400", target="/silent") for ms in (0, 1200)]
    unfinished = http("POST", "/any", headers=[("Content-Length", "10")]) + b"half"
    chunked = http("POST", "/any", headers=[("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n"
    return out + plain(unfinished, chunked, http("POST", "/idle", headers=[("Content-Length", "10")]) + b"half", http("POST", "/life", headers=[("Content-Length", "10")]) + b"half",
                       http("POST", "/none", headers=[("Content-Length", "10"), ("x-backend", "early")]) + b"half",
                       http("POST", "/both", headers=[("Content-Length", "10")]) + b"half", http("POST", "/both", headers=[("x-backend", "late=5000")], body=b"whole"),
                       http("POST", "/coming", headers=[("Content-Length", "10"), ("x-backend", "early;late=1000;slow=1500;body=400")]) + b"half",
                       b"GET /any HTTP/1.1\r\nHost: any.test\r\nX-Slow: ")


@case("34-retries-more", ordered=True)
def retries_more():
    out, keys = [], iter(range(1000))

    def failing(target, times, status=503, method="GET", headers=(), host="any.test", body=b""):
        return asks(f"fail={times};fails={status};key={next(keys)}", method, target, headers=headers, host=host, body=body)
    out += [failing(t, n, s, host="own.test") for t in ("/of-host", "/of-route") for n in (1, 3) for s in (409, 500, 503)]
    out += [failing(t, 1, s) for t in ("/4xx", "/codes", "/many", "/istio") for s in (200, 400, 404, 409, 418, 429, 500, 502, 503, 504)]
    out += [failing("/many", n) for n in (4, 5, 6)] + [failing(t, 1) for t in ("/budget", "/none", "/overloaded", "/small")]
    out += [failing("/small", 1, method="POST", body=b"x" * n) for n in (50, 100, 101, 200)]
    out += [failing("/asked", 1, method=m, headers=h) for m in ("GET", "PUT") for h in ([], [("x-retry-me", "1")])]
    out += [asks(f"header=x-again:{v};status=200", target="/headers") for v in ("yes", "no")] + [asks("header=x-envoy-ratelimited:1;status=429", target=t) for t in ("/limited", "/codes", "/many")]
    out += [asks(o, target=t) for t in ("/before", "/reset", "/refused", "/h2reset", "/h25xx", "/4xx", "/codes", "/istio", "/connect") for o in ("reset", "refuse", "status=500")]
    out += [asks(f"grpc-only;header=grpc-status:{n}", "POST", "/grpc", headers=[("content-type", "application/grpc")]) for n in (0, 1, 4, 8, 14)]
    out += [asks("cut;body=400", target="/many"), asks("cut;body=100000", target="/reset")]
    out += [asks("odd=" + o, target=t) for t in ("/many", "/reset", "/before") for o in ("not-http", "bad-length", "cut-in-the-head")]
    return out + [asks(f"fail=1;key=w-{t}", target=t) for t in ("/words", "/unknown")] + [asks("reset", target=t) for t in ("/words", "/unknown")]


@case("35-trusted-requests", ordered=True)
def trusted_requests():
    inside, keys, out = [("X-Forwarded-For", "10.0.0.1")], iter(range(1000)), []
    for target in ("/plain", "/policy"):
        for who in ([], inside):
            for on in ("5xx", "gateway-error", "retriable-4xx", "connect-failure", "5xx,retriable-4xx", "unknown", "unknown,5xx", "5xx, unknown", "unavailable", ""):
                for most in (None, "3", "0", "x"):
                    headers = [*who, ("x-envoy-retry-on", on)] + ([("x-envoy-max-retries", most)] if most is not None else [])
                    out.append(asks(f"fail=2;fails=503;key={next(keys)}", target=target, headers=headers))
            for name, value in (("x-envoy-upstream-rq-timeout-ms", "100"), ("x-envoy-upstream-rq-timeout-ms", "0"), ("x-envoy-upstream-rq-timeout-ms", "x"), ("x-envoy-expected-rq-timeout-ms", "100"),
                                ("x-envoy-upstream-rq-per-try-timeout-ms", "100"), ("x-envoy-retriable-status-codes", "503"), ("x-envoy-retry-grpc-on", "unavailable"), ("x-envoy-retry-grpc-on", "unknown,unavailable")):
                out.append(asks("late=250", target=target, headers=[*who, (name, value)]))
            out.append(asks(f"fail=1;fails=418;key={next(keys)}", target=target, headers=[*who, ("x-envoy-retry-on", "retriable-status-codes"), ("x-envoy-retriable-status-codes", "418, 419")]))
            out += [asks(f"grpc-only;header=grpc-status:14;key={next(keys)}", "POST", target, headers=[*who, ("content-type", "application/grpc"), (name, on)])
                    for name, on in (("x-envoy-retry-grpc-on", "unknown,unavailable"), ("x-envoy-retry-on", "unavailable"), ("x-envoy-retry-grpc-on", "5xx"))]
            out.append(asks("header=x-again:1", target=target, headers=[*who, ("x-envoy-retry-on", "retriable-headers"), ("x-envoy-retriable-header-names", "x-again")]))
    for target in ("/plain", "/policy"):
        for who in ([], inside):
            own = [*who, ("x-envoy-retry-on", "5xx,reset")]
            out += [asks("late=300", target=target, headers=[*who, ("x-envoy-upstream-stream-duration-ms", ms)]) for ms in ("100", "0", "-1", "x", "5000", " 100", "1e2")]
            out.append(asks("late=300", target=target, headers=[*own, ("x-envoy-upstream-stream-duration-ms", "100")]))
            out.append(asks("chunked;body=400;slow=300", target=target, headers=[*own, ("x-envoy-upstream-stream-duration-ms", "100")]))
            out.append(asks("late=300", "POST", target, headers=[*who, ("content-type", "application/grpc"), ("x-envoy-upstream-stream-duration-ms", "100")]))
            out += [asks("late=250", target=target, headers=[*own, ("x-envoy-upstream-rq-per-try-timeout-ms", ms), ("x-envoy-max-retries", "2")]) for ms in ("100", "0", "x", "60000")]
            out.append(asks("late=250", target=target, headers=[*who, ("x-envoy-upstream-rq-timeout-ms", "100"), ("x-envoy-upstream-rq-timeout-alt-response", "1")]))
            out += [asks("", target=target, headers=[*who, (name, value)]) for name, value in (
                ("x-envoy-hedge-on-per-try-timeout", "true"), ("x-envoy-upstream-alt-stat-name", "other"), ("x-envoy-decorator-operation", "mine"), ("x-envoy-upstream-rq-timeout-alt-response", "1"),
                ("x-envoy-retriable-status-codes", "a,b"), ("x-envoy-retriable-header-names", "x-a"), ("x-envoy-max-retries", "1"), ("x-envoy-attempt-count", "7"), ("x-envoy-is-timeout-retry", "true"),
                ("x-envoy-ip-tags", "a"), ("x-envoy-force-trace", "true"), ("x-envoy-original-url", "http://a/b"), ("x-envoy-downstream-service-cluster", "c"), ("x-envoy-downstream-service-node", "n"))]
    return out


@case("36-circuit-breakers", ordered=True)
def circuit_breakers():
    def held(target, name):
        return Request(http(target=target, headers=[("x-backend", f"hold={name}")]), options={"holds": name})

    def freeing(name):
        return Request(http(target=f"/freed/{name}"), options={"release": name})
    out = [held("/requests/1", "r"), *gets("/requests/2", "/requests/3"), freeing("r"), *gets("/requests/4")]
    out += [held("/retries/1", "t"), asks("status=503", target="/retries/2"), freeing("t")]
    return out + gets("/high", "/priority", "/high/2", "/connections", "/pending")


@case("37-outliers", ordered=True)
def outliers():
    def ejected(target):
        return Request(http(target=target), options={"until": 503})
    out = []
    for target, orders in (("/fives", ("status=500", "status=503", "status=200", "status=500", "status=500", "status=502")),
                           ("/gateway", ("status=500", "status=500", "status=502", "status=504")), ("/split", ("status=503", "status=503", "reset", "reset", "")),
                           ("/not", ("status=500", "status=500", "status=500", ""))):
        out += [asks(order, target=f"{target}/{i}") for i, order in enumerate(orders)]
        if target in ("/fives", "/gateway"):
            out.append(ejected(f"{target}/out"))
    return out
