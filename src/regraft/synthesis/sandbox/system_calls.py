"""Which system calls a program in an isolation may not make: a filter for the kernel (seccomp, classic BPF).

Namespaces keep files, processes and networks of others away. They do not keep away what has none: the keys of the
user, sockets to the host of a virtual machine, memory that no limit counts, and the reach into another process, which
is the supervisor's. These calls fail with EPERM; all others are allowed.
"""

import struct
from dataclasses import dataclass

from regraft.core import RegraftError

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # EPERM is 1
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000
"""Numbers from here on are calls of another kind on x86-64."""
_FAMILIES = (1, 2, 10, 16)
"""Of sockets: local, IPv4, IPv6 and netlink, all of which a network namespace holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    audit: int
    socket: int
    refused: dict[str, int]


_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        socket=41,
        refused={
            "ptrace": 101,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "pidfd_getfd": 438,
            "shmget": 29,
            "shmat": 30,
            "semget": 64,
            "msgget": 68,
            "memfd_create": 319,
            "memfd_secret": 447,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "bpf": 321,
            "perf_event_open": 298,
            "userfaultfd": 323,
            "io_uring_setup": 425,
            "mount": 165,
            "umount2": 166,
            "pivot_root": 155,
            "chroot": 161,
            "unshare": 272,
            "setns": 308,
            "open_by_handle_at": 304,
            "open_tree": 428,
            "move_mount": 429,
            "fsopen": 430,
        },
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        socket=198,
        refused={
            "ptrace": 117,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "pidfd_getfd": 438,
            "shmget": 194,
            "shmat": 196,
            "semget": 190,
            "msgget": 186,
            "memfd_create": 279,
            "memfd_secret": 447,
            "add_key": 217,
            "request_key": 218,
            "keyctl": 219,
            "bpf": 280,
            "perf_event_open": 241,
            "userfaultfd": 282,
            "io_uring_setup": 425,
            "mount": 40,
            "umount2": 39,
            "pivot_root": 41,
            "chroot": 51,
            "unshare": 97,
            "setns": 268,
            "open_by_handle_at": 265,
            "open_tree": 428,
            "move_mount": 429,
            "fsopen": 430,
        },
    ),
}


def system_call_filter(machine: str) -> bytes:
    """Return the filter for a machine (`platform.machine()`), as the kernel and bubblewrap take it.

    Raises:
        RegraftError: the numbers of its system calls are not known here.
    """
    known = _MACHINES.get(machine)
    if known is None:
        raise RegraftError(f"There is no filter of system calls for {machine}, only for {', '.join(_MACHINES)}.")
    code = [
        *(_one(_LOAD, _ARCHITECTURE), _one(_EQUAL, known.audit, 1, 0), _one(_RETURN, _KILL)),
        *(_one(_LOAD, _NUMBER), _one(_AT_LEAST, _X32, 0, 1), _one(_RETURN, _REFUSE)),
    ]
    for number in known.refused.values():
        code += [_one(_EQUAL, number, 0, 1), _one(_RETURN, _REFUSE)]
    families = [_one(_EQUAL, family, len(_FAMILIES) - place, 0) for place, family in enumerate(_FAMILIES)]
    code += [_one(_EQUAL, known.socket, 0, len(_FAMILIES) + 2), _one(_LOAD, _FIRST_ARGUMENT)]
    code += [*families, _one(_RETURN, _REFUSE), _one(_RETURN, _ALLOW)]
    return b"".join(code)


def _one(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return an instruction; jumps are so many instructions further."""
    return struct.pack("<HBBI", operation, if_true, if_false, value)
