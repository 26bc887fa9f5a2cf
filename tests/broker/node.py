"""Private RabbitMQ nodes: own folder, ports, name, cookie and epmd; they leave nothing behind.

    folder/                 temporary, removed at the end
      .erlang.cookie        HOME of the node and of rabbitmqctl is this folder
      rabbitmq.conf, enabled_plugins
      data/                 what survives a kill and a new start
      log/node.log, log/out.log

Nothing of the machine's own RabbitMQ is read or written: neither /etc/rabbitmq nor /var/lib/rabbitmq
nor a running epmd. The name is `…@localhost`, so no host name has to resolve. Every process dies with
this one (PR_SET_PDEATHSIG), also when it is killed with -9. It works for root and for any other user.

The nodes of a cluster share the cookie and the epmd of the first, and its ports for clients: each
listens, and wants to be reached, at an address of its own (127.0.0.1, 127.0.0.2, …).
"""

import ctypes
import os
import random
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS_MAX = 180  # ten times what an idle machine with two cores needs
STOP_SECONDS_MAX = 60
PAUSE_SECONDS = 0.05
FIRST_PORT = 10_000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
BOOTED = "Server startup complete"  # the last line of a start; `rabbitmqctl await_startup` then passes
AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
LIBC = ctypes.CDLL(None, use_errno=True)


PROCESSES: list[subprocess.Popen] = []  # all that were started here
PROMISED: list[socket.socket] = []  # a name for each port that a node here has or will have


class Failed(Exception):
    """What went wrong, for a person."""


