"""The model against numbers that were computed by hand, and against what must hold of any answer."""
import random
import unittest
from decimal import Decimal as D
from fractions import Fraction

from . import answers, grid, questions, world
from .answers import Question, Refusal
from .exact import rounded
from .grid import DAY, HOUR, MINUTE, SECOND
from .history import Series

T0 = grid.at("2025-03-30T00:00:00Z")


def series(kind, rows, unit="W", period=0, **declared):
    """rows: [(microseconds after T0, number or word)]"""
    made = Series("e", "SmartMeter", "p", unit, kind, **declared)
    for t, value in rows:
        made.put(T0 + t, value if kind == "state" else D(value), (T0 + t) // 1000, period=period)
    return made


def column(made, step, agg, end=None, begin=0, **options):
    """The values of one aggregate; step in microseconds."""
    question = Question(T0 + begin, T0 + (end or step), ("F", step), agg=(agg,), **options)
    return [row[1] for row in answers.answer(made, question)]


class Grid(unittest.TestCase):
    def days(self, zone, first, last, unit="D", n=1):
        return [(grid.printed(a, zone), (b - a) // HOUR) for a, b in grid.buckets((unit, n), zone, grid.at(first), grid.at(last))]

    def test_days_of_23_and_25_hours(self):
        self.assertEqual(self.days("Europe/Berlin", "2025-03-29T12:00:00Z", "2025-03-30T23:00:00Z"),
                         [("2025-03-29T00:00:00+01:00", 24), ("2025-03-30T00:00:00+01:00", 23), ("2025-03-31T00:00:00+02:00", 24)])
        self.assertEqual(self.days("Europe/Berlin", "2025-10-26T12:00:00Z", "2025-10-26T13:00:00Z"), [("2025-10-26T00:00:00+02:00", 25)])

    def test_midnight_that_is_missing(self):
        # Cairo 2025-04-25: the clocks go from 0:00 to 1:00
        self.assertEqual(self.days("Africa/Cairo", "2025-04-25T12:00:00Z", "2025-04-25T13:00:00Z"), [("2025-04-25T01:00:00+03:00", 23)])

    def test_midnight_that_comes_twice(self):
        # Azores 2025-10-26: from 1:00 back to 0:00; Cairo 2025-10-31: from 0:00 back to 23:00 of the day before
        self.assertEqual(self.days("Atlantic/Azores", "2025-10-26T12:00:00Z", "2025-10-26T13:00:00Z"), [("2025-10-26T00:00:00+00:00", 25)])
        self.assertEqual(self.days("Africa/Cairo", "2025-10-30T12:00:00Z", "2025-10-30T13:00:00Z"), [("2025-10-30T00:00:00+03:00", 25)])

    def test_a_skipped_date_is_no_bucket(self):
        self.assertEqual([d[0][:10] for d in self.days("Pacific/Apia", "2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z")],
                         ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"])

    def test_half_an_hour_of_lord_howe(self):
        hours = grid.buckets(("F", HOUR), "Australia/Lord_Howe", grid.at("2025-04-05T13:00:00Z"), grid.at("2025-04-06T13:30:00Z"))
        self.assertEqual(([(b - a) // MINUTE for a, b in hours]), [60] * 24 + [30])

    def test_weeks_months_and_years(self):
        self.assertEqual(self.days("UTC", "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z", "W"), [("2024-12-30T00:00:00+00:00", 168)])
        self.assertEqual(self.days("UTC", "2025-02-01T00:00:00Z", "2025-04-02T00:00:00Z", "M", 3),
                         [("2025-01-01T00:00:00+00:00", 24 * 90), ("2025-04-01T00:00:00+00:00", 24 * 91)])
        self.assertEqual(self.days("UTC", "2024-02-01T00:00:00Z", "2024-02-02T00:00:00Z", "M", 12), [("2024-01-01T00:00:00+00:00", 24 * 366)])

    def test_widths_on_the_epoch_and_from_the_days_start(self):
        t = grid.at("2025-01-01T13:00:00Z")
        seven = 7 * HOUR
        self.assertEqual(grid.bucket_of(("F", seven), None, t), (t // seven * seven, t // seven * seven + seven))
        self.assertEqual([grid.printed(x) for x in grid.bucket_of(("F", seven), "UTC", grid.at("2025-01-01T22:00:00Z"))],
                         ["2025-01-01T21:00:00Z", "2025-01-02T00:00:00Z"])
        self.assertEqual([grid.printed(x) for x in grid.bucket_of(("F", DAY), "Europe/Berlin", t)],
                         ["2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"])


class Gauges(unittest.TestCase):
    watts = [(0, 100), (10 * MINUTE, 100), (15 * MINUTE, 400), (30 * MINUTE, 400)]

    def test_mean_over_time_and_integral(self):
        made = series("gauge", self.watts)
        self.assertEqual(column(made, 30 * MINUTE, "twa"), [rounded(Fraction(600 * 100 + 300 * 250 + 900 * 400, 1800))])
        self.assertEqual(column(made, 30 * MINUTE, "integral"), [rounded(Fraction(600 * 100 + 300 * 250 + 900 * 400, 3600))])
        self.assertEqual(column(made, 30 * MINUTE, "mean"), [200])
        self.assertEqual(column(made, 30 * MINUTE, "covered"), [1800])

    def test_edges_lie_on_the_line(self):
        made = series("gauge", [(0, 0), (10 * MINUTE, 600)])
        self.assertEqual(column(made, 5 * MINUTE, "twa", 15 * MINUTE), [150, 450, None])
        self.assertEqual(column(made, MINUTE, "integral", 2 * MINUTE), [D("0.5"), D("1.5")])
        self.assertEqual(column(made, 5 * MINUTE, "count", 15 * MINUTE), [1, 0, 1])
        self.assertEqual(column(made, 5 * MINUTE, "covered", 15 * MINUTE), [300, 300, 0])

    def test_a_step_holds_to_the_next(self):
        made = series("gauge", [(0, 0), (10 * MINUTE, 600)], step=True)
        self.assertEqual(column(made, 20 * MINUTE, "twa"), [0])
        self.assertEqual(column(made, 20 * MINUTE, "covered"), [600])

    def test_nothing_is_known_across_a_long_gap(self):
        made = series("gauge", [(0, 10), (HOUR, 20), (HOUR + 45 * MINUTE, 20)])
        self.assertEqual(column(made, 2 * HOUR, "covered"), [45 * 60])
        self.assertEqual(column(made, 2 * HOUR, "covered", max_gap=HOUR), [105 * 60])
        self.assertEqual(column(series("gauge", [(0, 1), (HOUR, 1)], cadence=30 * MINUTE), 2 * HOUR, "covered"), [3600])

    def test_percentiles_of_type_7(self):
        made = series("gauge", [(n * MINUTE, n * 10) for n in range(4)])
        self.assertEqual(column(made, HOUR, "median"), [15])
        self.assertEqual(column(made, HOUR, "p90"), [27])
        self.assertEqual(column(made, HOUR, "p01"), [D("0.3")])

    def test_deviation_of_a_sample(self):
        made = series("gauge", [(0, 1), (MINUTE, 2), (2 * MINUTE, 4)])
        self.assertEqual(column(made, HOUR, "stddev"), [D("1.52752523165195")])      # the root of 7/3
        self.assertEqual(column(series("gauge", [(0, 1)]), HOUR, "stddev"), [None])

    def test_extremes_carry_the_earliest_time(self):
        made = series("gauge", [(0, 5), (MINUTE, 1), (2 * MINUTE, 5), (3 * MINUTE, 1)])
        self.assertEqual(column(made, HOUR, "mintime"), ["2025-03-30T00:01:00Z"])
        self.assertEqual(column(made, HOUR, "maxtime"), ["2025-03-30T00:00:00Z"])

    def test_mean_of_directions(self):
        north = series("gauge", [(0, 350), (MINUTE, 10)], unit="deg")
        self.assertEqual(column(north, HOUR, "mean"), [D(0)])
        self.assertEqual(column(series("gauge", [(0, 0), (MINUTE, 180)], unit="deg"), HOUR, "mean"), [None])
        self.assertRaises(Refusal, column, north, HOUR, "max")

    def test_one_rounding_half_to_even(self):
        self.assertEqual(column(series("gauge", [(0, 1), (1, 0), (2, 0)]), HOUR, "mean"), [D("0.333333333333333")])
        self.assertEqual(column(series("gauge", [(0, "1.00000000000001"), (1, "1.00000000000002")]), HOUR, "mean"), [D("1.00000000000002")])
        self.assertEqual(column(series("gauge", [(0, "1.00000000000002"), (1, "1.00000000000003")]), HOUR, "mean"), [D("1.00000000000002")])

    def test_empty_is_null_and_never_zero(self):
        made = series("gauge", [(0, 5)])
        for name in "mean", "min", "max", "first", "last", "twa", "integral", "stddev", "median", "covered":
            self.assertEqual(column(made, HOUR, name, 2 * HOUR)[1], None, name)
        self.assertEqual(column(made, HOUR, "count", 2 * HOUR), [1, 0])
        self.assertEqual(column(made, HOUR, "count", 2 * HOUR, fill="none"), [1])

    def test_fills(self):
        made = series("gauge", [(-10 * MINUTE, 10), (10 * MINUTE, 30), (70 * MINUTE, 0)])
        quarters = lambda fill, gap=None: column(made, 5 * MINUTE, "mean", 25 * MINUTE, fill=fill, max_gap=gap)
        self.assertEqual(quarters("null"), [None, None, 30, None, None])
        self.assertEqual(quarters("previous"), [10, 10, 30, 30, 30])
        self.assertEqual(quarters("previous", 5 * MINUTE), [None, None, 30, 30, None])
        self.assertEqual(quarters("linear"), [20, 25, 30, None, None])
        self.assertEqual(quarters("linear", HOUR), [20, 25, 30, D("27.5"), 25])
        self.assertEqual(column(made, HOUR, "mean", 4 * HOUR, fill="previous", max_gap=DAY), [30, 0, None, None])

    def test_units(self):
        made = series("gauge", [(0, "1.5"), (MINUTE, 2)], unit="degC")
        self.assertEqual(column(made, HOUR, "max", unit="K"), [D("275.15")])
        self.assertEqual(column(made, HOUR, "mean", unit="degF"), [D("35.15")])
        self.assertRaises(Refusal, column, made, HOUR, "max", unit="W")
        self.assertEqual(column(series("gauge", [(0, 1)], unit="m/s"), HOUR, "max", unit="kn"), [rounded(Fraction(900, 463))])


class Counters(unittest.TestCase):
    rows = [(0, 100), (10, 110), (20, 120), (40, 145), (50, 5), (60, 25)]

    def made(self, rows=None, **declared):
        return series("counter", [(t * MINUTE, value) for t, value in rows or self.rows], unit="Wh", **declared)

    def test_adds_up_over_a_reset(self):
        self.assertEqual(column(self.made(), 2 * HOUR, "increase"), [20 + 25 + 5 + 20])
        self.assertEqual(column(self.made(), 10 * MINUTE, "increase", HOUR + 10 * MINUTE), [10, 10, None, 25, 5, 20, None])

    def test_a_reading_on_an_edge_closes_the_bucket_before_it(self):
        self.assertEqual(column(self.made([(0, 1), (60, 4)]), HOUR, "increase", 2 * HOUR), [3, None])
        self.assertEqual(column(self.made([(0, 1), (60, 4)]), HOUR, "count", 2 * HOUR), [1, 1])

    def test_a_first_reading_has_no_baseline_but_one_before_the_range_is_one(self):
        self.assertEqual(column(self.made([(5, 1000)]), HOUR, "increase"), [None])
        self.assertEqual(column(self.made([(-9999, 990), (5, 1000)]), HOUR, "increase"), [10])

    def test_a_decrease(self):
        back = [(0, 100), (10, 97), (20, 101)]
        self.assertEqual(column(self.made(back), HOUR, "increase"), [97 + 4])
        self.assertEqual(column(self.made(back, epsilon=D(3)), HOUR, "increase"), [-3 + 4])
        self.assertEqual(column(self.made(back, epsilon=D(2)), HOUR, "increase"), [97 + 4])
        self.assertEqual(column(self.made(back, register_size=D(1000)), HOUR, "increase"), [997 + 4])

    def test_a_change_of_the_meter(self):
        change = (T0 + 5 * MINUTE, D(130), D(7))
        self.assertEqual(column(self.made([(0, 100), (10, 9)], changes=[change]), HOUR, "increase"), [30 + 2])
        self.assertEqual(column(self.made([(0, 100), (10, 900)], changes=[change]), HOUR, "increase"), [30 + 893])
        self.assertEqual(column(self.made([(0, 100), (10, 9)], changes=[change, (T0 + 6 * MINUTE, D(8), D(0))]), HOUR, "increase"), [30 + 1 + 9])

    def test_a_gap_is_booked_where_the_register_was_next_seen_or_spread(self):
        made = self.made([(0, 0), (180, 10)])
        self.assertEqual(column(made, HOUR, "increase", 3 * HOUR), [None, None, 10])
        self.assertEqual(column(made, HOUR, "increase", 3 * HOUR, fill="linear", max_gap=DAY),
                         [D("3.333333333"), D("3.333333334"), D("3.333333333")])
        self.assertEqual(column(made, HOUR, "increase", 3 * HOUR, fill="linear"), [None, None, 10])


class Amounts(unittest.TestCase):
    def test_cut_by_an_edge_the_total_is_conserved(self):
        made = series("interval", [(50 * MINUTE, "10")], unit="Wh", period=15 * MINUTE)
        self.assertEqual(column(made, HOUR, "sum", 2 * HOUR), [D("6.666666667"), D("3.333333333")])
        self.assertEqual(column(made, HOUR, "covered", 2 * HOUR), [600, 300])
        self.assertEqual(column(made, 5 * MINUTE, "sum", 65 * MINUTE, 50 * MINUTE), [D("3.333333333"), D("3.333333334"), D("3.333333333")])

    def test_means_and_extremes_are_of_the_parts(self):
        made = series("interval", [(0, 8), (15 * MINUTE, 4)], unit="Wh", period=15 * MINUTE)
        self.assertEqual(column(made, HOUR, "mean"), [6])
        self.assertEqual(column(made, 5 * MINUTE, "sum", 30 * MINUTE)[2:4], [D("2.666666667"), D("1.333333333")])

    def test_units(self):
        made = series("interval", [(n * 15 * MINUTE, n) for n in range(4)], unit="Wh", period=15 * MINUTE)
        self.assertEqual(column(made, HOUR, "sum", unit="kWh"), [D("0.006")])


class Knowledge(unittest.TestCase):
    def value(self, made, **asked):
        rows = answers.answer(made, Question(T0 + DAY - HOUR, T0 + 2 * DAY, **asked))
        return rows[0][1] if rows else None

    def test_forecasts(self):
        made = Series("e", "Weather", "temperature", "degC", "gauge")
        made.put(T0 + DAY, D(10), T0 // 1000 + 10**9, issued=T0)
        made.put(T0 + DAY, D(12), T0 // 1000 + 10**9, issued=T0 + 6 * HOUR)
        self.assertEqual(self.value(made), 12)
        self.assertEqual(self.value(made, asof=T0 + 3 * HOUR), 10)
        self.assertEqual(self.value(made, asof=T0 - 1000), None)
        self.assertEqual(self.value(made, lead=24 * HOUR), 10)
        self.assertEqual(self.value(made, lead=25 * HOUR), None)
        made.put(T0 + DAY, D(9), T0 // 1000 + 86400000)
        self.assertEqual(self.value(made), 9)
        self.assertEqual(self.value(made, lead=6 * HOUR), 12)
        made.delete(T0 + DAY, T0 // 1000 + 2 * 86400000)
        self.assertEqual(self.value(made), None)
        self.assertEqual(self.value(made, asof=T0 + DAY), 9)

    def test_revisions(self):
        made = series("gauge", [(DAY, 1)])
        made.put(T0 + DAY, D(2), T0 // 1000 + 2 * 86400000)
        made.put(T0 + DAY, D(2), T0 // 1000 + 3 * 86400000)
        self.assertEqual([self.value(made, asof=T0 + n * DAY) for n in (1, 2, 3)], [1, 2, 2])

    def test_quality(self):
        made = series("gauge", [(0, 1), (MINUTE, 2)])
        made.put(T0 + MINUTE, D(2), 0, quality=4)
        self.assertEqual(column(made, HOUR, "count"), [1])
        self.assertEqual(column(made, HOUR, "count", quality="suspect"), [2])
        self.assertEqual(len(answers.answer(made, Question(T0, T0 + HOUR))), 2)
        self.assertEqual(len(answers.answer(made, Question(T0, T0 + HOUR, quality="estimated"))), 1)

    def test_bounds(self):
        made = series("gauge", [(0, 1), (MINUTE, 2), (2 * MINUTE, 3)])
        rows = answers.answer(made, Question(T0 + 1, T0 + 2 * MINUTE, bounds="outside"))
        self.assertEqual([(row[1], row[3]) for row in rows], [(1, True), (2, False), (3, True)])


class Across(unittest.TestCase):
    def test_series_and_missing(self):
        many = [series("gauge", [(0, 1), (HOUR, 2)]), series("gauge", [(0, 5)]), series("gauge", [])]
        over = lambda how, fill="null": answers.answer_over(many, Question(T0, T0 + 3 * HOUR, ("F", HOUR), agg=("mean",), over=how, fill=fill))
        self.assertEqual([row[1:] for row in over("sum")], [[6, 2, 1], [2, 1, 2], [None, 0, 3]])
        self.assertEqual([row[1] for row in over("mean")], [3, 2, None])
        self.assertEqual([row[1] for row in over("max", "none")], [5, 2])


class Properties(unittest.TestCase):
    """Of random questions about a random world."""

    def setUp(self):
        self.seed = random.SystemRandom().randrange(1 << 30)
        self.rng = random.Random(self.seed)
        self.world = world.World(self.rng)
        for phase in range(3):
            self.world.deliver(phase)
        self.asker = questions.Asker(self.world, self.rng)

    def asked(self, n):
        while n:
            made, question = self.asker.ask()
            if isinstance(made, list) or question.begin >= question.end or question.step is None:
                continue
            try:
                rows = answers.answer(made, question)
            except Refusal:
                continue
            n -= 1
            yield made, question, rows

    def test_two_halves_are_the_whole(self):
        for made, question, rows in self.asked(150):
            for start, _ in grid.buckets(question.step, question.zone, question.begin, question.end)[1:3]:
                halves = answers.answer(made, question.but(end=start)) + answers.answer(made, question.but(begin=start))
                self.assertEqual(halves, rows, f"seed {self.seed}: {made.entity} {question} cut at {start}")

    def test_increases_add_up_to_the_whole(self):
        meters = [feed for feed in self.world.feeds if feed.series.kind == "counter"]
        for _ in range(60):
            feed = self.rng.choice(meters)
            step = ("F", self.rng.choice([420, 900, 3600, 10800]) * SECOND)
            begin = self.rng.randrange(feed.begin, feed.end)
            question = Question(begin, begin + 3 * DAY, step, self.rng.choice([None, "Europe/Berlin"]), ("increase",),
                                self.rng.choice(["null", "linear"]), self.rng.choice([None, DAY]))
            parts = [row[1] for row in answers.answer(feed.series, question)]
            line = answers.line_of(feed.series, question)
            self.assertEqual(sum(x or 0 for x in parts), line.increase(question.begin, question.end) or 0, f"seed {self.seed}: {question}")

    def test_integrals_and_covered_time_add_up_to_the_whole(self):
        gauges = [feed for feed in self.world.feeds if feed.series.kind == "gauge"]
        for _ in range(60):
            feed = self.rng.choice(gauges)
            begin = self.rng.randrange(feed.begin, feed.end)
            question = Question(begin, begin + DAY, ("F", self.rng.choice([420, 900, 10800]) * SECOND), "Africa/Cairo")
            line, parts = answers.line_of(feed.series, question), answers.edges(question)
            for of in line.area, line.covered:
                self.assertEqual(sum(of(a, b) for _, a, b in parts), of(begin, begin + DAY), f"seed {self.seed}: {question}")

    def test_a_mean_over_time_lies_between_the_values_around(self):
        gauges = [feed for feed in self.world.feeds if feed.series.kind == "gauge" and feed.series.unit != "deg"]
        for _ in range(60):
            feed = self.rng.choice(gauges)
            begin = self.rng.randrange(feed.begin, feed.end)
            line = answers.line_of(feed.series, Question(begin, begin, max_gap=self.rng.choice([None, DAY])))
            end = begin + self.rng.choice([MINUTE, HOUR, DAY])
            covered = line.covered(begin, end)
            if covered:
                around = [value for pair in line.pairs(begin, end) for value in (pair[0].value, pair[1].value)]
                self.assertTrue(min(around) <= line.area(begin, end) / covered <= max(around), f"seed {self.seed}")


if __name__ == "__main__":
    unittest.main()
