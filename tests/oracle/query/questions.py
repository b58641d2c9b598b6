"""Random questions about a world, and how they are written as parameters of GET /v1/range."""
import random

from . import grid, units
from .answers import DEFAULT, MAY_BE_ASKED, NOT_OF_ANGLES, PERCENTILES, Question
from .grid import DAY, HOUR, MINUTE, SECOND
from .history import QUALITIES

ZONES = """UTC Europe/Berlin Europe/London Atlantic/Azores Australia/Lord_Howe Pacific/Apia Asia/Kathmandu Asia/Kolkata America/St_Johns
Africa/Cairo America/Santiago America/New_York America/Havana Asia/Beirut Pacific/Chatham Africa/Casablanca""".split()
WIDTHS = [1, 7, 10, 30, 60, 90, 300, 420, 900, 1200, 1800, 3600, 5400, 7200, 10800, 18000, 21600, 43200, 82800, 86400, 90000, 129600, 604800]
CALENDAR = [("D", 1), ("W", 1), ("M", 1), ("M", 3), ("M", 6), ("M", 12)]
MOST_BUCKETS = 250


def written(rng, us):
    """A duration in one of its spellings."""
    s = us // SECOND
    ways = [f"PT{s}S", f"{s}s"]
    if s % 60 == 0:
        ways += [f"PT{s // 60}M", f"{s // 60}m"]
    if s % 3600 == 0:
        ways += [f"PT{s // 3600}H"]
    elif s > 3600 and s % 60 == 0:
        ways += [f"PT{s // 3600}H{s % 3600 // 60}M"]
    return rng.choice(ways)


CALENDAR_WRITTEN = {("D", 1): "P1D", ("W", 1): "P1W", ("M", 1): "P1M", ("M", 3): "P3M", ("M", 6): "P6M", ("M", 12): "P1Y"}


def parameters(series, question, rng=None):
    """As a client writes them; series is one, or several of the same property."""
    rng = rng or random.Random(0)
    many = series if isinstance(series, list) else [series]
    out = {"entity": [s.entity for s in many] if len(many) > 1 else many[0].entity, "property": many[0].name,
           "from": instant(rng, question.begin, question.zone), "to": instant(rng, question.end, question.zone)}
    if question.step:
        out["step"] = written(rng, question.step[1]) if question.step[0] == "F" else CALENDAR_WRITTEN[question.step]
        if question.agg != (DEFAULT[many[0].kind],) or rng.random() < 0.5:
            out["agg"] = ",".join(question.agg)
        if question.fill != "null" or rng.random() < 0.1:
            out["fill"] = question.fill
    elif rng.random() < 0.2:
        out["step"] = "raw"
    if question.bounds != "none":
        out["bounds"] = question.bounds
    for name, value in ("tz", question.zone), ("quality", question.quality), ("unit", question.unit), ("over", question.over), ("by", question.by):
        if value is not None:
            out[name] = value
    for name, value in ("max_gap", question.max_gap), ("lead_min", question.lead):
        if value is not None:
            out[name] = f"PT{value // SECOND}S"
    if question.asof is not None:
        out["asof"] = grid.printed(question.asof)
    return out


