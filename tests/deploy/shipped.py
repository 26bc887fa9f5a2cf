"""Checks of what is shipped beside the binary: image, compose file, seccomp profile, unit, scripts."""

import json
import re
import tempfile
from pathlib import Path

import yaml
from harness import ROOT, binary, check, load, run

# Containers


@check
def the_dockerfile_is_clean():
    run("hadolint", "Dockerfile")


@check
def the_image_needs_no_root_and_no_shell():
    final = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]
    lines = [line for line in final.splitlines() if line and not line.startswith(("#", " "))]
    words = [line.split()[0] for line in lines[1:]]
    assert "RUN" not in words, "the last stage runs nothing, or it needs emulation"
    assert "USER 65532:65532" in lines, lines
    assert 'ENTRYPOINT ["/usr/local/bin/ess"]' in lines, "the exec form, or SIGTERM goes to a shell"
    assert 'VOLUME ["/data", "/logs"]' in lines, lines
    assert any(line.startswith("HEALTHCHECK ") and '"health"]' in line for line in lines), lines


@check
def the_context_holds_what_the_dockerfile_copies():
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = set()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied.update(line.split()[1:-1])
    assert "*" in ignored and allowed == copied, (allowed, copied)
    assert all((ROOT / name).exists() for name in copied)


def compose(*profiles, **environment):
    more = [part for profile in profiles for part in ("--profile", profile)]
    return yaml.safe_load(run("docker-compose", *more, "config", **environment))["services"]


@check
def compose_starts_ess_beside_a_broker():
    services = compose()
    assert set(services) == {"ess", "rabbitmq"}, set(services)
    ess, rabbitmq = services["ess"], services["rabbitmq"]
    assert ess["depends_on"]["rabbitmq"]["condition"] == "service_healthy"
    assert ess["environment"]["ESS_AMPQ_URL"].startswith("amqp://ess:ess@rabbitmq:5672/")
    ports = {(port.get("host_ip"), port["target"]) for port in ess["ports"]}
    assert ports == {(None, 8080), ("127.0.0.1", 8081)}, ports
    plugins = (ROOT / "deploy/rabbitmq/enabled_plugins").read_text()
    assert "rabbitmq_stream," in plugins and "rabbitmq_management," in plugins
    advertised = (ROOT / "deploy/rabbitmq/ess.conf").read_text()
    assert f"stream.advertised_host = {rabbitmq['hostname']}\n" in advertised


@check
def compose_has_a_profile_with_the_embedded_log():
    ess = compose("log")["ess-log"]
    assert "ESS_AMPQ_URL" not in ess["environment"] and "depends_on" not in ess
    assert {volume["target"] for volume in ess["volumes"]} == {"/data", "/logs"}


@check
def compose_takes_everything_away_that_ess_does_not_need():
    for name in ("ess", "ess-log"):
        ess = compose("log")[name]
        assert ess["read_only"] and ess["cap_drop"] == ["ALL"] and ess["tmpfs"] == ["/tmp"]
        assert "no-new-privileges:true" in ess["security_opt"]
        profile = [option for option in ess["security_opt"] if option.startswith("seccomp")]
        path = profile[0].split("=")[1]
        assert (ROOT / path).samefile(ROOT / "deploy/seccomp/ess.json")
        builtin = compose("log", ESS_SECCOMP_PROFILE="builtin")[name]["security_opt"]
        assert "seccomp=builtin" in builtin, builtin


# System calls


def observed():
    if not hasattr(observed, "calls"):
        observed.calls = set(run("deploy/seccomp/observe", binary(), LC_ALL="C").split("\n")[-200:])
        observed.calls = {call for call in observed.calls if call and " " not in call}
        assert {"openat", "execve", "io_uring_setup", "epoll_ctl"} <= observed.calls, observed.calls
    return observed.calls


