"""The pass up the feeder: clip each branch's curve, remember its free interval, add it to its parent.

A branch whose limit cannot bind shares its parent's curve, so curves are kept per zone: a branch whose
limit may bind, or the root, with the branches below it up to the next such ones. Zones with few orders
below them are clipped level by level, all zones of a level in one go; the others, few in number, one by one
as a `Curve`. Energies are mWh, injection positive.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from market.curves import HIGHEST_KEY, LOWEST_KEY, Curve, Ladder, Run, run_of, sums
from market.feeder import Feeder
from market.orders import IntArray

SMALL_ZONE = 4_096
"""Orders in and below a zone up to which it is merged anew at each level: bounded work, however deep the tree."""


@dataclass(frozen=True, slots=True)
class PassUp:
    """The free interval of keys of each branch, and the curve of the whole feeder at its root, not yet clipped."""

    first: list[int]
    last: list[int]
    curve: Curve


def pass_up(feeder: Feeder, ladder: Ladder) -> PassUp:
    """Merge and clip the curves of all branches; uses up the ladder's quantities."""
    branches = len(feeder.branches)
    first, last = [LOWEST_KEY] * branches, [HIGHEST_KEY] * branches
    if branches == 1:
        total = int(ladder.reach[-1])
        run = Run(ladder.steps, ladder.reach[1:], 0, total)
        return PassUp(first, last, Curve(ladder, -int(ladder.demand[0]), int(ladder.supply[0]), [run]))
    zones = _Zones(feeder, ladder)
    for level in range(len(zones.level_starts) - 1):
        zones.clip_level(level)
    curve = zones.clip_large()
    for number, head in enumerate(zones.heads[:-1]):
        first[head], last[head] = int(zones.first[number]), int(zones.last[number])
    return PassUp(first, last, curve)


class _Zones:
    """All zones, numbered so that parents come after children: the small ones by level, the large ones, the root.

    Within a level they are ordered by parent, so that what a level passes on to one place is contiguous.
    A place is where steps wait: one for each level of small zones, one for each large zone.
    """

    def __init__(self, feeder: Feeder, ladder: Ladder) -> None:
        self._ladder = ladder
        head_of = _heads(feeder, ladder)
        number_of, self.heads, parents, levels = _numbered(feeder, ladder, head_of)
        count = len(self.heads)
        small = levels.index(-1)
        self._small = small
        self.level_starts: list[int] = np.searchsorted(
            levels[:small], range((levels[small - 1] + 2) if small else 1)
        ).tolist()
        self._parent = np.array(parents)
        limits = [feeder.branches[head].limit or 0 for head in self.heads]
        self._limit = np.array(limits, np.int64)
        zone_of_branch = np.array([number_of[head] for head in head_of])
        self._base = np.zeros(count, np.int64)
        self._top = np.zeros(count, np.int64)
        np.subtract.at(self._base, zone_of_branch, ladder.demand)
        np.add.at(self._top, zone_of_branch, ladder.supply)
        self.first = np.full(count, LOWEST_KEY)
        self.last = np.full(count, HIGHEST_KEY)
        steps = (zone_of_branch[ladder.steps >> ladder.bits] << ladder.bits) | (ladder.steps & ladder.mask)
        steps.sort()
        places = len(self.level_starts) - 1
        self._place = np.array(
            [level if level >= 0 else places + number - small for number, level in enumerate(levels)]
        )
        bounds = [*self.level_starts, *range(small + 1, count + 1)]
        cuts = steps.searchsorted(np.array(bounds, np.int64) << ladder.bits).tolist()
        self._incoming = [[steps[start:end]] for start, end in itertools.pairwise(cuts)]

    def clip_level(self, level: int) -> None:
        """Clip all zones of a level and pass what is left to their parents."""
        ladder = self._ladder
        zones = slice(self.level_starts[level], self.level_starts[level + 1])
        numbers = np.arange(zones.start, zones.stop)
        steps = np.concatenate(self._incoming[level])
        steps.sort()
        ranks = steps & ladder.mask
        reach = sums(ladder.quantities[ranks])
        begin = steps.searchsorted(numbers << ladder.bits)
        end = np.append(begin[1:], len(steps))
        base, top, upper = self._base[zones], self._top[zones], self._limit[zones]
        # Net supply before a step is its reach plus this.
        shift = base - reach[begin]
        low = np.flatnonzero(base < -upper)
        low_at = reach.searchsorted(-upper[low] - shift[low]) - 1
        high = np.flatnonzero(top > upper)
        high_at = reach.searchsorted(upper[high] - shift[high] + 1) - 1
        self.first[numbers[low]] = ladder.keys[ranks[low_at]]
        self.last[numbers[high]] = ladder.keys[ranks[high_at]]
        after_low = np.minimum(reach[low_at + 1] + shift[low], upper[low])
        left_low = after_low + upper[low]
        before_high = np.maximum(reach[high_at] + shift[high], -upper[high])
        left_high = upper[high] - before_high
        ladder.quantities[ranks[low_at]] = left_low
        ladder.quantities[ranks[high_at]] = left_high
        begin[low] = low_at + (left_low == 0)
        end[high] = high_at + (left_high != 0)
        self._base[zones] = np.maximum(base, -upper)
        self._top[zones] = np.minimum(top, upper)
        self._pass_on(zones, ranks, begin, np.maximum(end - begin, 0))

    def _pass_on(self, zones: slice, ranks: IntArray, begin: IntArray, count: IntArray) -> None:
        """Give each zone's `count` steps from `begin` on to its parent, and its base and top."""
        parent = self._parent[zones]
        np.add.at(self._base, parent, self._base[zones])
        np.add.at(self._top, parent, self._top[zones])
        ends = sums(count)
        positions = np.arange(int(ends[-1])) + np.repeat(begin - ends[:-1], count)
        steps = ranks[positions] | np.repeat(parent << self._ladder.bits, count)
        places = self._place[parent]
        changes = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
        for start, stop in itertools.pairwise(changes):
            self._incoming[int(places[start])].append(steps[int(ends[start]) : int(ends[stop])])

    def clip_large(self) -> Curve:
        """Clip the zones that are left but the last, the root's, whose curve is returned."""
        ladder = self._ladder
        runs: list[list[Run]] = [[] for _ in range(len(self.heads) - self._small)]
        places = len(self.level_starts) - 1
        for number in range(self._small, len(self.heads)):
            index = number - self._small
            steps = np.concatenate(self._incoming[places + index])
            runs[index].append(run_of(ladder, steps & ladder.mask))
            curve = Curve(ladder, int(self._base[number]), int(self._top[number]), runs[index])
            runs[index] = []
            if number < len(self.heads) - 1:
                limit = int(self._limit[number])
                self.first[number], self.last[number] = curve.clip(-limit, limit)
                parent = int(self._parent[number])
                runs[parent - self._small].extend(curve.runs)
                self._base[parent] += curve.base
                self._top[parent] += curve.top
        return curve


