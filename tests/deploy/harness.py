"""What the checks of tests/deploy/run stand on: a check is a function that raises when something is
wrong."""

import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/deploy"

CHECKS = []


class Skipped(Exception):
    """What a check needs is not there."""


def check(function):
    """Makes a function a check."""
    CHECKS.append(function)
    return function


def run(*command, fails=False, **environment):
    """Runs a program to its end and returns what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible/ansible.cfg"), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    if (done.returncode != 0) != fails:
        raise AssertionError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def binary():
    """The ess that was built last."""
    found = [ROOT / "target" / kind / "ess" for kind in ("release", "debug")]
    found = sorted((path for path in found if path.exists()), key=lambda path: -path.stat().st_mtime)
    if not found:
        raise Skipped("no ess is built")
    return found[0]


def load(name):
    return yaml.safe_load((ROOT / name).read_text())