def instant(rng, t, zone):
    day = grid.day_of(zone, t) if zone else None
    if zone and grid.day_start(zone, day) == t and rng.random() < 0.5:
        return grid.date_of(day).isoformat()
    if t % 1000 == 0 and rng.random() < 0.2:
        return str(t // 1000)
    return grid.printed(t, rng.choice([None, None, "Asia/Kathmandu"]))


def features(question, many=False):
    """What a server must be able to do to answer: names for --only and for the list of what is not there yet."""
    out = set()
    if question.step is None:
        out.add("raw")
        if question.bounds != "none":
            out.add("bounds")
    else:
        out |= {"percentile" if name in PERCENTILES else name for name in question.agg}
        if question.fill not in ("null", "none"):
            out.add("fill=" + question.fill)
    for name in "asof", "lead", "quality", "unit", "max_gap", "over", "by":
        if getattr(question, name) is not None:
            out.add(name)
    return out


class Asker:
    """Random questions about the series of a world; only: the features that may be used, None for all."""

    def __init__(self, world, rng, only=None):
        self.world, self.rng, self.only = world, rng, only
        self.boards = [f.series for f in world.feeds if f.series.entity.startswith("q-board")]

    def may(self, name):
        return self.only is None or name in self.only

    def ask(self):
        """(series or a list of them, question); among them some that make no sense."""
        while True:
            feed = self.rng.choice(self.world.feeds)
            question = self.question(feed)
            over = question.step and feed.series in self.boards and self.may("over") and self.rng.random() < 0.5
            if over:
                agg = self.rng.choice([name for name in question.agg if name not in ("mintime", "maxtime")] or ["mean"])
                question = question.but(over=self.rng.choice(["sum", "mean", "min", "max"]), agg=(agg,))
                if self.may("by") and self.rng.random() < 0.5:
                    question = question.but(by=self.rng.choice(["board", "location"]))
            if self.only is None or features(question) <= self.only:
                many = feed.series in self.boards and (over or self.rng.random() < 0.3)
                return (self.boards if many else feed.series), question

    def probes(self):
        """(feature, series, question): each asks for nothing else that may be missing."""
        feeds = {(feed.series.entity, feed.series.kind): feed for feed in self.world.feeds}
        gauge, counter, amount = feeds["q-quarter", "gauge"], feeds["q-meter", "counter"], feeds["q-load-1", "interval"]
        within = lambda feed, **asked: (feed.series, Question(feed.begin, feed.begin + DAY, **asked))
        yield "raw", *within(gauge)
        yield "bounds", *within(gauge, bounds="outside")
        for feed in counter, amount, gauge:
            for name in sorted(MAY_BE_ASKED[feed.series.kind] - set(PERCENTILES)):
                if feed is gauge or name not in MAY_BE_ASKED["gauge"]:
                    yield name, *within(feed, step=("F", HOUR), agg=(name,))
        yield "percentile", *within(gauge, step=("F", HOUR), agg=("p50",))
        for name, value in [("asof", gauge.begin + HOUR), ("lead", HOUR), ("quality", "estimated"), ("unit", "kW"), ("max_gap", HOUR),
                            ("over", "sum"), ("fill", "previous"), ("fill", "linear")]:
            name_of_it = f"fill={value}" if name == "fill" else name
            yield name_of_it, *within(gauge, step=("F", HOUR), agg=("mean",), **{name: value})
        begin = self.world.feeds[-1].begin
        yield "by", self.boards, Question(begin, begin + DAY, step=("F", HOUR), agg=("mean",), over="sum", by="board")

    def question(self, feed):
        rng = self.rng
        question = Question(0, 0)
        if rng.random() < 0.85 or not self.may("raw"):
            question.step = self.step(feed)
            question.agg = self.aggregates(feed.series)
            question.fill = rng.choice([name for name in ("null", "null", "none", "previous", "linear")
                                        if name in ("null", "none") or self.may("fill=" + name)])
        elif self.may("bounds") and rng.random() < 0.3:
            question.bounds = "outside"
        question.zone = rng.choice(ZONES) if rng.random() < 0.5 else None
        self.options(feed, question)
        question.begin, question.end = self.range(feed, question)
        return question

    def step(self, feed):
        rng = self.rng
        if rng.random() < 0.25:
            return rng.choice(CALENDAR)
        least = max(feed.every // 20, feed.n * feed.every // 4000)
        return "F", rng.choice([w for w in WIDTHS if w * SECOND >= least]) * SECOND

    def aggregates(self, series):
        rng = self.rng
        good = sorted(name for name in MAY_BE_ASKED[series.kind] if not (series.unit == "deg" and name in NOT_OF_ANGLES | {"stddev", "twa"}) and
                      (name != "integral" or series.unit in units.INTEGRAL) and self.may("percentile" if name in PERCENTILES else name))
        plain = [name for name in good if name not in PERCENTILES]
        chosen = rng.sample(plain, min(len(plain), rng.choice([1, 1, 2, 3, 5])))
        percentiles = [name for name in good if name in PERCENTILES]
        if percentiles and (rng.random() < 0.15 or not chosen):
            chosen += rng.sample(percentiles, 2)
        if rng.random() < 0.02:
            chosen.append(rng.choice(["sum", "increase", "mean", "integral"]))
        return tuple(dict.fromkeys(chosen)) or ("count",)

    def options(self, feed, question):
        rng, series = self.rng, feed.series
        if self.may("quality") and rng.random() < 0.1:
            question.quality = rng.choice(QUALITIES)
        if self.may("max_gap") and question.step and rng.random() < 0.3:
            question.max_gap = rng.choice([feed.every // SECOND, 2 * feed.every // SECOND, 600, 3600, 86400]) * SECOND
        if self.may("unit") and series.unit in units.UNITS and rng.random() < 0.12:
            question.unit = rng.choice(units.of_unit(series.unit) if rng.random() < 0.95 else ["W", "m/s"])
        if self.may("asof") and rng.random() < 0.12:
            question.asof = rng.randrange(feed.begin // 1000, feed.end // 1000 + 10 * 86400000) * 1000
        if self.may("lead") and feed.issues and rng.random() < 0.3:
            question.lead = rng.choice([HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR])

    def range(self, feed, question):
        """Somewhere in or around the readings; edges on readings, on the grid, beside it, or anywhere."""
        rng = self.rng
        if question.step is None:
            length = rng.choice([1, 3, 10, 100, 400]) * feed.every
        else:
            width = question.step[1] if question.step[0] == "F" else {"D": DAY, "W": 7 * DAY}.get(question.step[0], 31 * DAY * question.step[1])
            length = min(rng.choice([1, 2, 5, 20, MOST_BUCKETS]) * width, 400 * DAY)
            length = min(length, max(2 * (feed.end - feed.begin), 3 * width))
        begin = rng.randrange(feed.begin - min(length, DAY), feed.end)
        begin, end = self.edge(feed, question, begin), self.edge(feed, question, begin + max(length, SECOND))
        return (begin, end) if begin <= end or rng.random() < 0.05 else (end, begin)

    def edge(self, feed, question, t):
        rng = self.rng
        way = rng.randrange(6)
        if way == 0:
            near = [u for u in feed.series.times if abs(u - t) <= feed.every]
            if near:
                return rng.choice(near)
        if way < 4 and question.step:
            return grid.bucket_of(question.step, question.zone, t)[rng.randrange(2)]
        return t // MINUTE * MINUTE if way == 4 else t // SECOND * SECOND if way == 5 else t // 1000 * 1000
