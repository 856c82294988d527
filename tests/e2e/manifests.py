"""Kubernetes and Istio objects for the tests' meshes, as dictionaries; `write` makes a file of them."""
import json

APP = "plait-demo-app"


def document(kind, name, spec, api="v1", namespace=None, **metadata):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {}), **metadata},
            **({"spec": spec} if spec is not None else {})}


def account(name, namespace=None):
    return document("ServiceAccount", name, None, namespace=namespace)


def deployment(name, command, namespace=None, labels=None, replicas=1, account="default", ports=(), probe=None, inject=True,
               annotations=None, hostname=None, subdomain=None):
    labels = labels or {"app": name}
    container = {"name": "app", "image": "none", "ports": [{"containerPort": port} for port in ports]}
    if probe:
        container["readinessProbe"] = probe
    marks = {"plait.dev/exec.app": json.dumps(command), **(annotations or {})}
    if not inject:
        marks["sidecar.istio.io/inject"] = "false"
    pod = {"serviceAccountName": account, "containers": [container]}
    if hostname:
        pod["hostname"] = hostname
    if subdomain:
        pod["subdomain"] = subdomain
    return document("Deployment", name, {
        "replicas": replicas, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels, "annotations": marks}, "spec": pod}}, "apps/v1", namespace)


def service(name, ports, selector=None, namespace=None, headless=False):
    """`ports`: {name: port}."""
    spec = {"selector": selector or {"app": name}, "ports": [{"name": key, "port": port} for key, port in ports.items()]}
    if headless:
        spec["clusterIP"] = "None"
    return document("Service", name, spec, namespace=namespace)


def behind_gateway(name, port=8080):
    """A service of its own account that echoes, and port 80 of the ingress gateway, "edge", for every host; routes are the caller's."""
    return (account(name), deployment(name, [APP, "echo", "--port", str(port)], account=name, ports=[port], probe=http_probe(port)),
            service(name, {"http": port}), gateway("edge", server(80, "HTTP", "*")))


def virtual_service(name, spec, namespace=None):
    return document("VirtualService", name, spec, "networking.istio.io/v1", namespace)


def gateway(name, *servers, selector="ingressgateway", namespace="istio-system"):
    """Of the pods that have the label `istio` with this value."""
    return document("Gateway", name, {"selector": {"istio": selector}, "servers": list(servers)}, "networking.istio.io/v1", namespace)


def server(port, protocol, host, **tls):
    """Of a gateway."""
    return {"port": {"number": port, "name": f"{protocol.lower()}-{port}-{host.split('.')[0]}", "protocol": protocol}, "hosts": [host],
            **({"tls": tls} if tls else {})}


def destination_rule(name, spec, namespace=None):
    return document("DestinationRule", name, spec, "networking.istio.io/v1", namespace)


def authorization(name, spec, namespace=None):
    return document("AuthorizationPolicy", name, spec, "security.istio.io/v1", namespace)


def peer_authentication(mode, name="default", namespace=None, **spec):
    return document("PeerAuthentication", name, {"mtls": {"mode": mode}, **spec}, "security.istio.io/v1", namespace)


def http_probe(port, path="/health"):
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1}


def write(path, *documents):
    """Replaces the file at once, as careful editors do. JSON is YAML."""
    text = "\n---\n".join(json.dumps(one, indent=1) for one in documents) + "\n"
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.rename(path)
