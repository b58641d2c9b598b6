"""Checks cells against a plain recomputation with fractions. The input holds cases, each of

    case KIND WIDTH_US MAX_GAP_US
    reading T_US MANTISSA EXPONENT CLASS PERIOD_US           (one a reading, in order)
    cell BEGIN COUNT N0..N4 SUM MIN MAX FIRST LAST MIN_US MAX_US FIRST_US LAST_US LINEAR2 STEP COVERED INCREASE RESETS
    cut 0|1

and at last `end N`, where N is the number of cases. Values stand in plain decimal notation. Exits with 1 and says what
differs."""

import sys
from fractions import Fraction

SUSPECT = 4


class Reading:
    def __init__(self, words):
        self.t, mantissa, exponent, self.quality, self.period = map(int, words)
        self.value = Fraction(mantissa) * Fraction(10) ** exponent


def covered_by_periods(readings):
    """The length of the union of the periods: sweep over their ends."""
    total, reach = 0, None
    for begin, end in sorted((r.t, r.t + r.period) for r in readings):
        if reach is None or begin > reach:
            reach = begin
        if end > reach:
            total += end - reach
            reach = end
    return total


def gains(pairs):
    return [(b.value if b.value < a.value else b.value - a.value) for a, b in pairs]


def cell_of(kind, begin, readings, max_gap):
    accepted = [r for r in readings if r.quality < SUSPECT]
    classes = [sum(r.quality == q for r in readings) for q in range(5)]
    if not accepted:
        return [begin, 0, *classes] + [0] * 14
    values = [r.value for r in accepted]
    low, high = min(values), max(values)
    pairs = list(zip(accepted, accepted[1:]))
    near = [(a, b, b.t - a.t) for a, b in pairs if b.t - a.t <= max_gap]
    gauge, counter, interval = (kind == k for k in ("gauge", "counter", "interval"))
    return [
        begin, len(accepted), *classes,
        0 if counter else sum(values),
        low, high, values[0], values[-1],
        next(r.t for r in accepted if r.value == low), next(r.t for r in accepted if r.value == high),
        accepted[0].t, accepted[-1].t,
        sum((a.value + b.value) * gap for a, b, gap in near) if gauge else 0,
        sum(a.value * gap for a, b, gap in near) if gauge else 0,
        covered_by_periods(accepted) if interval else sum(gap for a, b, gap in near),
        sum(gains(pairs)) if counter else 0,
        sum(b.value < a.value for a, b in pairs) if counter else 0,
    ]


def check(case, readings, cells, cut):
    kind, width, max_gap = case[0], int(case[1]), int(case[2])
    groups = {}
    for r in readings:
        groups.setdefault(r.t // width * width, []).append(r)
    is_cut = kind == "interval" and any(
        r.quality < SUSPECT and r.t + r.period > begin + width for begin, group in groups.items() for r in group)
    if is_cut != cut:
        sys.exit(f"# case {case}: cut {cut}, expected {is_cut}")
    if is_cut:
        return
    if len(cells) != len(groups):
        sys.exit(f"# case {case}: {len(cells)} cells, expected {len(groups)}")
    for cell, (begin, group) in zip(cells, groups.items()):
        expected = cell_of(kind, begin, group, max_gap)
        if [Fraction(word) for word in cell] != expected:
            sys.exit(f"# case {case}: cell {cell}, expected {[str(x) for x in expected]}")


def main():
    n = 0
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "case":
            case, readings, cells = rest, [], []
        elif word == "reading":
            readings.append(Reading(rest))
        elif word == "cell":
            cells.append(rest)
        elif word == "cut":
            n += 1
            check(case, readings, cells, rest[0] == "1")
        elif word == "end":
            sys.exit(n != int(rest[0]))
    sys.exit("# the input has no end")


main()
