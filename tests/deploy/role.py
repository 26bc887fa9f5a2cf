"""Checks of the ansible role: what it makes of its parameters, and what it does to a cluster."""

import base64
import functools
import json
import tempfile
from pathlib import Path

import yaml
from fake_cluster import FakeCluster
from harness import HERE, ROOT, check, load, run

ROLE = ROOT / "ansible/roles/ess"
BROKER_URL = "amqp://user:s3cret-of-the-test@rabbitmq:5672/"


def playbook(name, *extra, fails=False, **environment):
    more = [part for one in extra for part in ("-e", one)]
    return run("ansible-playbook", name, *more, fails=fails, **environment)


@check
def the_role_is_clean():
    said = run("ansible-lint", "--offline", "--profile", "production", "--nocolor", "ansible")
    assert "Profile 'production' was required, and it passed" in said, said


@functools.cache
def rendered(parameters):
    """The objects, by kind and name, that the role makes of these parameters."""
    with tempfile.TemporaryDirectory() as out:
        playbook(HERE / "render.yaml", f"@{HERE / 'parameters' / parameters}", f"out={out}")
        objects = list(yaml.safe_load_all((Path(out) / "all.yaml").read_text()))
        assert len(objects) > len(list((ROLE / "templates").iterdir()))
        # The schemas know no kinds of operators.
        known = [one for one in objects if one["kind"] != "ServiceMonitor"]
        (Path(out) / "known.yaml").write_text(yaml.safe_dump_all(known))
        run("kubernetes-validate", "--strict", "--no-warn", "-k", "1.37", f"{out}/known.yaml")
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def container_of(objects):
    return objects["Deployment", "ess"]["spec"]["template"]["spec"]["containers"][0]


def environment_of(objects):
    return {one["name"]: one.get("value", "(secret)") for one in container_of(objects)["env"]}


@check
def few_parameters_are_enough():
    objects = rendered("minimal.yaml")
    names = {("Deployment", "ess"), ("Service", "ess-ws"), ("Service", "ess-ws-api")}
    names |= {("Ingress", "ess-ws"), ("PersistentVolumeClaim", "ess-database")}
    names |= {("PersistentVolumeClaim", "ess-log"), ("PodDisruptionBudget", "ess")}
    assert names <= set(objects), names - set(objects)
    environment = environment_of(objects)
    assert "ESS_AMPQ_URL" not in environment
    assert environment["ESS_INGRESS_SECURE"] == "no" and environment["ESS_DRAIN"] == "20s"
    ports = {p["port"] for n in ("ess-ws", "ess-ws-api") for p in objects["Service", n]["spec"]["ports"]}
    assert ports == {8080, 8081}
    path = objects["Ingress", "ess-ws"]["spec"]["rules"][0]["http"]["paths"][0]
    assert path["path"] == "/event-stream" and path["backend"]["service"]["name"] == "ess-ws"
    mounts = {m["name"]: m["mountPath"] for m in container_of(objects)["volumeMounts"]}
    assert mounts == {"database": "/data", "log": "/logs", "tmp": "/tmp"}


@check
def the_pod_has_no_more_rights_than_it_needs():
    objects = rendered("minimal.yaml")
    pod, container = objects["Deployment", "ess"]["spec"]["template"]["spec"], container_of(objects)
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    probes = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert probes == {
        "startupProbe": "/startupz",
        "readinessProbe": "/readyz",
        "livenessProbe": "/livez",
    }


