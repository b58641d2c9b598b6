"""The answer to a range question, computed from the readings in force: definitions 3 to 11, as plainly as they can be put.

Every bucket looks at the readings by itself; nothing is carried from one bucket to the next. CHOICES are the places where the
contract is silent or has two readings; the package's docstring says why each stands as it does."""
import dataclasses
import itertools
import math
from bisect import bisect_left, bisect_right
from decimal import Decimal
from fractions import Fraction

from . import grid, units
from .exact import EXACT, Near, exactly, plain, root, rounded, to_places, total
from .history import QUALITIES, SUSPECT

CHOICES = {
    "stddev": "sample",              # Q1, or population
    "covered": "null",               # Q4, of an empty bucket; or 0
    "spread": "near",                # Q8, or always
    "decrease": "rollover",          # Q11: what is tried first, or jitter
    "lead": "forecasts",             # Q17, or all
}

PERCENTILES = ["median"] + [f"p{n:02}" for n in range(1, 100)]
MAY_BE_ASKED = {
    "gauge": {"mean", "min", "max", "count", "first", "last", "twa", "integral", "stddev", "mintime", "maxtime", "covered", *PERCENTILES},
    "counter": {"increase", "first", "last", "min", "max", "count", "covered"},
    "interval": {"sum", "mean", "min", "max", "count", "first", "last", "covered", *PERCENTILES},
    "state": {"first", "last", "count", "covered"},
}
DEFAULT = {"gauge": "mean", "counter": "increase", "interval": "sum", "state": "last"}
NOT_OF_ANGLES = {"min", "max", "mintime", "maxtime", *PERCENTILES}
SIGNAL = {"mean", "min", "max", "first", "last", "twa", *PERCENTILES}    # what a fill can put in place of nothing


class Refusal(Exception):
    def __init__(self, status, why):
        super().__init__(f"{status}: {why}")
        self.status = status


@dataclasses.dataclass
class Question:
    begin: int
    end: int
    step: tuple = None               # None: raw; else as grid.bucket_of takes it
    zone: str = None
    agg: tuple = ()
    fill: str = "null"
    max_gap: int = None
    quality: str = None
    asof: int = None                 # microseconds
    lead: int = None
    unit: str = None
    bounds: str = "none"
    over: str = None
    by: str = None                   # board or location

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


def fraction(value):
    return Fraction(value)


def share(value, period, x):
    """Of an amount over its period, what falls on its first x: to 9 decimals, all of it at the end (definition 9)."""
    if x <= 0:
        return Decimal(0)
    return value if x >= period else to_places(fraction(value) * Fraction(x, period), 9)


def percentile(values, p):
    """Type 7: linear between the two nearest ranks."""
    ordered = sorted(values)
    place = Fraction(p, 100) * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return fraction(ordered[below]) + (fraction(ordered[above]) - fraction(ordered[below])) * (place - below)


def vector_mean(values):
    """Of degrees; None where the directions cancel out."""
    angles = [math.radians(float(fraction(v) % 360)) for v in values]
    x, y = math.fsum(map(math.cos, angles)), math.fsum(map(math.sin, angles))
    length = math.hypot(x, y) / len(values)
    if length < 1e-9:
        return None
    return Near(math.degrees(math.atan2(y, x)) % 360, 1e-12 / length + 1e-9, modulo=360)


