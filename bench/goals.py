"""The goals of the data plane (docs/performance.md): ratios of plait-proxy's processor time to a peer's in the same run."""
PEERS = ["nginx", "HAProxy", "nghttpx"]
BEST = "the best peer"
# Of a scenario: whose figure counts, and what it may be of whose.
GOALS = {
    "a": ("plait meshlike", [("Envoy meshlike", 1 / 7), ("Envoy", 1 / 4), (BEST, 0.8)]),
    "b": ("plait meshlike", [("Envoy meshlike", 1 / 8), (BEST, 0.55)]),
    "c": ("plait meshlike", [("Envoy", 1 / 6), ("nghttpx", 0.7)]),
    "c2": ("plait", [("Envoy", 1 / 8), ("nghttpx", 0.75)]),
    "d": ("plait", [(BEST, 0.4)]),
    "d1": ("plait", [("Envoy", 0.65)]),
    "e": ("plait meshlike", [("Envoy", 1 / 3)]),
    "e2": ("plait meshlike", [("Envoy", 0.4)]),
}


def verdict(costs, peer, limit, cost):
    if peer == BEST:
        peer = min((p for p in PEERS if p in costs), key=costs.get, default=BEST)
    if peer not in costs:
        return f"{peer} was not measured"
    ratio = cost / costs[peer]
    return f"{ratio:.2f} × {peer} (≤ {limit:.2f}{'' if ratio <= limit else ', **missed**'})"


def lines(measured):
    """Markdown of {scenario: {proxy: processor time a request}}; scenarios without a goal or a figure are left out."""
    out = []
    for scenario, (proxy, limits) in GOALS.items():
        costs = measured.get(scenario, {})
        if proxy in costs:
            out.append(f"| {scenario} | {proxy} | " + "; ".join(verdict(costs, *limit, costs[proxy]) for limit in limits) + " |")
    return ["", "| scenario | figure of | ratio to a peer in this run (goal) |", "|---|---|---|", *out] if out else []
