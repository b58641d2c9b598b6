"""Checks range answers against plain arithmetic: exact decimals, zoneinfo, every reading looked at for every bucket.

Input lines: `series KIND UNIT`, its readings `r TIME MANTISSA EXPONENT QUALITY PERIOD` (of states a word instead of the mantissa),
then questions `q FROM TO STEP ZONE FILL AGG,AGG...` (STEP raw, D, W, M3, or a width in microseconds; ZONE - for none), each followed by
its rows `a TIME VALUE...`. The last line: `end N`, after N questions. Times are microseconds. Exits with 1 and says what differs."""

import bisect
import datetime
import decimal
import functools
import math
import sys
import zoneinfo

SECOND = 10**6
DAY = 86400 * SECOND
SUSPECT = 4
EXACT = decimal.Context(prec=120)
QUOTIENT = decimal.Context(prec=15, rounding=decimal.ROUND_HALF_EVEN)
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
    """Of an amount over period, what falls on its first x: definition 9, with as many of 9 decimals as 18 digits have."""
    if x <= 0:
        return decimal.Decimal(0)
    if x >= period:
        return value
    part = EXACT.divide(EXACT.multiply(value, decimal.Decimal(x)), decimal.Decimal(period))
    places = min(9, 17 - value.adjusted()) if value else 9
    return part.quantize(decimal.Decimal(1).scaleb(-places), decimal.ROUND_HALF_EVEN, EXACT)


def values_between(kind, readings, begin, end):
    """The readings, or parts of amounts, that count in [begin, end), in time order."""
    if kind != "interval":
        first = bisect.bisect_left(readings, begin, key=lambda r: r[0])
        last = bisect.bisect_left(readings, end, key=lambda r: r[0])
        return [value for _, value, quality, _ in readings[first:last] if quality < SUSPECT]
    return [EXACT.subtract(share(value, period, min(end, t + period) - t), share(value, period, begin - t))
            for t, value, quality, period in readings
            if quality < SUSPECT and t < end and t + period > begin]


def direction(values):
    angles = [math.radians(float(EXACT.remainder(v, decimal.Decimal(360)))) for v in values]
    x, y = math.fsum(map(math.cos, angles)), math.fsum(map(math.sin, angles))
    return None if math.hypot(x, y) < 1e-12 * len(values) else math.degrees(math.atan2(y, x)) % 360


def aggregate(name, values, unit):
    if name == "count":
        return len(values)
    if not values:
        return None
    if name == "mean" and unit == "deg":
        return direction(values)
    if name == "mean":
        return QUOTIENT.divide(functools.reduce(EXACT.add, values), decimal.Decimal(len(values)))
    if name == "sum":
        return functools.reduce(EXACT.add, values)
    return {"min": min, "max": max, "first": lambda v: v[0], "last": lambda v: v[-1]}[name](values)


def expected_rows(series, words):
    (kind, unit), readings = series["head"], series["readings"]
    begin, end, step, zone_name, fill, names = int(words[0]), int(words[1]), words[2], words[3], words[4], words[5].split(",")
    zone = None if zone_name == "-" else zoneinfo.ZoneInfo(zone_name)
    if step == "raw":
        return [(t, [value]) for t, value, _, _ in readings if begin <= t < end], False
    rows = []
    t = begin
    while t < end:
        start, next_start = bucket_at(step, zone, t)
        values = values_between(kind, readings, max(start, begin), min(next_start, end))
        if values or fill == "null":
            rows.append((start, [aggregate(name, values, unit) for name in names]))
        t = next_start
    return rows, unit == "deg"


def is_equal(expected, found, angles):
    if expected is None:
        return found == "-"
    if isinstance(expected, str):
        return found == expected
    if isinstance(expected, float):
        turned = abs(float(found) - expected) % 360
        return 0 <= float(found) < 360 and min(turned, 360 - turned) < 1e-9
    return found != "-" and decimal.Decimal(found) == expected


def check(series, question, found):
    rows, angles = expected_rows(series, question)
    for n, (row, line) in enumerate(zip(rows, found)):
        if row[0] != int(line[0]) or len(row[1]) > len(line) - 1 or not all(is_equal(e, f, angles) for e, f in zip(row[1], line[1:])):
            sys.exit(f"# {series['head']} {' '.join(question)}: row {n} is {' '.join(line)}, expected {row[0]} {list(map(str, row[1]))}")
    if len(rows) != len(found):
        sys.exit(f"# {series['head']} {' '.join(question)}: {len(found)} rows, expected {len(rows)}")


def main():
    series, question, found, n = None, None, [], 0
    for line in sys.stdin:
        tag, *words = line.split()
        if tag != "a" and question:
            check(series, question, found)
            question, found, n = None, [], n + 1
        if tag == "series":
            series = {"head": (words[0], words[1]), "readings": []}
        elif tag == "r":
            value = words[1] if series["head"][0] == "state" else decimal.Decimal(words[1]).scaleb(int(words[2]), EXACT)
            series["readings"].append((int(words[0]), value, int(words[3]), int(words[4])))
        elif tag == "q":
            question = words
        elif tag == "a":
            found.append(words)
        elif tag == "end":
            sys.exit(n != int(words[0]))
    sys.exit("# the input has no end")


main()