class Line:
    """One series' accepted readings under one question, with everything the definitions ask of them."""

    def __init__(self, series, readings, max_gap, spread=False):
        self.series, self.readings, self.max_gap, self.spread = series, readings, max_gap, spread
        self.times = [r.t for r in readings]
        self.longest = max((r.period for r in readings), default=0)

    def inside(self, a, b):
        return self.readings[bisect_left(self.times, a):bisect_left(self.times, b)]

    # ---- amounts over periods ----

    def touching(self, a, b):
        return [r for r in self.inside(a - self.longest, b) if r.t + r.period > a]

    def parts(self, a, b):
        """What each amount that touches [a, b) has there."""
        return [EXACT.subtract(share(r.value, r.period, min(b, r.t + r.period) - r.t), share(r.value, r.period, a - r.t))
                for r in self.touching(a, b)]

    # ---- the signal between readings: definitions 6 and 7 ----

    def pairs(self, a, b):
        """Consecutive readings with something of [a, b) between them."""
        n = max(bisect_right(self.times, a) - 1, 0)
        while n + 1 < len(self.times) and self.times[n] < b:
            yield self.readings[n], self.readings[n + 1]
            n += 1

    def pieces(self, a, b):
        """(from, to, area) in [a, b) of each pair that is near enough: the value held, or the line to the next."""
        for p, q in self.pairs(a, b):
            low, high = max(p.t, a), min(q.t, b)
            if q.t - p.t > self.max_gap or high <= low:
                continue
            if self.series.kind != "gauge":
                yield low, high, 0
            elif self.series.step:
                yield low, high, EXACT.multiply(p.value, high - low)
            elif (low, high) == (p.t, q.t):
                yield low, high, EXACT.multiply(EXACT.add(p.value, q.value), EXACT.multiply(high - low, Decimal("0.5")))
            else:
                middle = Fraction(low + high, 2)
                yield low, high, value_between(p, q, middle) * (high - low)

    def area(self, a, b):
        pieces = [area for _, _, area in self.pieces(a, b)]
        return fraction(total(x for x in pieces if not isinstance(x, Fraction))) + sum(x for x in pieces if isinstance(x, Fraction))

    def covered(self, a, b):
        """Microseconds of [a, b)."""
        if self.series.kind != "interval":
            return sum(high - low for low, high, _ in self.pieces(a, b))
        length, reach = 0, a
        for r in self.touching(a, b):
            low, high = max(r.t, reach), min(r.t + r.period, b)
            length += max(high - low, 0)
            reach = max(reach, high)
        return length

    # ---- counters: definition 8 ----

    def moved(self, p, q):
        """What a register moved from one reading to the next."""
        between = [change for change in self.series.changes if p.t < change[0] <= q.t]
        if between:
            moved, value = Decimal(0), p.value
            for _, end, start in sorted(between):
                moved, value = EXACT.add(moved, EXACT.subtract(end, value)), start
            return EXACT.add(moved, EXACT.subtract(q.value, value))
        difference = EXACT.subtract(q.value, p.value)
        if difference >= 0:
            return difference
        is_jitter = -difference <= self.series.epsilon
        if self.series.register_size is not None and not (is_jitter and CHOICES["decrease"] == "jitter"):
            return EXACT.add(difference, self.series.register_size)
        return difference if is_jitter else q.value

    def increase(self, a, b):
        """Readings in (a, b], each against the one before it, whenever that was; None where there is no such pair."""
        moved = []
        for p, q in self.pairs(a, b):
            if self.is_spread(p, q):
                low, high = max(p.t, a), min(q.t, b)
                if low < high:
                    whole = self.moved(p, q)
                    moved.append(EXACT.subtract(share(whole, q.t - p.t, high - p.t), share(whole, q.t - p.t, low - p.t)))
            elif a < q.t <= b:
                moved.append(self.moved(p, q))
        return total(moved) if moved else None

    def is_spread(self, p, q):
        return self.spread and (CHOICES["spread"] == "always" or q.t - p.t <= self.max_gap)


def value_between(p, q, t):
    return fraction(p.value) + (fraction(q.value) - fraction(p.value)) * Fraction(t - p.t) / (q.t - p.t)


class Bucket:
    """One bucket of one series: aggregates by name, in the canonical unit. What divides is a Fraction, not rounded yet."""

    def __init__(self, line, a, b):
        self.line, self.a, self.b = line, a, b
        self.readings = line.touching(a, b) if line.series.kind == "interval" else line.inside(a, b)
        self.values = line.parts(a, b) if line.series.kind == "interval" else [r.value for r in self.readings]

    def of(self, name):
        if name == "count":
            return len(self.values)
        if name == "increase":
            return self.line.increase(self.a, self.b)
        if name in ("twa", "integral", "covered"):
            return self.of_time(name)
        return self.of_values(name) if self.values else None

    def of_time(self, name):
        covered = self.line.covered(self.a, self.b)
        if name == "covered":
            is_empty = not covered and not self.values and CHOICES["covered"] == "null"
            return None if is_empty else exactly(Fraction(covered, grid.SECOND))
        if not covered:
            return None
        area = self.line.area(self.a, self.b)
        return area / covered if name == "twa" else area / grid.HOUR

    def of_values(self, name):
        values, n = self.values, len(self.values)
        if name == "mean":
            return vector_mean(values) if self.line.series.unit == "deg" else fraction(total(values)) / n
        if name == "sum":
            return total(values)
        if name in ("mintime", "maxtime"):
            extreme = min(values) if name == "mintime" else max(values)
            return grid.printed(self.readings[values.index(extreme)].t, self.line.zone)
        if name == "stddev":
            divisor = n - 1 if CHOICES["stddev"] == "sample" else n
            if not divisor:
                return None
            squares = fraction(total(EXACT.multiply(v, v) for v in values))
            return (squares - fraction(total(values)) ** 2 / n) / divisor
        if name in PERCENTILES:
            return exactly(percentile(values, 50 if name == "median" else int(name[1:])))
        return {"min": min, "max": max, "first": lambda v: v[0], "last": lambda v: v[-1]}[name](values)


# ---- questions ----

def refuse(series, question):
    """422 of definition 5, and of units."""
    for name in question.agg if question.step else ():
        if name not in MAY_BE_ASKED[series.kind]:
            raise Refusal(422, f"{name} of a {series.kind}")
        if series.unit == "deg" and name in NOT_OF_ANGLES:
            raise Refusal(422, f"{name} of an angle")
        if name == "integral" and series.unit not in units.INTEGRAL:
            raise Refusal(422, f"integral of {series.unit or 'words'}")
    if question.unit and not units.converts(series.unit, question.unit):
        raise Refusal(422, f"{series.unit} in {question.unit}")


