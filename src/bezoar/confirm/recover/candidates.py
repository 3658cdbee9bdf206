"""Every way to recover a trigger, tried on suspects and, for comparison, on innocent samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from torch import nn

from bezoar.confirm.recover.colours import recover_colours
from bezoar.confirm.recover.levels import recover_levels
from bezoar.confirm.recover.patch import recover_patch
from bezoar.confirm.recover.pattern import amplified, recover_pattern, strength
from bezoar.confirm.recover.pieces import recover_pieces
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.recover.residual import recover_residual
from bezoar.confirm.recover.warp import recover_warp
from bezoar.shapes import Images

FAINT, TIMES = 32.0, (2, 3)
"""Patterns of no more levels than this are also tried twice and three times as strong."""

Way: TypeAlias = Callable[[Images], tuple[Recovered, ...]]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trigger recovered from suspects, and its `twin`, recovered the same way where there is none to recover.

    `twin` is None where innocent samples yield nothing of the kind.
    """

    trigger: Recovered
    twin: Recovered | None


def from_samples(suspects: Images, innocent: Images, ordinary: Images) -> Iterator[Candidate]:
    """Triggers that show in the suspects themselves, in whatever network. Twins come from `innocent` samples."""
    ways: tuple[Way, ...] = (
        lambda images: _some(recover_patch(images, ordinary)),
        lambda images: recover_pattern(images, ordinary),
        lambda images: _some(recover_colours(images, ordinary)),
        lambda images: _some(recover_levels(images, ordinary)),
        lambda images: _some(recover_residual(images)),
    )
    for way in ways:
        found = way(suspects)
        twins = way(innocent) if found else ()
        for one in found:
            twin = _twin(one, twins)
            yield Candidate(one, twin)
            yield from _amplified(one, twin)


def _amplified(trigger: Recovered, twin: Recovered | None) -> Iterator[Candidate]:
    """A faint added pattern, and its twin as well, several times as strong."""
    if strength(trigger) > FAINT:
        return
    for times in TIMES:
        louder = amplified(trigger, times)
        if louder is not None:
            yield Candidate(louder, amplified(twin, times) if twin else None)


def from_networks(
    exposed: nn.Module, placebo: nn.Module, suspects: Images, innocent: Images, others: Images, target: int, seed: int
) -> Iterator[Candidate]:
    """Triggers that only a network gives away: pieces on which its answer hangs, and a warp learnt by descent.

    Any network can be fooled, so none goes without a twin: pieces of innocent samples by the same network, and the warp
    that the same descent finds on the network that met innocent samples in the suspects' place.
    """
    yield from piecewise(exposed, suspects, innocent, target)
    yield Candidate(recover_warp(exposed, others, target, seed=seed), recover_warp(placebo, others, target, seed=seed))


def piecewise(model: nn.Module, suspects: Images, innocent: Images, target: int) -> Iterator[Candidate]:
    """Pieces of suspects on which the model's answer hangs, and those of innocent samples; none unless both have."""
    pieces, twin = recover_pieces(model, suspects, target), recover_pieces(model, innocent, target)
    if pieces is not None and twin is not None:
        yield Candidate(pieces, twin)


def _some(found: Recovered | None) -> tuple[Recovered, ...]:
    return () if found is None else (found,)


def _twin(trigger: Recovered, twins: tuple[Recovered, ...]) -> Recovered | None:
    """The one of the same kind; else whichever the same way made of innocent samples."""
    return next((one for one in twins if one.kind == trigger.kind), next(iter(twins), None))
