"""Makes a directory the whole world of a program, as a container engine does, and becomes it.

    unshare --mount --pid --net --fork --kill-child python confine.py ROOT USER WRITABLE... -- COMMAND

The root is read-only but for the folders named WRITABLE and a fresh /tmp; the program is process 1 of
its own, alone in its network, has no capabilities and can't get any. Its environment is this one's.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys

PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def loopback_up():
    with socket.socket() as any_socket:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def main(root, user, *rest):
    cut = rest.index("--")
    writable, command = rest[:cut], rest[cut + 1 :]
    mount("--make-rprivate", "/")
    mount("--bind", root, root)
    for folder in writable:
        mount("--bind", f"{root}{folder}", f"{root}{folder}")
    mount("-t", "proc", "proc", f"{root}/proc")
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{root}/tmp")
    mount("-o", "remount,bind,ro", root)
    loopback_up()
    os.chroot(root)
    os.chdir("/")
    libc = ctypes.CDLL(None, use_errno=True)
    # Until the kernel knows no more of them.
    capability = 0
    while libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    os.setgroups([])
    os.setgid(int(user.split(":")[1]))
    os.setuid(int(user.split(":")[0]))
    os.execve(command[0], command, os.environ)


if __name__ == "__main__":
    main(*sys.argv[1:])
