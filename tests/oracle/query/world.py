"""A small random world: series of every kind over days when clocks change, and the messages that make them.

Messages come in three phases: what a historian hears in time, late readings, and corrections with deletions. Each has a Kafka
timestamp as if it had been sent when it was due, so that it can be asked what was known at any instant of these years."""
import json
from decimal import Decimal

from . import grid
from .grid import DAY, HOUR, MINUTE, SECOND
from .history import QUALITIES, Series, Store

SPRING, AUTUMN, APIA = "2025-03-24T00:00:00Z", "2025-10-22T00:00:00Z", "2011-12-26T00:00:00Z"
N_PARTITIONS = 2
PLACES = {"q-board-0": ("b-1", "l-1"), "q-board-1": ("b-1", "l-1"), "q-board-2": ("b-2", "l-2")}   # board, location


class Feed:
    """How one series is sent."""

    def __init__(self, series, begin, n, every, value, **traits):
        self.series, self.begin, self.n, self.every, self.value = series, grid.at(begin), n, every, value
        self.period = traits.get("period", 0)
        self.jitter = traits.get("jitter", 0)          # of the time
        self.unit = traits.get("unit")                 # sent in
        self.issues = traits.get("issues", ())         # how long before its time a value is issued; None: a plain reading
        self.qualities = traits.get("qualities", True)
        self.end = self.begin + n * every


def walk(rng, low, high, step, places):
    """Values that wander between two bounds, often with fewer digits, sometimes standing still."""
    state = [rng.uniform(low, high)]

    def following(_):
        if rng.random() > 0.1:
            state[0] = min(max(state[0] + rng.uniform(-step, step), low), high)
        return f"{state[0]:.{rng.choice([0, places, places])}f}"
    return following


def register(rng, per_reading, places=0, size=None, jitter=None, resets=0.004):
    """A register that grows, stands still, starts anew, rolls over, or trembles."""
    state = [Decimal(rng.randrange(10**6))]

    def following(_):
        state[0] += Decimal(rng.choice([0, rng.randrange(per_reading), rng.randrange(per_reading)])).scaleb(-places)
        if size is not None:
            state[0] %= size
        elif rng.random() < resets:
            state[0] = Decimal(rng.randrange(per_reading)).scaleb(-places)
        if jitter and rng.random() < 0.05:
            return str(max(state[0] - Decimal(rng.randrange(1, jitter + 1)).scaleb(-places), 0))
        return str(state[0])
    return following


def words(rng, choice):
    return lambda _: rng.choice(choice)


def numbers(rng, low, high, places):
    return lambda _: f"{rng.uniform(low, high):.{rng.choice([0, places])}f}"


def digits(rng):
    """Numbers of all lengths up to the 18 digits that are exact, and of exponents that make sums long."""
    return lambda _: f"{rng.choice('- ').strip()}{rng.randrange(10 ** rng.randrange(1, 19))}e-{rng.choice([0, 3, 9, 18])}"


