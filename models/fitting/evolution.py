"""Evolutionary search over whole numbers: the best of some, crossed and changed, over and over.

Real, Aggarwal, Huang, Le: Regularized Evolution for Image Classifier Architecture Search (AAAI
2019) is the usual source; here the parents are the best so far, as in OptEmbed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.platform.draws import Draws

Genome = tuple[int, ...]


@dataclass(frozen=True)
class Evolution:
    """How long to search, and how widely; the defaults are ours.

    Attributes:
        generations: after the first one.
        population: genomes tried in each generation.
        parents: of all tried so far, the best that have children.
        change: the chance that a child's number is drawn anew.
    """

    generations: int = 8
    population: int = 16
    parents: int = 5
    change: float = 0.2


@dataclass(frozen=True)
class Found:
    """The best genome, what it reached, and what everybody of each generation reached."""

    best: Genome
    merit: float
    tried: list[list[float]]


def evolve(
    most: Sequence[int],
    merit: Callable[[Genome], float],
    draws: Draws,
    evolution: Evolution | None = None,
    allowed: Callable[[Genome], bool] | None = None,
) -> Found:
    """Return the genome of numbers from 1 to *most* with the best *merit* of all that were tried.

    The first generation is drawn at random, but for the one of all *most*; each further one has
    children of two of the best. What is not *allowed* is drawn again, and after many tries taken
    as small as it can be. No genome is judged twice.
    """
    chosen = evolution or Evolution()
    known: dict[Genome, float] = {}
    tried: list[list[float]] = []
    for generation in range(chosen.generations + 1):
        reached = []
        parents = sorted(known, key=lambda one: -known[one])[: chosen.parents]
        for child in range(chosen.population):
            chance = draws.child(f"{generation}/{child}")
            genome = _child(most, parents, chosen.change, chance, allowed)
            if generation == child == 0 and (allowed is None or allowed(tuple(most))):
                genome = tuple(most)
            if genome not in known:
                known[genome] = merit(genome)
            reached.append(known[genome])
        tried.append(reached)
    best = max(known, key=lambda one: known[one])
    return Found(best, known[best], tried)


_TRIES = 50


def _child(
    most: Sequence[int],
    parents: Sequence[Genome],
    change: float,
    draws: Draws,
    allowed: Callable[[Genome], bool] | None,
) -> Genome:
    places = np.arange(len(most))
    for attempt in range(_TRIES):
        chance = draws.uniform(places, 4 * attempt + np.arange(3)[:, None])
        fresh = 1 + np.floor(chance[0] * np.asarray(most)).astype(np.int64)
        genome = fresh
        if parents:
            one, other = (parents[k] for k in draws.integers(np.arange(2), attempt, len(parents)))
            crossed = np.where(chance[1] < 1 / 2, np.asarray(one), np.asarray(other))
            genome = np.where(chance[2] < change, fresh, crossed)
        made = tuple(genome.tolist())
        if allowed is None or allowed(made):
            return made
    return tuple(1 for _ in most)
