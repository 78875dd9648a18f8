"""Runs a command in namespaces of its own, where nobody installed bubblewrap: `namespaces.py VIEW COMMAND...`.

The command is process 1 of its pid namespace, so that all it started ends with it; it has no network, and a file
system of `VIEW["visible"]`, read-only, with one folder `/work` to write into. Its user is mapped to nobody, which
bounds its processes also where root starts it, and keeps it from making namespaces in turn. A filter refuses system
calls that namespaces do not hold. Standard library only, no
import of this package: it is started with `-I -S`. Linux 5.14 or later.
"""
# pathlib takes longer to import than all that is done here.
# ruff: noqa: PTH102, PTH103, PTH106, PTH112, PTH114, PTH115, PTH120, PTH123, PTH211

import ctypes
import json
import os
import signal
import sys

_NS, _UTS, _IPC, _USER, _PID, _NET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_READ_ONLY = 1
_DETACH = 2
_RECURSIVE, _HERE, _MOUNT_SETATTR = 0x8000, -100, 442
_PDEATHSIG, _NO_NEW_PRIVILEGES, _SECCOMP = 1, 38, 22
_FILTER_MODE = 2
_NOBODY = 65534
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user_namespace")]


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}{arguments}: {os.strerror(error)}")


def _mount(what: str, where: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [text.encode() if text else None for text in (kind, data)]
    _call("mount", what.encode(), where.encode(), encoded[0], ctypes.c_ulong(flags), encoded[1])


def _read_only(where: str) -> None:
    attributes = _MountAttributes(_READ_ONLY | _NOSUID | _NODEV)
    _call("syscall", _MOUNT_SETATTR, _HERE, where.encode(), _RECURSIVE, ctypes.byref(attributes), 32)


def _map_user() -> None:
    """Become the same user in a user namespace, where anybody may mount."""
    user, group = os.getuid(), os.getgid()
    _call("unshare", _USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _new_root(visible: list[str], size: int, files: int) -> None:
    """Make a file system of the visible folders and a bounded `/work`, and leave the old one."""
    bounded = f"size={size},nr_inodes={files}"
    _mount("none", "/", None, _REC | _PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
    os.mkdir("/tmp/.old")
    _call("pivot_root", b"/tmp", b"/tmp/.old")
    os.chdir("/")
    for path in visible:
        _show(path)
    os.mkdir("/dev")
    for path in _DEVICES:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        _mount("/.old" + path, path, None, _BIND)
    os.mkdir("/work")
    _call("umount2", b"/.old", _DETACH)
    os.rmdir("/.old")
    attributes = _MountAttributes(_READ_ONLY)
    _call("syscall", _MOUNT_SETATTR, _HERE, b"/", 0, ctypes.byref(attributes), 32)
    _mount("tmpfs", "/work", "tmpfs", _NOSUID | _NODEV, f"{bounded},mode=777")
    os.chdir("/work")


def _show(path: str) -> None:
    old = "/.old" + path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(old):  # /lib is a link on most systems
        os.symlink(os.readlink(old), path)
        return
    if os.path.isdir(old):
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    _mount(old, path, None, _BIND | _REC)
    _read_only(path)


def _drop_privileges(root: bool) -> None:
    """Become a user without a name, rights or a way to either. What limits processes does not bind root."""
    if root:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    _call("unshare", _USER)  # not mapped: it counts its own processes, and may not make namespaces
    _call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _die_with_parent()  # last: a change of user forgets it


def _die_with_parent() -> None:
    _call("prctl", _PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def _refuse(code: bytes) -> None:
    """Have the kernel refuse system calls; what this process starts is bound too."""
    program = _Program(len(code) // 8, code)
    _call("prctl", _SECCOMP, _FILTER_MODE, ctypes.byref(program), 0, 0)


def main() -> None:
    """Run the command and end as it ends."""
    view, command = json.loads(sys.argv[1]), sys.argv[2:]
    root = os.geteuid() == 0
    _die_with_parent()
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where memory runs out in spite of all, this goes first
    if not root:
        _map_user()
        _die_with_parent()
    _call("unshare", _NS | _UTS | _IPC | _PID | _NET)
    if process := os.fork():
        os._exit(abs(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])))
    _new_root(view["visible"], view["size"], view["files"])
    _drop_privileges(root)
    _refuse(bytes.fromhex(view["filter"]))
    os.execve(command[0], command, {})


if __name__ == "__main__":
    main()
