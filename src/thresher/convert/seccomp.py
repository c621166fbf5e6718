"""A seccomp filter (Linux, x86_64 and aarch64) that refuses what no converter needs: `EPERM`, and the process goes on.

A list of what is refused, not of what is allowed: libraries and libcs differ in what they call, and none of them has
business with these. No network of any kind, no other program or process, no way around the other limits.
Source: linux/seccomp.h, linux/filter.h and the kernel's tables of system calls.
"""

import ctypes
import os
import struct
import sys

# (x86_64, aarch64); None where the architecture does not have it.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # the network, and handing descriptors over
    "socket": (41, 198), "socketpair": (53, 199), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "connect": (42, 203), "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212),
    "accept4": (288, 242), "recvmmsg": (299, 243), "sendmmsg": (307, 269),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # other programs and processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "process_madvise": (440, 440),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    # memory that the cap on the address space does not see
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "userfaultfd": (323, 282),
    # the limits themselves, and the machine
    "setrlimit": (160, 164), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265), "bpf": (321, 280), "perf_event_open": (298, 241), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
}  # fmt: skip
_PAIR, _AF_UNIX = "socketpair", 1
_CLONE, _CLONE3, _KILL, _TGKILL, _PRLIMIT = (56, 220), (435, 435), (62, 129), (234, 131), (302, 261)
_SECCOMP = (317, 277)

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # the column above; AUDIT_ARCH_*
_X32 = 0x40000000  # system calls of another ABI, on x86_64, under numbers from here on
_CLONE_THREAD = 0x10000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|..., BPF_RET
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = _ERRNO | 1, _ERRNO | 38
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; an argument's low half comes first

_SET_MODE_FILTER, _ALL_THREADS = 1, 1

_Step = tuple[int, int, int, int]  # code, jump if true, jump if false, k


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict(libc: ctypes.CDLL, *, pairs: bool = False) -> bool:
    """Refuse them to every thread of this process from now on. False where the kernel or the machine cannot.

    With `pairs`, two sockets that are connected to one another may be made (AF_UNIX). Threads may still be started, signals be sent to this process itself. Needs no_new_privs.
    """
    machine = os.uname().machine
    if machine not in _MACHINES or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    column, arch = _MACHINES[machine]
    steps = _filter(column, arch, pairs=pairs)
    packed = b"".join(struct.pack("<HBBI", *step) for step in steps)
    program = _Program(len(steps), packed)
    return bool(libc.syscall(_SECCOMP[column], _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


def _filter(column: int, arch: int, *, pairs: bool) -> list[_Step]:
    steps: list[_Step] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if column == 0:
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _EPERM)]
    if pairs:
        steps += _unless(REFUSED[_PAIR][column] or 0, 0, _EQUAL, _AF_UNIX)
    for numbers in REFUSED.values():
        if (number := numbers[column]) is not None:
            steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    # Its flags are in memory, where a filter cannot look; without it libc uses clone.
    steps += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _ENOSYS)]
    steps += _unless(_CLONE[column], 0, _ANY_BIT, _CLONE_THREAD)
    for number in (_KILL[column], _TGKILL[column]):
        steps += _unless(number, 0, _EQUAL, os.getpid())
    steps += _unless(_PRLIMIT[column], 2, _EQUAL, 0)  # no new limits: to ask is free
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _unless(number: int, argument: int, test: int, value: int) -> list[_Step]:
    """Refuse `number` unless the argument passes the test; its upper half has to be zero."""
    low = _ARGUMENTS + 8 * argument
    return [
        (_EQUAL, 0, 6, number),
        (_LOAD, 0, 0, low + 4),
        (_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, low),
        (test, 0, 1, value),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    ]
