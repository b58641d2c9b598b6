"""What the answers must be, computed from the messages alone, slowly and plainly: exact decimals, zoneinfo, no grid tricks."""
from datetime import date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal
from zoneinfo import ZoneInfo

UTC = timezone.utc
EXACT = Context(prec=200)
QUOTIENT = Context(prec=15, rounding=ROUND_HALF_EVEN)
QUALITIES = ["measured", "edited", "derived", "estimated", "suspect"]


def at(text):
    """A time of a message: RFC 3339 or milliseconds."""
    if isinstance(text, int):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=text)
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def iso(t, zone=None):
    """As answers print it."""
    fraction = f".{t.microsecond:06}" if t.microsecond % 1000 else f".{t.microsecond // 1000:03}" if t.microsecond else ""
    t = t.astimezone(zone or UTC)
    offset = t.strftime("%z")
    return t.strftime("%Y-%m-%dT%H:%M:%S") + fraction + (f"{offset[:3]}:{offset[3:]}" if zone else "Z")


def listed(value, n):
    return value if isinstance(value, list) else [value] * n


class Model:
    """Readings in force after messages in their order: {(entity, property): {time: {issued: (value, quality)}}}."""

    def __init__(self):
        self.series = {}

    def take(self, message):
        if "property" in message:
            issues = self.series.get((message["entity"], message["property"]), {})
            begin, end = at(message["from"]), at(message["to"])
            for t in [t for t in issues if begin <= t < end]:
                del issues[t]
            return
        times = [at(t) for t in listed(message["time"], 1)]
        issued = at(message["issued"]) if "issued" in message else None
        qualities = listed(message.get("quality", "measured"), len(times))
        for name, values in message["values"].items():
            series = self.series.setdefault((message["entity"], name), {})
            for t, value, quality in zip(times, listed(values, len(times)), qualities):
                if message.get("delete"):
                    if issued is None:
                        series.pop(t, None)
                    else:
                        series.get(t, {}).pop(issued, None)
                elif value is not None:
                    series.setdefault(t, {})[issued] = (value, quality)

    def rows(self, entity, name, begin=None, end=None):
        """[(time, value, quality)]: a plain reading beats every forecast, the newest issue beats the others."""
        out = []
        for t, issues in sorted(self.series.get((entity, name), {}).items()):
            if issues and (begin is None or begin <= t) and (end is None or t < end):
                out.append((t, *(issues[None] if None in issues else issues[max(issues)])))
        return out

    def count(self):
        return sum(len(self.rows(*key)) for key in self.series)


def day_start(day, zone):
    """The first instant whose local date is day or later: midnight where there is one."""
    t = datetime.combine(day, time(), zone).astimezone(UTC)
    while t.astimezone(zone).date() < day:
        t += timedelta(minutes=15)
    return t


def day_edges(zone, begin, end):
    """Starts of the local days that [begin, end) touches, and the start of the day behind them."""
    day = begin.astimezone(zone).date()
    edges = [day_start(day, zone)]
    while edges[-1] < end:
        day += timedelta(days=1)
        edges.append(day_start(day, zone))
    return edges


def month_edges(zone, begin, end):
    local = begin.astimezone(zone)
    year, month = local.year, local.month
    edges = [day_start(date(year, month, 1), zone)]
    while edges[-1] < end:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        edges.append(day_start(date(year, month, 1), zone))
    return edges


def fixed_edges(width, begin, end, zone=None):
    """On the epoch, or with a zone from each local day's start on, whose last bucket may be short."""
    if zone is None:
        first = datetime(1970, 1, 1, tzinfo=UTC) + (begin - datetime(1970, 1, 1, tzinfo=UTC)) // width * width
        n = -((first - end) // width)
        return [first + i * width for i in range(n + 1)]
    edges = []
    days = day_edges(zone, begin, end)
    for day, following in zip(days, days[1:]):
        while day < following:
            edges.append(day)
            day += width
    edges.append(days[-1])
    while edges[1] <= begin:
        edges.pop(0)
    while edges[-2] >= end:
        edges.pop()
    return edges


def total(values):
    result = Decimal(0)
    for value in values:
        result = EXACT.add(result, value)
    return result


AGGREGATES = {
    "mean": lambda values: QUOTIENT.divide(total(values), Decimal(len(values))),
    "sum": total, "min": min, "max": max, "first": lambda values: values[0], "last": lambda values: values[-1], "count": len,
}


def buckets(rows, edges, begin, end, aggregates):
    """[[start, value of each aggregate]] of every bucket; readings of quality suspect are left out."""
    out = []
    for start, following in zip(edges, edges[1:]):
        values = [Decimal(str(value)) for t, value, quality in rows
                  if max(start, begin) <= t < min(following, end) and quality != "suspect"]
        out.append([start] + [AGGREGATES[name](values) if values or name == "count" else None for name in aggregates])
    return out


def zone(name):
    return ZoneInfo(name)
