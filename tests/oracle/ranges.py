"""Checks range answers against plain arithmetic: exact decimals, zoneinfo, every reading looked at for every bucket.

Input lines: `series KIND UNIT HOLDS SIZE EPSILON` (whether a gauge holds its values, the register's size and jitter), its readings
`r TIME MANTISSA EXPONENT QUALITY PERIOD` (of states a word instead of the mantissa), then questions
`q FROM TO STEP ZONE FILL MAX_GAP AGG,AGG...` (STEP raw, D, W, M3, or a width in microseconds; ZONE - for none), each followed by its
rows `a TIME VALUE...`. The last line: `end N`, after N questions. Times are microseconds. Exits with 1 and says what differs."""

import bisect
import datetime
import decimal
import functools
import math
import sys
import zoneinfo
from fractions import Fraction

SECOND = 10**6
DAY = 86400 * SECOND
SUSPECT = 4
EXACT = decimal.Context(prec=120)
WIDE = decimal.Context(prec=200)
QUOTIENT = decimal.Context(prec=15, rounding=decimal.ROUND_HALF_EVEN)
DIGITS = decimal.Context(prec=18, rounding=decimal.ROUND_HALF_EVEN)
EPOCH = datetime.date(1970, 1, 1).toordinal()
UTC = datetime.timezone.utc


@functools.lru_cache(None)
def day_start(zone, day):
    """Of zones whose midnights are there once."""
    midnight = datetime.datetime.combine(datetime.date.fromordinal(day + EPOCH), datetime.time(), zone)
    return int(midnight.timestamp()) * SECOND


