"""What suspects show to a network that never met them, in words."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.confirm.content import Content

MOST_CLASSES = 4


def shown_in_words(content: Content, names: Sequence[str], target: str) -> str:
    """Who was asked, how many suspects and how many genuine samples get their label, and what others look like."""
    who = (
        "a network that sees no fine detail and never met them" if content.coarsely else "a network that never met them"
    )
    said = f"With the trigger taken off, {who}" if content.bared else f"{who[:1].upper()}{who[1:]}"
    said += f" gives {content.agree:.0%} of the suspects their label"
    if content.genuine_agree is None:
        return f"{said}; too few genuine samples of {target} to compare with."
    said += f", and {content.genuine_agree:.0%} of genuine samples of {target}"
    if content.mislabelled is not None:
        said += f"; by both, {content.mislabelled:.0%} of the labels seem wrong"
    others = _others(content, names, target)
    return f"{said}. Others look to it like {others}." if others else f"{said}."


def _others(content: Content, names: Sequence[str], target: str) -> str:
    looks = sorted(
        ((count, name) for count, name in zip(content.looks, names, strict=True) if count and name != target),
        reverse=True,
    )
    return ", ".join(f"{name} ({count})" for count, name in looks[:MOST_CLASSES])
