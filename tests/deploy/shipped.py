"""Checks of what is shipped beside the binary: image, compose file, seccomp profile, unit, scripts."""

import json
import re
import tempfile
from pathlib import Path

import yaml
from harness import ROOT, Skipped, check, run

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


def binary():
    found = [ROOT / "target" / kind / "ess" for kind in ("release", "debug")]
    found = sorted((path for path in found if path.exists()), key=lambda path: -path.stat().st_mtime)
    if not found:
        raise Skipped("no ess is built")
    return found[0]


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
