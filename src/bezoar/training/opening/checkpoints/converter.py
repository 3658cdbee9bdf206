"""Run as a process of its own: loads an examined checkpoint and writes its tensors as safetensors.

Imports nothing of bezoar, so that it starts fast and has little to offer. Limits are set once torch is there and
before the file is touched; they and the alarm end the process whatever happens to the one that started it.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from contextlib import suppress
from typing import Any

SOURCE, RESULT = "checkpoint.pt", "weights.safetensors"
FORBIDDEN = (
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.kill", "os.remove",
    "os.rename", "os.putenv", "subprocess.", "socket.", "ctypes.", "pty.", "webbrowser.", "urllib.", "shutil.",
)  # fmt: skip
"""What Python itself reports of processes, network and files done away with; loading weights needs none of it."""


def limit(memory: int, file: int, seconds: int) -> None:
    """Limit what this process may take from now on: bytes of memory and of a file, seconds; nothing where unknown."""
    try:
        import resource
        import signal
    except ImportError:  # no such limits on Windows; the one who started this ends it in time
        return
    signal.alarm(seconds)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: int(time.process_time()) + 1 + seconds,
        resource.RLIMIT_FSIZE: file,
        resource.RLIMIT_NOFILE: 64,
    }
    with suppress(OSError), open("/proc/self/statm", encoding="ascii") as sizes:  # noqa: PTH123
        limits[resource.RLIMIT_AS] = int(sizes.read().split()[0]) * resource.getpagesize() + memory
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (lower, lower))


def forbid() -> None:
    """Make Python end any attempt to start a process, reach the network or do away with files, for good."""

    def watch(event: str, _: object) -> None:
        if event.startswith(FORBIDDEN):
            raise PermissionError(f"{event} is forbidden while a checkpoint is loaded")

    sys.addaudithook(watch)


def convert(keys: list[str]) -> None:
    """Load the tensors under `keys` of the checkpoint and write them, each contiguous and on its own."""
    import torch
    from safetensors.torch import save_file

    torch.serialization.clear_safe_globals()
    held: Any = torch.load(SOURCE, map_location="cpu", weights_only=True)
    for key in keys:
        held = held[key]
    tensors = {
        name: value.detach().contiguous().clone()
        for name, value in held.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    save_file(tensors, RESULT)


def main() -> None:
    """Carry out the order on the command line; a failure is one line on stderr and exit code 3."""
    order = json.loads(sys.argv[1])
    sys.path.extend(order["packages"])
    warnings.simplefilter("ignore")
    try:
        import safetensors.torch  # noqa: F401
        import torch

        torch.set_num_threads(1)
        limit(order["memory"], order["file"], order["seconds"])
        forbid()
        convert(order["keys"])
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's file provokes ends here
        cause = error.__context__ or error  # torch wraps what happened in a page of advice
        first = (str(cause).splitlines() or [""])[0]
        sys.stderr.write(f"\n{type(cause).__name__}: {first[:300]}\n")
        sys.exit(3)


if __name__ == "__main__":
    main()