def _heads(feeder: Feeder, ladder: Ladder) -> list[int]:
    """For each branch the branch at the head of its zone, itself where its limit may bind."""
    supply: list[int] = ladder.supply.tolist()
    demand: list[int] = ladder.demand.tolist()
    heads = list(range(len(supply)))
    for index in reversed(feeder.top_down[1:]):
        branch = feeder.branches[index]
        parent = branch.parent or 0
        if branch.limit is None or max(supply[index], demand[index]) <= branch.limit:
            heads[index] = parent
            supply[parent] += supply[index]
            demand[parent] += demand[index]
        else:
            supply[parent] += min(supply[index], branch.limit)
            demand[parent] += min(demand[index], branch.limit)
    for index in feeder.top_down:
        heads[index] = heads[heads[index]] if heads[index] != index else index
    return heads


def _numbered(
    feeder: Feeder, ladder: Ladder, head_of: list[int]
) -> tuple[dict[int, int], list[int], list[int], list[int]]:
    """Number the zones: number by head; by number the head, the parent's number and the level (-1: large)."""
    orders: list[int] = np.diff(ladder.starts).tolist()
    heights = [0] * len(head_of)
    for index in reversed(feeder.top_down[1:]):
        parent = feeder.branches[index].parent or 0
        orders[parent] += orders[index]
        heights[parent] = max(heights[parent], heights[index] + (head_of[index] == index))
    levels: dict[int, list[int]] = {}
    large = []
    for index in feeder.top_down:
        if head_of[index] == index:
            if orders[index] > SMALL_ZONE or index == feeder.root:
                large.append(index)
            else:
                levels.setdefault(heights[index], []).append(index)
    heads = large[:]
    number_of = {head: place for place, head in enumerate(heads)}
    parent_of = {
        head: head_of[feeder.branches[head].parent or 0]
        for head in (*large, *itertools.chain(*levels.values()))
    }
    level_of = [-1] * len(heads)
    for level, height in reversed(list(enumerate(sorted(levels)))):
        for head in sorted(levels[height], key=lambda head: number_of[parent_of[head]], reverse=True):
            number_of[head] = len(heads)
            heads.append(head)
            level_of.append(level)
    # So far parents come first; the numbers wanted run the other way.
    last = len(heads) - 1
    number_of = {head: last - place for head, place in number_of.items()}
    heads.reverse()
    level_of.reverse()
    return number_of, heads, [number_of[parent_of[head]] for head in heads], level_of
