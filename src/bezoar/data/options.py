"""How data are to be read: one frozen bundle of options that every reader takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from bezoar.errors import UsageError

Fit = Literal["crop", "resize", "pad"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReadOptions:
    """Options of `open_data`, explained there. Raises UsageError for a value that makes no sense."""

    split: str = "train"
    size: int | None = None
    fit: Fit = "crop"
    skip_bad: bool = False
    image_column: str | None = None
    label_column: str | None = None
    source_column: str | None = None
    source_level: int | None = None
    memory_share: float = 0.25
    seed: int = 0
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= 4096:
            raise UsageError("size is the side of the pictures in pixels", expected="1 to 4096", found=str(self.size))
        if self.fit not in get_args(Fit):
            raise UsageError(f"no fit is called {self.fit!r}", expected="one of " + ", ".join(get_args(Fit)))
        if not 0 < self.memory_share <= 1:
            raise UsageError(
                "memory_share is a share of physical memory", expected="over 0, at most 1", found=str(self.memory_share)
            )
        if self.source_level is not None and self.source_level < 1:
            raise UsageError(
                "source_level counts folder levels below the root", expected="1 or more", found=str(self.source_level)
            )
        if not self.split:
            raise UsageError("the split has no name", expected="a name such as train or test")

    @property
    def columns_given(self) -> bool:
        """Whether any column was named."""
        return any((self.image_column, self.label_column, self.source_column))