class Node:
    """One node; `start`, `kill`, `stop` as often as wanted, `end` once."""

    def __init__(self, tls: Path | None, settings: list[str], plugins: list[str], wanted,
                 first: "Node | None" = None, host: str = "127.0.0.1") -> None:
        """`wanted` is asked during waits; once it is false, a start is given up. `first` is the
        first node of the cluster that this one is of."""
        self.wanted = wanted
        self.scripts = scripts()
        self.folder = Path(tempfile.mkdtemp(prefix="ess-broker-"))
        self.name = f"ess{secrets.token_hex(6)}@localhost"
        self.first = first
        self.host = host
        names = ["amqp", "stream", "dist", "epmd"] + (["amqps", "stream_tls"] if tls else [])
        self.ports = first.ports | free_ports(["dist"]) if first else free_ports(names)
        self.epmd: subprocess.Popen | None = None
        self.server: subprocess.Popen | None = None
        self.log = self.folder / "log/node.log"
        self.output = self.folder / "log/out.log"
        for name in ("data", "log"):
            (self.folder / name).mkdir()
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(first.cookie() if first else secrets.token_hex(16))
        cookie.chmod(0o400)
        lines = settings_of(self.ports, tls, host) + settings
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        plugins = ["rabbitmq_stream", *plugins]
        (self.folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        # Whatever a killed server leaves becomes a child of this process, which can end it.
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def cookie(self) -> str:
        """What the nodes of a cluster know each other by."""
        return (self.folder / ".erlang.cookie").read_text()

    def environment(self) -> dict[str, str]:
        """Of the node and of rabbitmqctl; nothing else of the caller's gets through."""
        home = str(self.folder)
        return {
            "PATH": os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": home,
            "ERL_CRASH_DUMP": f"{home}/log/crash.dump",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.ports["epmd"]),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self.ports["dist"]),
            # Any port: rabbitmqctl's usual range has room for eleven at a time on a machine.
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/none",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/none.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_BASE": home,
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/generated",
            "RABBITMQ_SCHEMA_DIR": f"{home}/schema",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_LOGS": str(self.log),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
            # Once the node is gone, rabbitmqctl would start an epmd that nobody ends.
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false",
            # Makes the script become the node instead of waiting for it.
            "detached": "yes",
        }

    def start(self) -> None:
        """Starts the node and waits until clients are served on every port."""
        self.await_start(self.begin())

    def begin(self) -> int:
        """Starts the node. Answers what `await_start` takes."""
        if self.epmd is None and self.first is None:
            port = self.ports["epmd"]
            command = [program("epmd"), "-port", str(port), "-address", "127.0.0.1"]
            self.epmd = self.spawn(command)
            self.wait("epmd", self.epmd, lambda: answers("127.0.0.1", port))
        seen = self.log.stat().st_size if self.log.exists() else 0
        self.server = self.spawn([str(self.scripts / "rabbitmq-server")])
        return seen

    def await_start(self, seen: int) -> None:
        """Waits until clients are served."""
        self.wait("the node", self.server, lambda: self.booted(seen) and self.serves())

    def booted(self, seen: int) -> bool:
        """Whether the log says so in what was written behind `seen` bytes."""
        try:
            with self.log.open("rb") as log:
                log.seek(seen)
                return BOOTED.encode() in log.read()
        except FileNotFoundError:
            return False

    def serves(self) -> bool:
        """Whether clients get an answer: AMQP's first frame, and a connection elsewhere."""
        others = [port for name, port in self.ports.items() if name not in ("amqp", "epmd", "dist")]
        try:
            with socket.create_connection((self.host, self.ports["amqp"]), timeout=5) as peer:
                peer.sendall(AMQP_GREETING)
                served = peer.recv(1) == b"\x01"
                return served and all(answers(self.host, port) for port in others)
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9, with all that the node started."""
        if self.server is not None:
            self.wait("the first stream", self.server, self.knows_its_streams)
        self.cut()

    def cut(self) -> None:
        """kill -9 as things are."""
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None
        self.sweep()

    def knows_its_streams(self) -> bool:
        """Whether a node that is killed now would have its streams when it is back.

        RabbitMQ 3.10 writes down that it has a stream coordinator half a second after the first
        declaration; killed before, it never serves any of its streams again.
        """
        data = self.folder / "data" / self.name
        names = data / "coordination" / self.name / "names.dets"
        return not any(data.glob("stream/*")) or b"rabbit_stream_coordinator" in names.read_bytes()

    def stop(self) -> None:
        """In order: SIGTERM, as a service manager does it."""
        if self.server is not None:
            self.server.terminate()
            try:
                self.server.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.cut()
                raise Failed(f"the node did not stop within {STOP_SECONDS_MAX} s; killed") from None
            self.server = None
        self.sweep()

    def end(self) -> None:
        """Ends everything that was started and removes the folder, without waiting for anything."""
        if self.epmd is not None:
            self.epmd.kill()
            self.epmd.wait()
            self.epmd = None
        self.cut()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Kills and reaps what nodes left behind: their port programs, now children of ours."""
        kept = {process.pid for process in PROCESSES if process.poll() is None}
        while left := children() - kept:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except (ProcessLookupError, ChildProcessError):
                    pass

    def spawn(self, command: list[str]) -> subprocess.Popen:
        """A child in a session of its own, that dies with this process."""
        ours = os.getpid()

        def prepare() -> None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != ours:
                os._exit(1)
            # A node with the usual soft limit of 1,024 refuses connections early.
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        with self.output.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True, preexec_fn=prepare,
            )
        PROCESSES.append(process)
        return process

    def wait(self, what: str, process: subprocess.Popen, so) -> None:
        """Looks until it is so, and gives up when the process ends."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not so():
            if process.poll() is not None:
                raise Failed(f"{what} ended with {process.returncode}\n{self.tail()}")
            if not self.wanted():
                raise Failed(f"nobody waits for {what} any more")
            if time.monotonic() > deadline:
                raise Failed(f"{what} isn't ready after {START_SECONDS_MAX} s\n{self.tail()}")
            time.sleep(PAUSE_SECONDS)

    def tail(self) -> str:
        """The end of what the node said."""
        text = ""
        for path in (self.output, self.log):
            if path.exists():
                text += f"--- {path} ---\n"
                text += "\n".join(path.read_text(errors="replace").splitlines()[-60:]) + "\n"
        return text


def cluster(count: int, tls: Path | None, settings: list[str], plugins: list[str], wanted,
            nodes: list[Node]) -> None:
    """Starts so many nodes at the same time, that find each other; `nodes` gets them."""
    while len(nodes) < count:
        host = f"127.0.0.{1 + len(nodes)}"
        nodes.append(Node(tls, settings, plugins, wanted, nodes[0] if nodes else None, host))
    lines = ["cluster_formation.peer_discovery_backend = classic_config"]
    lines += [f"cluster_formation.classic_config.nodes.{number} = {node.name}"
              for number, node in enumerate(nodes, 1)]
    for node in nodes if count > 1 else []:
        advertised = [f"stream.advertised_host = {node.host}",
                      f"stream.advertised_port = {node.ports['stream']}"]
        with (node.folder / "rabbitmq.conf").open("a") as conf:
            conf.write("\n".join(lines + advertised) + "\n")
    seen = [node.begin() for node in nodes]
    for node, seen in zip(nodes, seen):
        node.await_start(seen)


def settings_of(ports: dict[str, int], tls: Path | None, host: str) -> list[str]:
    """What rabbitmq.conf says (RabbitMQ 3.10, `rabbit.schema` and `rabbitmq_stream.schema`)."""
    lines = [
        f"listeners.tcp.1 = {host}:{ports['amqp']}",
        f"stream.listeners.tcp.1 = {host}:{ports['stream']}",
        # Tests also come from other addresses.
        "loopback_users = none",
        # Small disks of CI machines are not what is under test.
        "disk_free_limit.absolute = 1MB",
        "log.file.level = info",
    ]
    if tls is not None:
        lines += [
            f"listeners.ssl.1 = {host}:{ports['amqps']}",
            f"stream.listeners.ssl.1 = {host}:{ports['stream_tls']}",
            f"ssl_options.cacertfile = {tls}/ca.pem",
            f"ssl_options.certfile = {tls}/server.pem",
            f"ssl_options.keyfile = {tls}/server-key.pem",
            "ssl_options.verify = verify_peer",
            "auth_mechanisms.1 = PLAIN",
            "auth_mechanisms.2 = AMQPLAIN",
            "auth_mechanisms.3 = EXTERNAL",
            "ssl_cert_login_from = common_name",
        ]
    return lines


def scripts() -> Path:
    """The folder of RabbitMQ's own scripts; distributions put wrappers on PATH that change user."""
    found = shutil.which("rabbitmq-server")
    folders = [Path("/usr/lib/rabbitmq/bin"), Path("/opt/rabbitmq/sbin")]
    folders += [Path(found).resolve().parent] if found else []
    for folder in folders:
        if (folder / "rabbitmq-server").exists() and (folder / "rabbitmq-env").exists():
            return folder
    raise Failed("rabbitmq-server is not installed; `.ci/run` installs it, or: apt-get install "
                 "rabbitmq-server")