@check
def the_seccomp_profile_allows_what_ess_does():
    profile = json.loads((ROOT / "deploy/seccomp/ess.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed, seen = set(), set()
    for rule in profile["syscalls"]:
        assert rule["names"] and not (set(rule["names"]) & seen - {"socket"}), "a name stands once"
        seen.update(rule["names"])
        if rule["action"] == "SCMP_ACT_ALLOW":
            allowed.update(rule["names"])
    # The C library takes clone where clone3 is refused.
    lacking = observed() - allowed - {"clone3"}
    assert not lacking, f"not in deploy/seccomp/ess.json: {sorted(lacking)}"
    never = {"mount", "ptrace", "bpf", "setns", "unshare", "keyctl", "init_module", "kexec_load"}
    assert not never & allowed


# systemd

UNIT = ROOT / "deploy/systemd/ess.service"


def unit_directory(folder):
    """The unit, with a program that is there on every machine."""
    text = UNIT.read_text()
    assert "ExecStart=/usr/local/bin/ess serve\n" in text
    path = Path(folder) / "ess.service"
    path.write_text(text.replace("/usr/local/bin/ess", "/bin/true"))
    return path


@check
def the_unit_is_valid():
    with tempfile.TemporaryDirectory() as folder:
        said = run("systemd-analyze", "verify", unit_directory(folder))
    assert not said.strip(), said


@check
def the_unit_is_as_hardened_as_the_guide_says():
    with tempfile.TemporaryDirectory() as folder:
        said = run("systemd-analyze", "security", "--offline=yes", unit_directory(folder))
    level = said.split("Overall exposure level for ess.service: ")[1].split()[0]
    guide = (ROOT / "docs/operate/security.md").read_text()
    assert f"exposure level {level} " in guide, f"the guide has another figure than {level}"
    assert float(level) < 2


@check
def the_unit_allows_what_ess_does():
    allowed = set()
    for line in UNIT.read_text().splitlines():
        if not line.startswith("SystemCallFilter="):
            continue
        words = line.split("=")[1]
        named = set()
        for group in words.removeprefix("~").split():
            named |= filter_of(group)
        allowed = allowed - named if words.startswith("~") else allowed | named
    # SQLite gives a journal the database's owner, when it is root.
    lacking = observed() - allowed - {"fchown"}
    assert not lacking, f"the unit refuses {sorted(lacking)}"


def filter_of(group):
    names = set()
    for line in run("systemd-analyze", "syscall-filter", group, "--no-pager").splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            names |= filter_of(word)
        elif word and not word.startswith("#"):
            names.add(word)
    return names


@check
def the_unit_waits_for_the_drain():
    text = UNIT.read_text()
    assert "TimeoutStopSec=30s" in text and "Restart=on-failure" in text and "DynamicUser=yes" in text


# What operators watch it with

WATCH = ROOT / "docs/operate"


def metrics():
    """Name and type of each metric, from the guide, which a test of the code compares with it."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", (WATCH / "metrics.md").read_text(), re.MULTILINE)
    assert len(rows) > 30, rows
    return dict(rows)


def check_names(expression):
    """Every metric in an expression of Prometheus' exists."""
    known = set()
    for name, kind in metrics().items():
        known |= {name + end for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    named = re.findall(r"\b(?:ess|process)_\w+", expression)
    assert named, f"an expression without a metric: {expression}"
    unknown = set(named) - known
    assert not unknown, f"{unknown} in {expression}"
    counters = {name for name, kind in metrics().items() if kind == "counter"}
    for name in named:
        # A counter says something by how fast it grows.
        grows = re.search(rf"(?:rate|increase)\({name}\b", expression)
        assert name not in counters or grows, f"{name} is a counter: {expression}"


def matches(schema, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.json"
        path.write_text(json.dumps(schema))
        run("check-jsonschema", "--schemafile", path, WATCH / name)


TEXT = {"type": "string", "minLength": 1}
# Prometheus' own: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
RULES = {
    "type": "object",
    "required": ["groups"],
    "additionalProperties": False,
    "properties": {
        "groups": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "rules"],
                "additionalProperties": False,
                "properties": {
                    "name": TEXT,
                    "rules": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["alert", "expr", "labels", "annotations"],
                            "additionalProperties": False,
                            "properties": {
                                "alert": {"type": "string", "pattern": "^Ess[A-Za-z]+$"},
                                "expr": TEXT,
                                "for": {"type": "string", "pattern": "^[0-9]+[smh]$"},
                                "labels": {
                                    "type": "object",
                                    "required": ["severity"],
                                    "properties": {"severity": {"enum": ["critical", "warning"]}},
                                },
                                "annotations": {
                                    "type": "object",
                                    "required": ["summary", "description"],
                                    "additionalProperties": False,
                                    "properties": {"summary": TEXT, "description": TEXT},
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


@check
def the_alerts_are_rules_about_metrics_that_exist():
    matches(RULES, "alerts.yaml")
    rules = [rule for group in load("docs/operate/alerts.yaml")["groups"] for rule in group["rules"]]
    names = [rule["alert"] for rule in rules]
    assert len(set(names)) == len(names) > 10, names
    for rule in rules:
        check_names(rule["expr"])
        texts = " ".join(rule["annotations"].values())
        for name in re.findall(r"\bess_[a-z_]+", texts):
            assert name in metrics(), f"{rule['alert']} speaks of {name}"
        for other in re.findall(r"\bEss\w+", texts):
            assert other in names, f"{rule['alert']} refers to {other}"
        for option in re.findall(r"--(\w[\w-]*)", texts):
            known = (ROOT / "docs/configuration.md").read_text() + "--ulimit"
            assert f"--{option}" in known, f"{rule['alert']} speaks of --{option}"


DATASOURCE = {
    "type": "object",
    "required": ["type", "uid"],
    "properties": {"type": {"const": "prometheus"}, "uid": {"const": "${datasource}"}},
}
WHERE = {
    "type": "object",
    "required": ["x", "y", "w", "h"],
    "properties": {
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "y": {"type": "integer", "minimum": 0},
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "h": {"type": "integer", "minimum": 1},
    },
}
# Of Grafana's dashboard model what an import needs.
DASHBOARD = {
    "type": "object",
    "required": ["title", "uid", "schemaVersion", "panels", "templating", "time"],
    "properties": {
        "title": TEXT,
        "uid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "panels": {
            "type": "array",
            "minItems": 10,
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos"],
                "properties": {"id": {"type": "integer"}, "title": TEXT, "gridPos": WHERE},
                "oneOf": [
                    {"properties": {"type": {"const": "row"}}},
                    {
                        "required": ["datasource", "targets", "fieldConfig", "options"],
                        "properties": {
                            "type": {"enum": ["timeseries", "stat"]},
                            "datasource": DATASOURCE,
                            "targets": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "object",
                                    "required": ["refId", "expr", "datasource"],
                                    "properties": {
                                        "refId": {"type": "string", "pattern": "^[A-Z]$"},
                                        "expr": TEXT,
                                        "datasource": DATASOURCE,
                                    },
                                },
                            },
                        },
                    },
                ],
            },
        },
    },
}


@check
def the_dashboard_loads_and_shows_metrics_that_exist():
    matches(DASHBOARD, "dashboard.json")
    dashboard = json.loads((WATCH / "dashboard.json").read_text())
    assert {"datasource", "instance"} == {one["name"] for one in dashboard["templating"]["list"]}
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels), "an id stands once"
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies on another"
        taken |= cells
        targets = panel.get("targets", [])
        assert len({target["refId"] for target in targets}) == len(targets), panel["title"]
        for target in targets:
            check_names(target["expr"])


# Documents


@check
def every_log_line_of_the_guide_is_in_the_code():
    guide = (ROOT / "docs/operate/README.md").read_text().split("### By log line")[1].split("\n## ")[0]
    rows = [line.split(" | ")[0] for line in guide.splitlines() if line.startswith("| `")]
    assert len(rows) > 20, rows
    code = "".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.rs")))
    # A text that goes on in the next line of the code.
    code = re.sub(r"\\\n\s+", "", code)
    # What the guide leaves out, the code fills in.
    code = re.sub(r"\{[^{}\n]*\}", "…", code)
    for row in rows:
        for line in re.findall(r"`([^`]+)`", row):
            for part in re.split("…|\\(…\\)", line):
                assert part.strip() in code, f"the code says nowhere {part.strip()!r} (of {line!r})"


@check
def every_link_of_the_documents_leads_somewhere():
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    for path in texts:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert "://" in target or (path.parent / target).exists(), f"{path}: {target}"


# Scripts and workflows


@check
def the_scripts_are_clean():
    scripts = [".ci/run", "deploy/seccomp/observe"]
    for path in sorted((ROOT / "tests").glob("*/*")):
        if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash"):
            scripts.append(str(path))
    run("shellcheck", *scripts)


@check
def the_workflows_are_valid():
    schema = "--builtin-schema"
    run("check-jsonschema", schema, "vendor.github-workflows", *(ROOT / ".github/workflows").glob("*"))
