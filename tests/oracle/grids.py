"""Checks bucket grids against Python's zoneinfo. Each line of the input: zone unit instant start next, in microseconds;
unit is D, W, M3 (months) or F900000000 (a fixed width that restarts each local day). The last line: end N, after N others.
Exits with 1 and says what differs."""

import datetime
import functools
import sys
import zoneinfo

EPOCH = datetime.date(1970, 1, 1).toordinal()
SECOND = 10**6


@functools.lru_cache(None)
def local_day(zone, second):
    return datetime.datetime.fromtimestamp(second, zone).date().toordinal() - EPOCH


@functools.lru_cache(None)
def day_start(zone, day):
    """The definition, tried minute by minute: the first instant whose local date is that day or a later one."""
    second = day * 86400 - 16 * 3600
    while local_day(zone, second) < day:
        second += 60
    return second


def day_of(zone, second):
    day = local_day(zone, second)
    while day_start(zone, day + 1) <= second:
        day += 1
    return day


def days_of_bucket(unit, day):
    date = datetime.date.fromordinal(day + EPOCH)
    if unit == "W":
        monday = day - date.weekday()
        return monday, monday + 7
    if unit[0] == "M":
        n = int(unit[1:])
        months = date.year * 12 + (date.month - 1) // n * n
        return tuple(datetime.date(m // 12, m % 12 + 1, 1).toordinal() - EPOCH for m in (months, months + n))
    return day, day + 1


def bucket(zone, unit, t):
    first, end = days_of_bucket(unit, day_of(zone, t // SECOND))
    start, next_start = day_start(zone, first) * SECOND, day_start(zone, end) * SECOND
    if unit[0] == "F":
        width = int(unit[1:])
        start += (t - start) // width * width
        next_start = min(start + width, next_start)
    return start, next_start


def main():
    for n, line in enumerate(sys.stdin):
        name, *words = line.split()
        if name == "end":
            sys.exit(n != int(words[0]))
        unit, (t, start, next_start) = words[0], map(int, words[1:])
        expected = bucket(zoneinfo.ZoneInfo(name), unit, t)
        if expected != (start, next_start):
            sys.exit(f"# differs: {line.strip()}: expected {expected}")
    sys.exit("# the input has no end")


main()
