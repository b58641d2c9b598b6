"""What the store knows: messages in their order, the versions they make, and which of these are in force (contract, section 2).

Every time of a series has issues (None for plain readings), every issue its versions in the order of arrival. Nothing is ever
forgotten here, so that any question about what was known at some instant can be answered."""
from decimal import Decimal

from . import grid
from .exact import EXACT

QUALITIES = ["measured", "edited", "derived", "estimated", "suspect"]
SUSPECT = QUALITIES.index("suspect")


class Reading:
    """A value in force at a time; period_us is 0 for all but intervals."""
    __slots__ = "t", "value", "quality", "period"

    def __init__(self, t, value, quality=0, period=0):
        self.t, self.value, self.quality, self.period = t, value, quality, period

    def __repr__(self):
        period = f" over {self.period // grid.SECOND} s" if self.period else ""
        return f"{grid.printed(self.t)} {self.value} {QUALITIES[self.quality]}{period}"


class Version:
    __slots__ = "known_ms", "value", "quality", "period"

    def __init__(self, known_ms, value, quality=0, period=0):
        self.known_ms, self.value, self.quality, self.period = known_ms, value, quality, period

    def content(self):
        return self.value, self.quality, self.period


class Series:
    """kind is gauge, counter, interval or state; the rest is what may be declared about a series (contract, section 7)."""

    def __init__(self, entity, type_, name, unit, kind, **declared):
        self.entity, self.type, self.name, self.unit, self.kind = entity, type_, name, unit, kind
        self.cadence = self.max_gap = self.register_size = None
        self.step, self.epsilon, self.changes = False, Decimal(0), []
        self.__dict__.update(declared)
        self.times = {}
        self.cache = {}

    def is_declared(self):
        return bool(self.cadence or self.max_gap or self.register_size or self.step or self.epsilon or self.changes)

    def gap_us(self, asked=None):
        """Definition 6; what is declared as maxGap stands between the question and the cadence."""
        if asked is not None:
            return asked
        if self.max_gap is not None:
            return self.max_gap
        return 3 * self.cadence if self.cadence is not None else 45 * grid.MINUTE

    # ---- what messages do ----

    def put(self, t, value, known_ms, issued=None, quality=0, period=0):
        self.cache.clear()
        versions = self.times.setdefault(t, {}).setdefault(issued, [])
        version = Version(known_ms, value, quality, period)
        if not versions or versions[-1].content() != version.content():
            versions.append(version)

    def delete(self, t, known_ms, issued=None):
        """All issues, or the one named; a version without a value is what takes it back."""
        self.cache.clear()
        for issue, versions in self.times.get(t, {}).items():
            if issued in (None, issue) and versions[-1].value is not None:
                versions.append(Version(known_ms, None))

    def delete_range(self, begin, end, known_ms):
        for t in self.times:
            if begin <= t < end:
                self.delete(t, known_ms)

    # ---- what is in force ----

    def readings(self, asof_ms=None, lead=None, least=SUSPECT, forecasts_only=True):
        """In time order: of each time the plain reading, else the newest issue; then only those of at least that quality."""
        key = asof_ms, lead, least, forecasts_only
        if key not in self.cache:
            found = (self.in_force(t, asof_ms, lead, forecasts_only) for t in sorted(self.times))
            if len(self.cache) > 32:
                self.cache.clear()
            self.cache[key] = [reading for reading in found if reading and reading.quality <= least]
        return self.cache[key]

    def in_force(self, t, asof_ms, lead, forecasts_only):
        issues = self.times[t]
        for issued in sorted(issues, key=lambda issue: (issue is None, issue or 0), reverse=True):
            if lead is not None and (forecasts_only if issued is None else issued > t - lead):
                continue
            version = version_at(issued, issues[issued], asof_ms)
            if version and version.value is not None:
                return Reading(t, version.value, version.quality, version.period)
        return None


def version_at(issued, versions, asof_ms):
    """A plain reading is known from its Kafka timestamp on. A stated issue is known from that issue on, whenever it came;
    what replaced or deleted it later, from its own Kafka timestamp on."""
    if asof_ms is None:
        return versions[-1]
    if issued is None:
        known = [v for v in versions if v.known_ms <= asof_ms]
    elif issued > asof_ms * 1000:
        known = []
    else:
        known = [v for n, v in enumerate(versions) if n == 0 or v.known_ms <= asof_ms]
    return known[-1] if known else None


def listed(value, n):
    return value if isinstance(value, list) else [value] * n


def exact_value(kind, value, factor):
    """Numbers may come as text, digit for digit."""
    return value if kind == "state" else EXACT.multiply(Decimal(value), Decimal(factor))


class Store:
    """Series by (entity, property). take() applies a message as section 2 has it; factors convert its units."""

    def __init__(self):
        self.series = {}

    def add(self, series):
        self.series[series.entity, series.name] = series
        return series

    def take(self, message, known_ms, factors=None):
        if "property" in message:
            self.series[message["entity"], message["property"]].delete_range(
                grid.at(message["from"]), grid.at(message["to"]), known_ms)
            return
        times = [t * 1000 if isinstance(t, int) else grid.at(t) for t in listed(message["time"], 1)]
        issued = grid.at(message["issued"]) if "issued" in message else None
        qualities = [QUALITIES.index(q) for q in listed(message.get("quality", "measured"), len(times))]
        period = message.get("period_us", 0)
        for name, values in message["values"].items():
            series = self.series[message["entity"], name]
            factor = (factors or {}).get(name, 1)
            for t, value, quality in zip(times, listed(values, len(times)), qualities):
                if message.get("delete"):
                    series.delete(t, known_ms, issued)
                elif value is not None:
                    series.put(t, exact_value(series.kind, value, factor), known_ms, issued, quality, period if series.kind == "interval" else 0)