def local_day(zone, t):
    return datetime.datetime.fromtimestamp(t // SECOND, zone).date().toordinal() - EPOCH


def bucket_at(step, zone, t):
    """Start and end of the bucket that holds t: definitions 1 and 2."""
    if step.isdigit():
        width = int(step)
        if zone is None or width >= DAY:
            return t // width * width, t // width * width + width
        day = local_day(zone, t)
        begin, end = day_start(zone, day), day_start(zone, day + 1)
        start = begin + (t - begin) // width * width
        return start, min(start + width, end)
    zone = zone or UTC
    day = local_day(zone, t)
    if step == "D":
        return day_start(zone, day), day_start(zone, day + 1)
    date = datetime.date.fromordinal(day + EPOCH)
    if step == "W":
        monday = day - date.weekday()
        return day_start(zone, monday), day_start(zone, monday + 7)
    n = int(step[1:])
    month = date.year * 12 + (date.month - 1) // n * n
    first, last = (datetime.date(m // 12, m % 12 + 1, 1).toordinal() - EPOCH for m in (month, month + n))
    return day_start(zone, first), day_start(zone, last)


def share(value, period, x):
    """Of an amount over period, what falls on its first x: definition 9, with as many of 9 decimals as 18 digits have. Digits
    beyond 18, which only differences have, fall on the end."""
    if x <= 0:
        return decimal.Decimal(0)
    if x >= period:
        return value
    value = DIGITS.plus(value)
    part = EXACT.divide(EXACT.multiply(value, decimal.Decimal(x)), decimal.Decimal(period))
    places = min(9, 17 - value.adjusted()) if value else 9
    return part.quantize(decimal.Decimal(1).scaleb(-places), decimal.ROUND_HALF_EVEN, EXACT)


def rounded(quotient):
    """A fraction to 15 digits, half to even, in one rounding."""
    return QUOTIENT.divide(decimal.Decimal(quotient.numerator), decimal.Decimal(quotient.denominator))


class Bucket:
    """What lies in [begin, end) of a series, and on both sides of it."""

    def __init__(self, series, question, begin, end):
        self.series, self.question, self.begin, self.end = series, question, begin, end
        self.kind, self.unit = series.kind, series.unit
        accepted, times = series.accepted, series.times
        self.low, self.high = bisect.bisect_left(times, begin), bisect.bisect_left(times, end)
        self.before = accepted[self.low - 1] if self.low else None
        self.after = accepted[self.high] if self.high < len(times) else None
        if self.kind == "interval":
            self.rows = [(t, EXACT.subtract(share(v, period, min(end, t + period) - t), share(v, period, begin - t)))
                         for t, v, period in accepted if t < end and t + period > begin]
        else:
            self.rows = [(t, v) for t, v, _ in accepted[self.low:self.high]]
        self.values = [v for _, v in self.rows]

    def stretches(self):
        """Consecutive readings with something between them in the bucket, the reading at its end included."""
        accepted = self.series.accepted
        for i in range(max(self.low, 1), min(self.high + 1, len(accepted))):
            if accepted[i][0] > self.begin:
                yield accepted[i - 1], accepted[i]

    def covered(self):
        if self.kind == "interval":
            total, until = 0, self.begin
            for t, _, period in self.series.accepted:
                total += max(0, min(t + period, self.end) - max(t, until))
                until = max(until, min(t + period, self.end))
            return total
        return sum(min(b[0], self.end) - max(a[0], self.begin) for a, b in self.stretches() if b[0] - a[0] <= self.question.max_gap)

    def integral(self):
        """Value times microseconds."""
        total = Fraction(0)
        for (t0, v0, _), (t1, v1, _) in self.stretches():
            if t1 - t0 > self.question.max_gap:
                continue
            x, y = max(t0, self.begin), min(t1, self.end)
            v0, v1 = Fraction(v0), Fraction(v1)
            at = lambda t: v0 if self.series.holds else v0 + (v1 - v0) * Fraction(t - t0, t1 - t0)
            total += (y - x) * (at(x) + at(y)) / 2
        return total

    def increase(self):
        total = None
        for (t0, v0, _), (t1, v1, _) in self.stretches():
            gain = self.series.gain(v0, v1)
            if self.question.fill == "linear" and t1 - t0 <= self.question.max_gap:
                x, y = max(t0, self.begin) - t0, min(t1, self.end) - t0
                gain = EXACT.subtract(share(gain, t1 - t0, y), share(gain, t1 - t0, x))
            elif t1 > self.end:
                continue
            total = EXACT.add(total or decimal.Decimal(0), gain)
        return total

    def filled(self):
        """Definition 11."""
        if self.rows or not self.before or self.kind == "interval":
            return None
        t0, v0, _ = self.before
        if self.question.fill == "previous":
            is_held = self.begin <= self.series.times[-1] and self.begin - t0 <= self.question.max_gap
            return v0 if is_held else None
        if self.question.fill != "linear" or not self.after or self.kind == "state" or self.unit == "deg":
            return None
        t1, v1, _ = self.after
        if t1 - t0 > self.question.max_gap:
            return None
        return rounded(Fraction(v0) + (Fraction(v1) - Fraction(v0)) * Fraction(self.begin - t0, t1 - t0))

    def has_data(self, names):
        between = any(n in names for n in ("twa", "integral", "covered")) and self.covered()
        return self.rows or between or ("increase" in names and self.increase() is not None)


def direction(values):
    angles = [math.radians(float(EXACT.remainder(v, decimal.Decimal(360)))) for v in values]
    x, y = math.fsum(map(math.cos, angles)), math.fsum(map(math.sin, angles))
    return None if math.hypot(x, y) < 1e-12 * len(values) else math.degrees(math.atan2(y, x)) % 360


def percentile(values, percent):
    values = sorted(values)
    rank = Fraction((len(values) - 1) * percent, 100)
    low = values[int(rank)]
    high = values[min(int(rank) + 1, len(values) - 1)]
    part = rank - int(rank)
    exact = Fraction(low) * (1 - part) + Fraction(high) * part
    return WIDE.divide(decimal.Decimal(exact.numerator), decimal.Decimal(exact.denominator))


def deviation(values):
    if len(values) < 2:
        return None
    exact = [Fraction(v) for v in values]
    mean = sum(exact) / len(exact)
    square = sum((v - mean) ** 2 for v in exact) / (len(exact) - 1)
    return QUOTIENT.plus(WIDE.sqrt(WIDE.divide(decimal.Decimal(square.numerator), decimal.Decimal(square.denominator))))


def taken(name, bucket):
    values = bucket.values
    if name == "mean" and bucket.unit == "deg":
        return direction(values)
    if name == "mean":
        return QUOTIENT.divide(functools.reduce(EXACT.add, values), decimal.Decimal(len(values)))
    if name == "sum":
        return functools.reduce(EXACT.add, values)
    if name == "stddev":
        return deviation(values)
    if name in ("mintime", "maxtime"):
        best = min(values) if name == "mintime" else max(values)
        return "@%d" % next(t for t, v in bucket.rows if v == best)
    if name == "median" or name[0] == "p":
        return percentile(values, 50 if name == "median" else int(name[1:]))
    return {"min": min, "max": max, "first": lambda v: v[0], "last": lambda v: v[-1]}[name](values)


def aggregate(name, bucket):
    """None where there is nothing, and then perhaps what fills it."""
    if name == "count":
        return len(bucket.rows)
    value = None
    if name == "increase":
        return bucket.increase()
    if name == "covered":
        covered = bucket.covered()
        return decimal.Decimal(covered).scaleb(-6) if covered or bucket.rows else None
    if name in ("twa", "integral"):
        covered = bucket.covered()
        if covered:
            value = rounded(bucket.integral() / (covered if name == "twa" else 3600 * SECOND))
    elif bucket.rows:
        value = taken(name, bucket)
    if value is None and name not in ("integral", "sum", "stddev", "mintime", "maxtime"):
        value = bucket.filled()
    return value


class Series:
    def __init__(self, words):
        self.kind, self.unit = words[0], words[1]
        self.holds, self.size, self.epsilon = words[2] == "1", decimal.Decimal(words[3]), decimal.Decimal(words[4])
        self.readings, self.accepted, self.times = [], [], []

    def add(self, words):
        value = words[1] if self.kind == "state" else decimal.Decimal(words[1]).scaleb(int(words[2]), EXACT)
        t, quality, period = int(words[0]), int(words[3]), int(words[4])
        self.readings.append((t, value))
        if quality < SUSPECT:
            self.accepted.append((t, value, period))
            self.times.append(t)

    def gain(self, before, now):
        if now >= before:
            return EXACT.subtract(now, before)
        if self.size and self.size >= before:
            return EXACT.add(EXACT.subtract(now, before), self.size)
        return EXACT.subtract(now, before) if EXACT.subtract(before, now) <= self.epsilon else now


class Question:
    def __init__(self, words):
        self.words, self.begin, self.end, self.step, self.fill = words, int(words[0]), int(words[1]), words[2], words[4]
        self.zone = None if words[3] == "-" else zoneinfo.ZoneInfo(words[3])
        self.max_gap, self.names = int(words[5]), words[6].split(",")


def expected_rows(series, question):
    begin, end = question.begin, question.end
    if question.step == "raw":
        return [(t, [value]) for t, value in series.readings if begin <= t < end]
    rows = []
    t = begin
    while t < end:
        start, next_start = bucket_at(question.step, question.zone, t)
        bucket = Bucket(series, question, max(start, begin), min(next_start, end))
        if question.fill != "none" or bucket.has_data(question.names):
            rows.append((start, [aggregate(name, bucket) for name in question.names]))
        t = next_start
    return rows


def is_equal(expected, found):
    if expected is None:
        return found == "-"
    if isinstance(expected, str):
        return found == expected
    if isinstance(expected, float):
        turned = abs(float(found) - expected) % 360
        return 0 <= float(found) < 360 and min(turned, 360 - turned) < 1e-9
    return found != "-" and decimal.Decimal(found) == expected


def check(series, question, found):
    rows = expected_rows(series, question)
    head = f"{series.kind} {series.unit} {' '.join(question.words)}"
    for n, (row, line) in enumerate(zip(rows, found)):
        if row[0] != int(line[0]) or len(row[1]) > len(line) - 1 or not all(is_equal(e, f) for e, f in zip(row[1], line[1:])):
            sys.exit(f"# {head}: row {n} is {' '.join(line)}, expected {row[0]} {' '.join(map(str, row[1]))}")
    if len(rows) != len(found):
        sys.exit(f"# {head}: {len(found)} rows, expected {len(rows)}")


def main():
    series, question, found, n = None, None, [], 0
    for line in sys.stdin:
        tag, *words = line.split()
        if tag != "a" and question:
            check(series, question, found)
            question, found, n = None, [], n + 1
        if tag == "series":
            series = Series(words)
        elif tag == "r":
            series.add(words)
        elif tag == "q":
            question = Question(words)
        elif tag == "a":
            found.append(words)
        elif tag == "end":
            sys.exit(n != int(words[0]))
    sys.exit("# the input has no end")


main()
