"""Configuration files for plait-proxy and Envoy: the same file for both, but for what only one of them has."""
import json

HOST, PATH = "svc7.mesh.local", "/api/v3/items/4711?verbose=1"
HOSTS = [f"svc{i}.mesh.local" for i in range(10)]
PREFIXES = [f"/api/v{i}/" for i in range(10)]
ISTIO_LOG = ('[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
             '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% '
             '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
             '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% '
             '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n')


def typed(kind, **fields):
    return {"@type": "type.googleapis.com/envoy." + kind, **fields}


def extension(name, kind, **fields):
    return {"name": name, "typed_config": typed(kind, **fields)}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def common_tls(spec, who):
    return {"tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificates": [{"certificate_chain": {"filename": f"{spec.certificates}/{who}.pem"},
                                  "private_key": {"filename": f"{spec.certificates}/{who}.key"}}],
            "validation_context": {"trusted_ca": {"filename": f"{spec.certificates}/ca.pem"}}}


def cluster(name, spec, bare=False):
    limits = {"max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000, "max_retries": 1000}
    made = {"name": name, "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [limits]},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(spec.upstream)}}]}]}}
    if bare:
        return made
    options = {"explicit_http_config": {"http2_protocol_options": {}} if spec.upstream_protocol == "h2c" else {"http_protocol_options": {}}}
    if spec.fresh:
        options["common_http_protocol_options"] = {"max_requests_per_connection": 1}
    if spec.protocol != "tcp":
        kind = "extensions.upstreams.http.v3.HttpProtocolOptions"
        made["typed_extension_protocol_options"] = {"envoy." + kind: typed(kind, **options)}
    if spec.tls_out:
        sessions = {"max_session_keys": 0} if spec.fresh else {}
        made["transport_socket"] = extension("tls", "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                                             common_tls_context=common_tls(spec, "client"), **sessions)
    return made


def policies(spec):
    """Two, as a mesh compiles them; the second one matches."""
    def one(n, requirements, principal):
        return f"ns[a]-policy[{n}]-rule[0]", {"permissions": [{"and_rules": {"rules": [{"or_rules": {"rules": r}} for r in requirements]}}],
                                              "principals": [principal]}
    caller = {"authenticated": {"principal_name": {"exact": "spiffe://mesh.local/ns/a/sa/client"}}} if spec.tls_in else {"any": True}
    method = [{"header": {"name": ":method", "string_match": {"exact": m}}} for m in ("GET", "POST")]
    return dict([one("x", [[{"url_path": {"path": {"prefix": "/admin/"}}}]], {"any": True}),
                 one("y", [method, [{"url_path": {"path": {"prefix": "/api/"}}}]], caller)])


def http_filters(spec, mesh):
    made = []
    if mesh:
        made = [extension("rbac", "extensions.filters.http.rbac.v3.RBAC", rules={"action": "ALLOW", "policies": policies(spec)}),
                extension("fault", "extensions.filters.http.fault.v3.HTTPFault"),
                extension("cors", "extensions.filters.http.cors.v3.Cors"),
                extension("grpc_stats", "extensions.filters.http.grpc_stats.v3.FilterConfig", emit_filter_state=True, stats_for_all_methods=False)]
    return [*made, extension("router", "extensions.filters.http.router.v3.Router")]


def virtual_hosts(mesh):
    rest = [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]}]
    if not mesh:
        return rest
    retry = {"retry_on": "connect-failure,refused-stream,unavailable,cancelled", "num_retries": 2}
    def routes(host):
        return [{"match": {"prefix": p}, "route": {"cluster": "up", "timeout": "0s", "retry_policy": retry},
                 "decorator": {"operation": f"{host}:80/*"}} for p in PREFIXES]
    return [{"name": host, "domains": [host], "routes": routes(host)} for host in HOSTS] + rest


def manager(spec, folder, mesh, envoy):
    fields = {"stat_prefix": "in", "codec_type": "HTTP2" if spec.protocol == "h2c" else "HTTP1",
              "route_config": {"name": "r", "virtual_hosts": virtual_hosts(mesh)}, "http_filters": http_filters(spec, mesh)}
    if mesh:
        fields["access_log"] = [extension("log", "extensions.access_loggers.file.v3.FileAccessLog", path=str(folder / f"{spec.name}.access.log"),
                                          log_format={"text_format_source": {"inline_string": ISTIO_LOG}})]
        fields["tracing"] = {"random_sampling": {"value": 1.0}, "client_sampling": {"value": 100}, "overall_sampling": {"value": 100}}
        fields["forward_client_cert_details"] = "APPEND_FORWARD" if spec.tls_in else "SANITIZE"
        fields["set_current_client_cert_details"] = {"subject": True, "uri": True, "dns": True}
        if envoy:  # plait-proxy makes no spans
            fields["tracing"]["provider"] = extension("zipkin", "config.trace.v3.ZipkinConfig", collector_cluster="zipkin",
                                                      collector_endpoint="/api/v2/spans", collector_endpoint_version="HTTP_JSON")
    return extension("hcm", "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", **fields)


def write(spec, folder, mesh, envoy):
    """The path of the file. `mesh`: with what a sidecar of a mesh does (log, policies, filters, routes, retries)."""
    if spec.protocol == "tcp":
        network = extension("tcp", "extensions.filters.network.tcp_proxy.v3.TcpProxy", stat_prefix="t", cluster="up")
    else:
        network = manager(spec, folder, mesh, envoy)
    chain = {"filters": [network]}
    if spec.tls_in:
        tickets = {"disable_stateless_session_resumption": True} if spec.fresh else {}
        chain["transport_socket"] = extension("tls", "extensions.transport_sockets.tls.v3.DownstreamTlsContext", require_client_certificate=True,
                                              common_tls_context=common_tls(spec, "server"), **tickets)
    config = {"node": {"id": spec.name, "cluster": "bench"}, "static_resources": {
        "listeners": [{"name": "l", "address": address(spec.listen), "filter_chains": [chain]}], "clusters": [cluster("up", spec)]}}
    if envoy and mesh:
        config["static_resources"]["clusters"].append(cluster("zipkin", spec, bare=True))
    for n in range(spec.clusters):
        config["static_resources"]["clusters"].append(cluster(f"outbound|80||service-{n}.default.svc.cluster.local", spec, bare=True))
    path = folder / f"{spec.name}.json"
    path.write_text(json.dumps(config))
    return path