def program(name: str) -> str:
    """A program on PATH."""
    found = shutil.which(name)
    if found is None:
        raise Failed(f"{name} is not on PATH; it comes with Erlang, which rabbitmq-server needs")
    return found


def free_ports(names: list[str]) -> dict[str, int]:
    """A free port each, below those that the kernel gives to clients: a node that is started again
    must find its own ports free. Until a node listens there, and while it is killed, a port is kept
    from others that run this by a name, which the kernel takes back with this process."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as text:
        end = int(text.read().split()[0])
    first = FIRST_PORT if end > FIRST_PORT + 1_000 else 1_025
    ports: dict[str, int] = {}
    with_sockets = []
    while len(ports) < len(names):
        port = random.SystemRandom().randrange(first, max(end, first + 1_000))
        peer, name = socket.socket(), socket.socket(socket.AF_UNIX)
        with_sockets.append(peer)
        try:
            name.bind(f"\0ess-broker-port-{port}")
            peer.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        PROMISED.append(name)
        ports[names[len(ports)]] = port
    for peer in with_sockets:
        peer.close()
    return ports


def answers(host: str, port: int) -> bool:
    """Whether somebody accepts there."""
    try:
        socket.create_connection((host, port), timeout=5).close()
        return True
    except OSError:
        return False


def children() -> set[int]:
    """This process' children."""
    with open(f"/proc/self/task/{os.getpid()}/children") as text:
        return {int(pid) for pid in text.read().split()}