def changes_of(rng, begin, end, n):
    """Declared meter changes: the old meter ends far above what it showed, the new one begins near nothing."""
    times = sorted(rng.sample(range(begin // MINUTE, end // MINUTE), n))
    return [(t * MINUTE, Decimal(10**8), Decimal(rng.choice([0, 3]))) for t in times]


def feeds(rng):
    """One feed a series; the seasons are shuffled so that every kind meets every change of the clocks over the seeds."""
    season = lambda: rng.choice([SPRING, AUTUMN])
    meter = lambda entity, name, unit, kind, **d: Series(entity, "SmartMeter", name, unit, kind, **d)
    apia = Feed(meter("q-apia", "activePower", "W", "gauge"), APIA, 7 * 48, 30 * MINUTE, walk(rng, -50, 50, 5, 2))
    begin = season()
    changed = meter("q-changed", "activeEnergyImport", "Wh", "counter")
    changed.changes = changes_of(rng, grid.at(begin), grid.at(begin) + 10 * DAY, 3)
    out = [
        Feed(meter("q-fast", "voltage", "V", "gauge"), season(), 2400, SECOND, walk(rng, 225, 235, 1, 1)),
        Feed(meter("q-minute", "activePower", "W", "gauge"), season(), 2000, MINUTE, walk(rng, -500, 5000, 900, 3), jitter=20 * SECOND),
        Feed(meter("q-quarter", "activePower", "W", "gauge"), season(), 1800, 15 * MINUTE, walk(rng, 0, 9, 2, 6), unit="kW"),
        Feed(meter("q-digits", "current", "A", "gauge"), season(), 500, 15 * MINUTE, digits(rng)),
        Feed(meter("q-declared", "current", "A", "gauge", cadence=5 * MINUTE), season(), 1500, 5 * MINUTE, walk(rng, 0, 16, 3, 2)),
        Feed(meter("q-stepped", "activePower", "W", "gauge", step=True, max_gap=2 * HOUR), season(), 500, 29 * MINUTE,
             walk(rng, 0, 2000, 500, 0), jitter=9 * MINUTE),
        # tiers answer these two: the gap that is declared, or follows from the cadence, is the one that cells know
        Feed(meter("q-held", "voltage", "V", "gauge", step=True), season(), 1500, MINUTE, walk(rng, 225, 235, 1, 1)),
        Feed(meter("q-paced", "voltage", "V", "gauge", cadence=15 * MINUTE), season(), 1500, MINUTE, walk(rng, 225, 235, 1, 1)),
        Feed(Series("q-roof", "Weather", "temperature", "degC", "gauge"), season(), 700, HOUR, walk(rng, -9, 31, 2, 2),
             issues=(None, 30 * HOUR, 12 * HOUR, 6 * HOUR)),
        Feed(Series("q-roof", "Weather", "windDirection", "deg", "gauge"), season(), 800, 30 * MINUTE, numbers(rng, 0, 359, 1)),
        Feed(Series("q-roof", "Weather", "solarRadiation", "W/m2", "gauge"), season(), 800, 30 * MINUTE, walk(rng, 0, 900, 300, 1)),
        Feed(meter("q-meter", "activeEnergyImport", "Wh", "counter"), season(), 1200, 15 * MINUTE, register(rng, 900), jitter=5 * MINUTE),
        Feed(meter("q-hourly", "activeEnergyImport", "Wh", "counter"), season(), 500, HOUR, register(rng, 900, 3), unit="kWh"),
        Feed(meter("q-tremble", "activeEnergyExport", "Wh", "counter", epsilon=Decimal(5)), season(), 900, 15 * MINUTE,
             register(rng, 40, jitter=8)),
        Feed(meter("q-rolling", "activeEnergyImport", "Wh", "counter", register_size=Decimal(10**4)), season(), 900, 15 * MINUTE,
             register(rng, 900, size=10**4)),
        Feed(changed, begin, 900, 15 * MINUTE, register(rng, 900, resets=0)),
        Feed(Series("q-load-1", "Load", "energy", "Wh", "interval"), season(), 1500, 15 * MINUTE, numbers(rng, 0, 3000, 3), period=15 * MINUTE),
        Feed(Series("q-load-2", "Load", "energy", "Wh", "interval"), season(), 500, HOUR, numbers(rng, 0, 3, 7), period=HOUR, unit="kWh",
             jitter=7 * MINUTE),
        Feed(Series("q-days", "DistrictHeating", "consumption", "Wh", "interval"), season(), 30, DAY, numbers(rng, 0, 10**5, 3), period=DAY),
        Feed(Series("q-pump", "HeatPump", "operationalState", "", "state"), season(), 500, 40 * MINUTE, words(rng, ["off", "heat", "defrost"]),
             jitter=15 * MINUTE),
        apia,
    ]
    spring = [Feed(meter(f"q-board-{n}", "activePower", "W", "gauge"), SPRING, 700, 15 * MINUTE, walk(rng, -50, 500, 90, 2))
              for n in range(3)]
    return out + spring


class World:
    """Series, and per phase the messages [(known_ms, partition, entity, text, as the model takes it)] in order of arrival."""

    def __init__(self, rng):
        self.rng = rng
        self.feeds = feeds(rng)
        self.store = Store()
        self.phases = [[], [], []]
        for feed in self.feeds:
            self.store.add(feed.series)
            self.send(feed)
        for phase in self.phases:
            phase.sort(key=lambda message: message[0])
        self.last_ms = 0

    def assets(self):
        """What is declared, and where things are, as documents of the topic assets."""
        yield {"asset": "Customer", "id": "c-1"}
        for board, location in sorted(set(PLACES.values())):
            yield {"asset": "Location", "id": location, "customer": "c-1"}
            yield {"asset": "MainDistributionBoard", "id": board, "location": location}
        for entity, (board, _) in PLACES.items():
            yield {"asset": "Sensor", "id": "s-" + entity, "type": "Main", "board": board, "entity": entity}
        for feed in self.feeds:
            s = feed.series
            if s.is_declared():
                seconds = lambda us: None if us is None else f"PT{us // SECOND}S"
                yield {"asset": "Series", "entity": s.entity, "property": s.name, "cadence": seconds(s.cadence), "maxGap": seconds(s.max_gap),
                       "step": s.step, "registerSize": None if s.register_size is None else int(s.register_size), "epsilon": int(s.epsilon)}
            for t, end, start in s.changes:
                yield {"asset": "MeterChange", "entity": s.entity, "property": s.name, "time": grid.printed(t), "end": int(end), "start": int(start)}

    # ---- messages of a feed ----

    def send(self, feed):
        rng = self.rng
        holes = [rng.randrange(feed.n) for _ in range(4)]
        lengths = [min(rng.choice([1, 2, 5, 30]), feed.n // 6) for _ in holes]
        slots = [n for n in range(feed.n) if rng.random() > 0.02 and not any(h <= n < h + length for h, length in zip(holes, lengths))]
        rows = []
        for n in slots:
            t = feed.begin + n * feed.every
            if feed.jitter and rng.random() < 0.4:
                t += rng.randrange(feed.jitter // SECOND) * SECOND + rng.choice([0, 0, 250000, 1, 999999])
            rows.append((t, feed.value(n)))
        for issue in feed.issues or (None,):
            late = [row for row in rows if rng.random() < 0.04]
            self.messages(feed, [row for row in rows if row not in late], issue, 0)
            self.messages(feed, late, issue, 1)
        self.correct(feed, rows)

    def messages(self, feed, rows, issue, phase):
        """Runs of rows, several a message where nothing else distinguishes them; now and then one is sent again."""
        rng, at = self.rng, 0
        if issue is not None:
            rows = [row for row in rows if rng.random() > 0.3]
        while at < len(rows):
            n = 1 if issue is not None else rng.choice([1, 2, 7, 30])
            part = rows[at:at + n]
            if rng.random() < 0.05 and issue is None:
                part = part + [(part[-1][0], feed.value(0))]          # a repeated second in one message: the last one counts
            self.message(feed, part, issue, phase, late_ms=0 if phase == 0 else rng.randrange(3 * 86400000))
            at += n

    def message(self, feed, rows, issue, phase, late_ms=0, **extra):
        rng = self.rng
        body = {"entity": feed.series.entity, "type": feed.series.type, **extra}
        times = [row[0] for row in rows]
        body["time"] = [t // 1000 if t % 1000 == 0 and rng.random() < 0.5 else grid.printed(t, rng.choice([None, "Asia/Kolkata"])) for t in times]
        body["values"] = {feed.series.name: [row[1] for row in rows]}
        if feed.period:
            body["period"] = f"PT{feed.period // SECOND}S"
        if feed.unit and not extra:
            body["units"] = {feed.series.name: feed.unit}
        known = max(times)
        if issue is not None:
            body["issued"] = grid.printed(times[0] - issue)
            known = times[0] - issue
        if not extra and feed.qualities and rng.random() < 0.12:
            body["quality"] = rng.choice(QUALITIES)
        if len(rows) == 1 and rng.random() < 0.5:
            body["time"], body["values"][feed.series.name] = body["time"][0], rows[0][1]
        known_ms = known // 1000 + late_ms + rng.randrange(60000)
        self.add(feed, body, known_ms, phase)

    def add(self, feed, body, known_ms, phase):
        text = json.dumps(body)
        if feed.series.kind != "state" and "values" in body:
            text = text.replace(json.dumps(body["values"]), bare(body["values"]))
        self.phases[phase].append((known_ms, self.partition(feed.series.entity), feed.series.entity, text, body | {"period_us": feed.period}))

    def partition(self, entity):
        return sum(entity.encode()) % N_PARTITIONS

    def correct(self, feed, rows):
        """Corrections, and what is taken back: single times, ranges, one issue."""
        rng = self.rng
        for t, _ in rng.sample(rows, min(len(rows) // 40 + 2, len(rows))):
            issue = rng.choice(feed.issues or (None,))
            self.message(feed, [(t, feed.value(0))], issue, rng.choice([1, 2]), late_ms=rng.randrange(86400000, 9 * 86400000))
        for t, _ in rng.sample(rows, 4):
            self.message(feed, [(t, "x" if feed.series.kind == "state" else "0")], None, 2, late_ms=rng.randrange(86400000, 9 * 86400000),
                         delete=True)
        t = rng.choice(rows)[0]
        body = {"entity": feed.series.entity, "type": feed.series.type, "property": feed.series.name, "delete": True,
                "from": grid.printed(t), "to": grid.printed(t + 3 * feed.every)}
        self.add(feed, body, t // 1000 + 12 * 86400000, 2)

    # ---- to Kafka and to the model ----

    def deliver(self, phase):
        """The messages of a phase, each not before what came earlier; the model has taken them when this returns."""
        factors = {(f.series.entity, f.series.name): 1000 if f.unit else 1 for f in self.feeds}
        out = []
        for known_ms, partition, entity, text, body in self.phases[phase]:
            self.last_ms = known_ms = max(known_ms, self.last_ms)
            if "values" in body:
                [name] = body["values"]
                factor = factors[entity, name] if "units" in body else 1
                self.store.take(body, known_ms, {name: factor})
            else:
                self.store.take(body, known_ms)
            out.append((partition, known_ms, entity, text))
        return out


def bare(values):
    """JSON with the numbers as they were written: 12.30 stays 12.30."""
    out = []
    for name, value in values.items():
        out.append(json.dumps(name) + ": " + ("[" + ", ".join(value) + "]" if isinstance(value, list) else value))
    return "{" + ", ".join(out) + "}"
