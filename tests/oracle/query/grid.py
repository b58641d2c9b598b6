"""Times, local days and bucket edges: definitions 1 to 3 of the range query. Instants are integer microseconds since the epoch."""
import datetime
import functools
import zoneinfo

SECOND = 10**6
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR
EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def at(text):
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // datetime.timedelta(microseconds=1)


@functools.lru_cache(None)
def zone_of(name):
    return zoneinfo.ZoneInfo(name)


def local(name, t):
    return (EPOCH + datetime.timedelta(microseconds=t)).astimezone(zone_of(name))


def printed(t, name=None):
    """As answers print it: Z, or the zone's offset; 0, 3 or 6 digits of a fraction."""
    moment = local(name or "UTC", t)
    fraction = f".{moment.microsecond:06}" if moment.microsecond % 1000 else f".{moment.microsecond // 1000:03}" if moment.microsecond else ""
    if not name:
        return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
    offset = moment.strftime("%z")
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + offset[:3] + ":" + offset[3:5]


@functools.lru_cache(None)
def offset_s(name, second):
    return int(local(name, second * SECOND).utcoffset().total_seconds())


@functools.lru_cache(None)
def day_start(name, day):
    """Definition 2, tried minute by minute: the first instant whose local date is the day (counted from 1970) or a later one.

    Before `day * 86400 - the largest offset of these days` no local date is that late, so the trial begins there."""
    largest = max(offset_s(name, day * 86400 + hour * 3600) for hour in range(-30, 31))
    second = day * 86400 - largest
    while second + offset_s(name, second) < day * 86400:
        second += 60
    return second * SECOND


def day_of(name, t):
    """The local day that t lies in: the last one that has begun, wherever the clock says it is."""
    day = t // DAY + 2
    while day_start(name, day) > t:
        day -= 1
    return day


def date_of(day):
    return datetime.date.fromordinal(day + EPOCH_DAY)


def number_of(date):
    return date.toordinal() - EPOCH_DAY


def calendar_days(step, day):
    """First day of the week, month or year that the day lies in, and of the next."""
    unit, n = step
    date = date_of(day)
    if unit == "D":
        return day, day + 1
    if unit == "W":
        monday = day - date.weekday()
        return monday, monday + 7
    month = date.year * 12 + (date.month - 1) // n * n
    return tuple(number_of(datetime.date(m // 12, m % 12 + 1, 1)) for m in (month, month + n))


def bucket_of(step, zone, t):
    """(start, end) of the bucket that holds t. step: ("F", microseconds) or ("D" | "W", 1) or ("M", months)."""
    unit, n = step
    if unit == "F":
        if zone is None or n >= DAY:
            return t // n * n, t // n * n + n
        day = day_of(zone, t)
        begin, end = day_start(zone, day), day_start(zone, day + 1)
        start = begin + (t - begin) // n * n
        return start, min(start + n, end)
    zone = zone or "UTC"
    first, following = calendar_days(step, day_of(zone, t))
    return day_start(zone, first), day_start(zone, following)


def buckets(step, zone, begin, end):
    """[(start, end)] of every bucket that [begin, end) touches, whole as the grid has them."""
    result = []
    t = begin
    while t < end:
        result.append(bucket_of(step, zone, t))
        t = result[-1][1]
    return result
