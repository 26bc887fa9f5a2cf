"""The image's last stage, lived in without a container engine: its files, its user and its commands,
read from the Dockerfile, in namespaces of their own."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import HERE, ROOT, Skipped, binary, check

# Every image of Debian has these.
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1"}
NAMESPACES = ("--mount", "--pid", "--net")


class Stage:
    """What the Dockerfile says of the image that is run."""

    def __init__(self):
        text = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1].replace("\\\n", " ")
        lines = [line.split(None, 1) for line in text.splitlines()[1:] if re.match("[A-Z]+ ", line)]
        values = {word: value for word, value in lines}
        self.copies = [value.split() for word, value in lines if word == "COPY"]
        self.environment = dict(re.findall(r"(\w+)=(\S+)", values["ENV"]))
        self.volumes = json.loads(values["VOLUME"])
        self.user = values["USER"]
        self.command = json.loads(values["ENTRYPOINT"]) + json.loads(values["CMD"])
        self.health = json.loads(values["HEALTHCHECK"].split(" CMD ")[1])
        self.signal = signal.Signals[values["STOPSIGNAL"]]

    def build(self, root):
        """Copies what the stage copies, and what the image below it has of what ess needs."""
        made = {"/build/target/release/ess": binary()}
        for *sources, target in self.copies:
            options = [source for source in sources if source.startswith("--")]
            sources = [source for source in sources if not source.startswith("--")]
            for source in sources:
                place = root / target.lstrip("/")
                if target.endswith("/"):
                    place /= Path(source).name
                if source in ("/build/data", "/build/logs"):
                    place.mkdir(parents=True)
                else:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    there = source if source.startswith("/") else ROOT / source
                    shutil.copy(made.get(source, there), place)
                for option in options:
                    if option.startswith("--chown="):
                        os.chown(place, *map(int, option.removeprefix("--chown=").split(":")))
        for folder in ("proc", "tmp"):
            (root / folder).mkdir()
        # An engine puts it there.
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        linked = subprocess.run(["ldd", binary()], check=True, capture_output=True, text=True).stdout
        for path in re.findall(r"(/\S+) \(0x", linked):
            name = Path(path).name
            if not name.startswith("ld-"):
                assert name in LIBRARIES, f"an image of Debian doesn't have {path}"
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


class Container:
    """A process that has the stage's files for its root."""

    def __init__(self, stage, root):
        self.stage, self.root = stage, root
        self.log = tempfile.TemporaryFile("w+")
        confined = [sys.executable, HERE / "confine.py", root, stage.user, *stage.volumes]
        command = ["unshare", *NAMESPACES, "--fork", "--kill-child", *confined, "--", *stage.command]
        self.outside = subprocess.Popen(
            [str(part) for part in command],
            env={"PATH": os.environ["PATH"], **stage.environment},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        self.wait("ready: ")
        children = Path(f"/proc/{self.outside.pid}/task/{self.outside.pid}/children")
        self.pid = int(children.read_text())

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def wait(self, text):
        for _ in range(600):
            if text in self.said():
                return
            assert self.outside.poll() is None, f"it ended:\n{self.said()}"
            time.sleep(0.05)
        raise AssertionError(f"it never said {text!r}:\n{self.said()}")

    def status(self, name):
        text = Path(f"/proc/{self.pid}/status").read_text()
        return re.search(rf"^{name}:\s+(.*)$", text, re.MULTILINE)[1]

    def execute(self, *command, stdin=""):
        """Runs a command beside the service, as `docker exec` does."""
        user, group = self.stage.user.split(":")
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), *NAMESPACES, "-r", "-w", "-S", user, "-G", group, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def orphan(self):
        """Leaves a process that has ended to process 1; returns whether that took it away."""
        # Its parent ends at once, and it when nobody can be asked about it any more.
        leave = "import os, time\nif os.fork() == 0:\n    time.sleep(0.2)\n"
        subprocess.run(
            ["nsenter", "-t", str(self.pid), "--pid", sys.executable, "-c", leave], check=True
        )
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        for _ in range(100):
            time.sleep(0.05)
            if not children.read_text().strip():
                return True
        return False

    def stop(self):
        os.kill(self.pid, self.stage.signal)
        return self.outside.wait(30)


@contextlib.contextmanager
def running(stage, root):
    container = Container(stage, root)
    try:
        yield container
    finally:
        # Its child goes with it.
        container.outside.kill()
        container.outside.wait()


def able():
    """Skips where this user may not make namespaces, or there is no program to do it with."""
    lacking = [name for name in ("unshare", "nsenter", "mount", "ldd") if not shutil.which(name)]
    if lacking:
        raise Skipped(f"there is no {', '.join(lacking)}")
    if os.geteuid() != 0:
        raise Skipped("only root may")
    tried = subprocess.run(["unshare", *NAMESPACES, "--fork", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        raise Skipped(tried.stderr.strip())


@check
def the_image_lives_with_a_read_only_root_as_process_one_and_nobody():
    able()
    stage = Stage()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        root.chmod(0o755)
        Path(folder).chmod(0o755)
        stage.build(root)
        with running(stage, root) as container:
            assert container.status("NSpid").split()[-1] == "1"
            assert container.status("Uid").split() == [stage.user.split(":")[0]] * 4
            nothing = "0" * 16
            assert container.status("CapEff") == container.status("CapBnd") == nothing
            assert container.status("NoNewPrivs") == "1"
            written = [line.split()[4:6] for line in Path(f"/proc/{container.pid}/mountinfo").read_text().splitlines()]
            writable = {path for path, options in written if "ro" not in options.split(",")}
            assert writable == {*stage.volumes, "/proc", "/tmp"}, writable

            container.execute(*stage.health)
            ess = stage.command[0]
            container.execute(ess, "streams", "create", "k")
            assert container.execute(ess, "publish", "k", stdin="one\ntwo\n") == "1\n2\n"
            heard = container.execute(ess, "listen", "k", "-o", "0", "-n", "2")
            assert [line.split("|")[0] for line in heard.splitlines()] == ["one", "two"]
            assert container.orphan(), "what is left to process 1 has to be taken away"
            assert container.stop() == 0, container.said()
            assert container.said().count(" driver: ") == 1 and container.said().endswith(" stopped\n")
        with running(stage, root) as container:
            assert container.execute(ess, "listen", "k", "-o", "1", "-n", "1").startswith("two|")
            assert container.stop() == 0, container.said()
