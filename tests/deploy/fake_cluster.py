"""A Kubernetes API that keeps whatever objects it is given: for running the role without a cluster.

Knows the kinds that the role uses; discovery, get, create, merge patch and delete, as the API
conventions describe them. It starts nothing, fills in no defaults and checks no schema.
"""

import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Group and version: {plural: (kind, whether it lives in a namespace)}.
KINDS = {
    "v1": {
        "namespaces": ("Namespace", False),
        "serviceaccounts": ("ServiceAccount", True),
        "persistentvolumeclaims": ("PersistentVolumeClaim", True),
        "secrets": ("Secret", True),
        "services": ("Service", True),
    },
    "apps/v1": {"deployments": ("Deployment", True)},
    "networking.k8s.io/v1": {
        "ingresses": ("Ingress", True),
        "networkpolicies": ("NetworkPolicy", True),
    },
    "policy/v1": {"poddisruptionbudgets": ("PodDisruptionBudget", True)},
    "monitoring.coreos.com/v1": {"servicemonitors": ("ServiceMonitor", True)},
}


class FakeCluster:
    """The objects, by (plural, namespace, name), behind an HTTP port of this machine."""

    def __init__(self):
        self.objects = {}
        self.revision = 0
        self.lock = threading.Lock()
        cluster = self

        class Handler(_Handler):
            pass

        Handler.cluster = cluster
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def names(self):
        """Kind and name of every object."""
        return {(value["kind"], value["metadata"]["name"]) for value in self.objects.values()}

    def find(self, kind, name):
        """The object of this kind and name."""
        for value in self.objects.values():
            if value["kind"] == kind and value["metadata"]["name"] == name:
                return value
        raise KeyError((kind, name))

    def put(self, key, value):
        """Keeps a new state; the revision moves only when there is a difference."""
        before = self.objects.get(key)
        value = copy.deepcopy(value)
        value["metadata"].pop("resourceVersion", None)
        if before is not None:
            same = copy.deepcopy(before)
            same["metadata"].pop("resourceVersion")
            if same == value:
                return before
        self.revision += 1
        value["metadata"]["resourceVersion"] = str(self.revision)
        value["metadata"].setdefault("uid", f"uid-{self.revision}")
        self.objects[key] = value
        return value


def merged(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merged(target.get(name), value)
    return target


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster = None

    def log_message(self, *args):
        pass

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, reason):
        self.answer(
            status,
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status},
        )

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "{}")

    def place(self):
        """(group and version, plural, namespace, name) of the path, or None for discovery."""
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[0] == "api" and len(parts) > 2:
            version, rest = parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            version, rest = "/".join(parts[1:3]), parts[3:]
        else:
            return None
        namespace = None
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        return version, rest[0], namespace, rest[1] if len(rest) > 1 else None

    def discovery(self):
        path = self.path.split("?")[0].strip("/")
        if path == "version":
            return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
        if path == "api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "apis":
            groups = []
            for version in KINDS:
                if "/" in version:
                    one = {"groupVersion": version, "version": version.split("/")[1]}
                    name = version.split("/")[0]
                    groups.append({"name": name, "versions": [one], "preferredVersion": one})
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        version = path.removeprefix("apis/").removeprefix("api/")
        if version in KINDS:
            verbs = ["create", "delete", "get", "list", "patch", "update"]
            resources = [
                {"name": plural, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs}
                for plural, (kind, namespaced) in KINDS[version].items()
            ]
            return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        return None

    def do_GET(self):
        place = self.place()
        if place is None:
            found = self.discovery()
            return self.answer(200, found) if found else self.refuse(404, "NotFound")
        version, plural, namespace, name = place
        with self.cluster.lock:
            if name is not None:
                found = self.cluster.objects.get((plural, namespace, name))
                return self.answer(200, found) if found else self.refuse(404, "NotFound")
            items = [v for k, v in self.cluster.objects.items() if k[:2] == (plural, namespace)]
        kind = KINDS[version][plural][0]
        return self.answer(200, {"kind": kind + "List", "apiVersion": version, "items": items})

    def do_POST(self):
        version, plural, namespace, _ = self.place()
        value = self.body()
        with self.cluster.lock:
            if namespace and ("namespaces", None, namespace) not in self.cluster.objects:
                return self.refuse(404, "NotFound")
            key = (plural, namespace, value["metadata"]["name"])
            if key in self.cluster.objects:
                return self.refuse(409, "AlreadyExists")
            return self.answer(201, self.cluster.put(key, value))

    def do_PATCH(self):
        _, plural, namespace, name = self.place()
        patch = self.body()
        with self.cluster.lock:
            key = (plural, namespace, name)
            if key not in self.cluster.objects:
                return self.refuse(404, "NotFound")
            return self.answer(200, self.cluster.put(key, merged(self.cluster.objects[key], patch)))

    def do_DELETE(self):
        self.body()
        _, plural, namespace, name = self.place()
        with self.cluster.lock:
            if self.cluster.objects.pop((plural, namespace, name), None) is None:
                return self.refuse(404, "NotFound")
        return self.answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