def accepted(series, question):
    least = QUALITIES.index(question.quality) if question.quality else SUSPECT - (1 if question.step else 0)
    asof_ms = None if question.asof is None else question.asof // 1000
    return series.readings(asof_ms, question.lead, least, CHOICES["lead"] == "forecasts")


def presented(name, value, series, question):
    """In the unit asked for, and rounded once where it is a quotient."""
    if value is None or isinstance(value, (int, str, Near)) or name == "covered":
        return value
    factor, offset = units.conversion(series.unit, question.unit) if question.unit else (Fraction(1), Fraction(0))
    if name == "stddev":
        return root(value * factor * factor)
    if name in ("integral", "increase", "sum"):
        offset = 0
    result = fraction(value) * factor + offset
    return rounded(result) if isinstance(value, Fraction) else plain(result)


def raw(series, question):
    """[[time, value, quality, outside]]"""
    readings = accepted(series, question)
    times = [r.t for r in readings]
    first, last = bisect_left(times, question.begin), bisect_left(times, question.end)
    rows = [(r, False) for r in readings[first:last]]
    if question.bounds == "outside" and question.begin < question.end:
        rows = [(r, True) for r in readings[max(first - 1, 0):first]] + rows + [(r, True) for r in readings[last:last + 1]]
    return [[grid.printed(r.t, question.zone), presented("value", r.value, series, question), QUALITIES[r.quality], outside]
            for r, outside in rows]


def line_of(series, question):
    line = Line(series, accepted(series, question), series.gap_us(question.max_gap),
                spread=question.fill == "linear" and series.kind == "counter")
    line.zone = question.zone
    return line


def edges(question):
    """[(start, a, b)]: every bucket's label and the part of it that is asked for."""
    return [(start, max(start, question.begin), min(end, question.end))
            for start, end in grid.buckets(question.step, question.zone, question.begin, question.end)]


def steps(series, question):
    """[[time, value of each aggregate]]; of fill=none without the rows of buckets that have neither readings nor anything else to tell."""
    line = line_of(series, question)
    rows = []
    for start, a, b in edges(question):
        bucket = Bucket(line, a, b)
        values = [bucket.of(name) for name in question.agg]
        if question.fill == "none" and not bucket.values and all(value is None for name, value in zip(question.agg, values) if name != "count"):
            continue
        if question.fill in ("previous", "linear") and not bucket.values:
            values = [filled(line, question, name, a) if value is None else value for name, value in zip(question.agg, values)]
        rows.append([grid.printed(start, question.zone)] +
                    [presented(name, value, series, question) for name, value in zip(question.agg, values)])
    return rows


def filled(line, question, name, t):
    """Definition 11: at the beginning of an empty bucket, from the readings around it."""
    series, readings = line.series, line.readings
    if name not in SIGNAL or series.kind == "interval" or series.unit == "deg" and question.fill == "linear":
        return None
    n = bisect_right(line.times, t) - 1
    if n < 0 or t > line.times[-1]:
        return None
    p = readings[n]
    if question.fill == "previous":
        return p.value if t - p.t <= line.max_gap else None
    if n + 1 == len(readings) or series.kind == "state" or readings[n + 1].t - p.t > line.max_gap:
        return None
    return value_between(p, readings[n + 1], t)


def answer(series, question):
    """The rows of one series; Refusal where the question is meaningless."""
    refuse(series, question)
    if question.begin > question.end:
        raise Refusal(400, "reversed")
    return steps(series, question) if question.step else raw(series, question)


def answer_over(many, question):
    """Across series, after each series' own aggregate: rows [time, values..., series, missing]."""
    for series in many:
        refuse(series, question)
    plainly = question.but(fill="null", over=None) if question.fill == "none" else question.but(over=None)
    columns = [steps(series, plainly) for series in many]
    rows = []
    for same in zip(*columns):
        contributing = [row for row in same if any(v not in (None, 0) if name == "count" else v is not None
                                                   for name, v in zip(question.agg, row[1:]))]
        cells = [[row[i] for row in contributing if row[i] is not None] for i in range(1, len(same[0]))]
        if question.fill == "none" and not contributing:
            continue
        n = len(contributing)
        rows.append([same[0][0]] + [nothing_of(question, i) if not n else across(question.over, values) for i, values in enumerate(cells)] +
                    [n, len(many) - n])
    return rows


def nothing_of(question, i):
    """Of a bucket in which no series has anything to say."""
    return 0 if question.agg[i] == "count" else None


def across(over, values):
    if not values:
        return None
    if over == "mean":
        return rounded(sum(map(fraction, values)) / len(values))
    return exactly(sum(map(fraction, values))) if over == "sum" else {"min": min, "max": max}[over](values)
