"""The most stable split of points into two dense clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from bezoar.detect.numerics.kernels import squared_distances
from bezoar.evidence import Real

NEIGHBOURS = 5
"""The distance to the so-manieth neighbour says how dense it is around a point."""


@dataclass(frozen=True, eq=False)
class DensitySplit:
    """Two clusters as rows, and the stability of each: the mean over its points of log(distance at which the clusters
    part / distance at which the point leaves its own), 0 for a cluster that falls apart at once.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    stabilities: tuple[float, float]

    @property
    def stability(self) -> float:
        """That of the less stable one."""
        return min(self.stabilities)


def stable_split(points: Real, least: int) -> DensitySplit | None:
    """The most stable split into two clusters of at least `least` points each, outliers left out; None without one.

    Single linkage of mutual reachability distances, as in HDBSCAN (Campello et al. 2013): walking down from the root to
    the larger side, every parting into two sides of at least `least` points is a candidate. Takes memory of the square
    of the points.
    """
    if len(points) < max(2 * least, NEIGHBOURS + 1):
        return None
    tree = _Tree(mutual_reachability(points))
    candidates = tree.partings(least)
    best = max(candidates, key=lambda split: split[2], default=None)
    if best is None:
        return None
    small, large, _ = best
    born = tree.parted_at(small)
    stabilities = tree.stability(small, born, least), tree.stability(large, born, least)
    return DensitySplit(tree.leaves(small), tree.leaves(large), stabilities)


def mutual_reachability(points: Real) -> Real:
    """Condensed distances between all pairs, each at least the distance to either one's `NEIGHBOURS`-th neighbour."""
    distance = np.sqrt(squared_distances(points))
    core = np.partition(distance, NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    reach = np.maximum(distance, np.maximum(core[:, None], core[None]))
    np.fill_diagonal(reach, 0.0)
    return np.asarray(squareform(reach, checks=False))


class _Tree:
    """A dendrogram: nodes below `count` are points, the others are merges."""

    def __init__(self, condensed: Real) -> None:
        merges = linkage(condensed, "single")
        self.count = len(merges) + 1
        self.children = merges[:, :2].astype(np.int64).tolist()
        self.heights = np.maximum(merges[:, 2], 1e-12).tolist()
        self.sizes = [1] * self.count + merges[:, 3].astype(np.int64).tolist()
        self.parents = {child: self.count + row for row, pair in enumerate(self.children) for child in pair}

    def parted_at(self, node: int) -> float:
        return float(self.heights[self.parents[node] - self.count])

    def partings(self, least: int) -> list[tuple[int, int, float]]:
        """Sides (smaller, larger) of every parting on the way down the larger side, with the lesser stability."""
        found, node = [], self.count + len(self.children) - 1
        while node >= self.count:
            small, large = sorted(self.children[node - self.count], key=self._rank)
            if self.sizes[small] >= least:
                born = self.parted_at(small)
                found.append((small, large, min(self.stability(side, born, least) for side in (small, large))))
            node = large
        return found

    def stability(self, node: int, born: float, least: int) -> float:
        """Mean over the points of a cluster of log(born / distance at which the point leaves it)."""
        total, whole = 0.0, self.sizes[node]
        while node >= self.count:
            height = self.heights[node - self.count]
            small, large = sorted(self.children[node - self.count], key=self._rank)
            split = self.sizes[small] >= least
            leaving = self.sizes[node] if split or self.sizes[large] < least else self.sizes[small]
            total += leaving * float(np.log(born / height))
            if leaving == self.sizes[node]:
                break
            node = large
        return float(total / whole)

    def leaves(self, node: int) -> NDArray[np.int64]:
        """The points below a node."""
        found, open_nodes = [], [node]
        while open_nodes:
            node = open_nodes.pop()
            if node < self.count:
                found.append(node)
            else:
                open_nodes.extend(self.children[node - self.count])
        return np.array(sorted(found), dtype=np.int64)

    def _rank(self, node: int) -> tuple[int, int]:
        return self.sizes[node], -node