@check
def every_parameter_arrives():
    objects = rendered("full.yaml")
    pod, container = objects["Deployment", "ess"]["spec"]["template"]["spec"], container_of(objects)
    assert container["image"] == "registry.example.com/squonk/event-stream-service:4.0.0-rc.1"
    assert container["imagePullPolicy"] == "Always"
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "512Mi"},
        "limits": {"cpu": "4", "memory": "4Gi"},
    }
    assert pod["terminationGracePeriodSeconds"] == 120 and pod["priorityClassName"] == "important"
    assert pod["serviceAccountName"] == "events"
    profile = {"type": "Localhost", "localhostProfile": "profiles/ess.json"}
    assert pod["securityContext"]["seccompProfile"] == profile
    environment = environment_of(objects)
    assert environment["ESS_EXCLUSIVE"] == "yes" and environment["ESS_DRAIN"] == "60s"
    assert environment["ESS_INGRESS_SECURE"] == "yes" and environment["ESS_AMPQ_URL"] == "(secret)"
    assert environment["ESS_MESSAGE_STATS_INTERVAL"] == "0"
    url = base64.b64decode(objects["Secret", "ess-broker"]["data"]["url"]).decode()
    assert url == load("tests/deploy/parameters/full.yaml")["ess_ampq_url"]
    ingress = objects["Ingress", "ess-ws"]
    annotations = ingress["metadata"]["annotations"]
    assert annotations["cert-manager.io/issuer"] == "letsencrypt"
    assert annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "7200"
    assert ingress["spec"]["ingressClassName"] == "traefik"
    assert ingress["spec"]["tls"][0]["secretName"] == "ess-ws-tls"
    for name, storage_class in (("ess-database", "fast"), ("ess-log", "slow")):
        spec = objects["PersistentVolumeClaim", name]["spec"]
        assert spec["storageClassName"] == storage_class
        assert spec["accessModes"] == ["ReadWriteOncePod"]
    rules = objects["NetworkPolicy", "ess"]["spec"]["ingress"]
    assert "from" not in rules[0] and rules[1]["from"][0]["namespaceSelector"]
    monitor = objects["ServiceMonitor", "ess"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


@check
def empty_parameters_leave_things_out():
    objects = rendered("bare.yaml")
    assert container_of(objects)["resources"] == {"requests": {}, "limits": {}}
    assert "storageClassName" not in objects["PersistentVolumeClaim", "ess-log"]["spec"]
    assert environment_of(objects)["ESS_DRAIN"] == "0s"
    assert "tls" not in objects["Ingress", "ess-ws"]["spec"]


@check
def wrong_parameters_are_refused():
    minimal = f"@{HERE / 'parameters/minimal.yaml'}"
    wrong = {
        "ess_state=there": "ess_state",
        "ess_namespace=No_Name": "no Kubernetes name",
        "ess_image_owner=SetMe": "Set ess_image_owner",
        "ess_ws_hostname=https://ess.example.com": "without scheme",
        "ess_drain_seconds=25": "must be at least ess_drain_seconds",
        '{"ess_environment": {"ESS_AMPQ_URL": "x"}}': "output has been hidden",
        "ess_ampq_url=https://user:s3cret-of-the-test@h/": "output has been hidden",
    }
    for parameter, expected in wrong.items():
        said = playbook(
            "ansible/site.yaml", minimal, parameter, fails=True, K8S_AUTH_KUBECONFIG="/dev/null"
        )
        # Ansible breaks lines where it likes.
        flat = " ".join(said.split())
        assert expected in flat and "Look for what is there" not in flat, f"{parameter}: {said}"
        assert "s3cret-of-the-test" not in said


@check
def the_role_is_idempotent_and_removes_what_it_made():
    cluster = FakeCluster()
    try:
        with tempfile.TemporaryDirectory() as folder:
            role_over_its_life(cluster, kubeconfig(folder, cluster.url))
    finally:
        cluster.close()


def kubeconfig(folder, server):
    path = Path(folder) / "kubeconfig"
    context = {"name": "fake", "context": {"cluster": "fake", "user": "fake"}}
    cluster = {"name": "fake", "cluster": {"server": server}}
    user = {"name": "fake", "user": {}}
    value = {"apiVersion": "v1", "kind": "Config", "current-context": "fake"}
    value |= {"contexts": [context], "clusters": [cluster], "users": [user]}
    path.write_text(yaml.safe_dump(value))
    return path


def changed(said):
    return int(said.split("changed=")[1].split()[0])


def role_over_its_life(cluster, kubeconfig_path):
    def apply(*more):
        said = playbook(
            "ansible/site.yaml",
            f"@{HERE / 'parameters/minimal.yaml'}",
            json.dumps({"ess_ampq_url": BROKER_URL}),
            *more,
            K8S_AUTH_KUBECONFIG=str(kubeconfig_path),
        )
        assert "s3cret-of-the-test" not in said
        return changed(said)

    assert apply() > 0
    first = cluster.revision
    assert ("Secret", "ess-broker") in cluster.names()
    assert apply() == 0 and cluster.revision == first, "a second run changes nothing"

    pod = cluster.find("Deployment", "ess")["spec"]["template"]
    version = pod["metadata"]["annotations"]["ess/broker-secret-version"]
    assert version == cluster.find("Secret", "ess-broker")["metadata"]["resourceVersion"]

    # Another size can't be had for a volume that is there; no ingress, and no broker any more.
    apply("ess_ingress_state=absent", "ess_database_volume_size=99Gi", '{"ess_ampq_url": ""}')
    names = cluster.names()
    assert ("Ingress", "ess-ws") not in names and ("Secret", "ess-broker") not in names
    requested = cluster.find("PersistentVolumeClaim", "ess-database")["spec"]["resources"]["requests"]
    assert requested == {"storage": "10Gi"}

    apply("ess_state=absent", '{"ess_keep_volumes": true}')
    volumes = {("PersistentVolumeClaim", "ess-database"), ("PersistentVolumeClaim", "ess-log")}
    assert cluster.names() == volumes | {("Namespace", "ess")}, cluster.names()

    # An account that somebody else made stays.
    account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "ess", "namespace": "ess"}}
    cluster.put(("serviceaccounts", "ess", "ess"), account)
    apply("ess_state=absent")
    assert cluster.names() == {("Namespace", "ess"), ("ServiceAccount", "ess")}, cluster.names()
    assert apply("ess_state=absent") == 0


@check
def the_template_lists_every_parameter():
    text = (ROOT / "ansible/parameters-template.yaml").read_text()
    listed = {line.lstrip("# ").split(":")[0] for line in text.splitlines() if line.lstrip("# ").startswith("ess_")}
    specified = set(load("ansible/roles/ess/meta/argument_specs.yaml")["argument_specs"]["main"]["options"])
    assert listed == specified, listed ^ specified
    assert set(load("ansible/roles/ess/defaults/main.yaml")) <= specified
