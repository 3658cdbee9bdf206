"""Which number format to train in, decided by asking the processor, never by timing it.

Timing would make the choice, and with it the trained weights, depend on what else the machine does.
"""

from __future__ import annotations

from typing import Literal

import torch

from bezoar.errors import UsageError

Precision = Literal["auto", "float32", "bfloat16"]


def choose_precision(device: torch.device, wanted: Precision = "auto") -> torch.dtype:
    """The dtype for matrix work on `device`: bfloat16 where the hardware multiplies it natively.

    Raises UsageError for an unknown name.
    """
    if wanted == "float32":
        return torch.float32
    if wanted == "bfloat16":
        return torch.bfloat16
    if wanted != "auto":
        raise UsageError("unknown precision", expected="auto, float32 or bfloat16", found=str(wanted))
    return torch.bfloat16 if has_native_bfloat16(device) else torch.float32


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 in hardware. An emulated bfloat16 is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def choose_device(wanted: str = "auto") -> torch.device:
    """`auto` is the first GPU when there is one, else the processor. Raises UsageError for an absent device."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"the device {wanted!r} cannot be used here",
            expected="auto, cpu, or cuda on a machine that has one",
            found=str(error).splitlines()[0],
        ) from error
    return device
