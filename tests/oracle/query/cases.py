"""What went wrong elsewhere, in public: the number of the issue, readings that show it, and what the answer has to be.

Only what happened is taken from there; readings and answers are computed anew, by hand."""
import json
from decimal import Decimal

from . import grid
from .grid import DAY, HOUR, MINUTE

D = Decimal
FILLS = "null", "none", "previous", "linear"


class Case:
    type, quantity, unit, period = "SmartMeter", "voltage", None, None
    name = None

    @property
    def entity(self):
        return "case-" + self.name.split("_")[1]

    def readings(self):
        """[(microseconds, number)]"""
        return []

    def late(self):
        """[(microseconds, number)] that arrive when the others are sealed"""
        return []

    def assets(self):
        return []

    def messages(self, phase):
        """As world.World.deliver has them."""
        out = []
        for t, value in (self.readings, self.late)[phase]():
            body = {"entity": self.entity, "type": self.type, "time": grid.printed(t), "values": {self.quantity: value}}
            if self.unit:
                body["units"] = {self.quantity: self.unit}
            if self.period:
                body["period"] = self.period
            out.append((0, t // 1000 + phase * 90 * 86400000, self.entity, json.dumps(body)))
        return out

    def asked(self):
        """[(parameters, rows)]"""
        return []

    def check(self, got, wanted):
        assert got == wanted, f"{got} instead of {wanted}"


class Fill7439(Case):
    """A day of 25 hours, and days after it, with every fill: no bucket is there twice."""
    name = "questdb_7439_no_fill_makes_a_bucket_when_clocks_go_back"
    begin = grid.at("2013-11-01T04:00:00Z")

    def readings(self):
        return [(self.begin + n * HOUR, 230) for n in range(24 * 5 + 1)]

    def asked(self):
        rows = [["2013-11-01T00:00:00-04:00", 24], ["2013-11-02T00:00:00-04:00", 24], ["2013-11-03T00:00:00-04:00", 25],
                ["2013-11-04T00:00:00-05:00", 24], ["2013-11-05T00:00:00-05:00", 24]]
        question = {"from": "2013-11-01", "to": "2013-11-06", "step": "P1D", "tz": "America/New_York", "agg": "count"}
        return [(question | {"fill": fill}, rows) for fill in FILLS]


class Fill6755(Case):
    """Months without readings around both changes of the clocks: each is filled where it begins by the local calendar."""
    name = "questdb_6755_months_are_filled_at_local_midnight"
    months = ["2025-01-01T00:00:00+01:00", "2025-02-01T00:00:00+01:00", "2025-03-01T00:00:00+01:00", "2025-04-01T00:00:00+02:00",
              "2025-05-01T00:00:00+02:00"]

    def readings(self):
        return [(grid.at("2025-01-10T00:00:00Z"), 1), (grid.at("2025-05-10T00:00:00Z"), 5)]

    def asked(self):
        question = {"from": "2025-01-01", "to": "2025-06-01", "step": "P1M", "tz": "Europe/Berlin", "agg": "count"}
        rows = [[month, n] for month, n in zip(self.months, [1, 0, 0, 0, 1])]
        return [(question | {"fill": fill}, rows) for fill in ("null", "previous", "linear")] + [(question | {"fill": "none"}, [rows[0], rows[-1]])]


class Late10296(Case):
    """Daily sums in a named zone follow a correction and a late reading, on both sides of the change of the clocks."""
    name = "timescaledb_10296_days_of_a_zone_follow_late_readings"
    type, quantity, period = "Load", "energy", "PT1H"
    begin = grid.at("2025-03-28T23:00:00Z")

    def readings(self):
        return [(self.begin + n * HOUR, 1) for n in range(24 + 23 + 24) if n not in (24, 46)]

    def late(self):
        return [(self.begin + 24 * HOUR, 10), (self.begin + 46 * HOUR, 100), (self.begin + 47 * HOUR, 3)]

    def asked(self):
        question = {"from": "2025-03-29", "to": "2025-04-01", "step": "P1D", "tz": "Europe/Berlin", "agg": "count,sum"}
        return [(question, [["2025-03-29T00:00:00+01:00", 24, 24], ["2025-03-30T00:00:00+01:00", 23, 21 + 110],
                            ["2025-03-31T00:00:00+02:00", 24, 26]])]


class Previous6878(Case):
    """The value from before the range is known; nothing is known behind the newest."""
    name = "influxdb_6878_previous_reaches_back_before_the_range"

    def readings(self):
        return [(grid.at("2016-06-20T16:09:13Z"), 10), (grid.at("2016-06-20T16:19:13Z"), 100)]

    def asked(self):
        question = {"from": "2016-06-20T16:10:00Z", "to": "2016-06-20T16:30:00Z", "step": "PT5M", "agg": "max", "fill": "previous"}
        return [(question, [["2016-06-20T16:10:00Z", 10], ["2016-06-20T16:15:00Z", 100], ["2016-06-20T16:20:00Z", None],
                            ["2016-06-20T16:25:00Z", None]]),
                (question | {"max_gap": "PT30S"}, [["2016-06-20T16:10:00Z", None], ["2016-06-20T16:15:00Z", 100], ["2016-06-20T16:20:00Z", None],
                                                   ["2016-06-20T16:25:00Z", None]])]


class Weighted23929(Case):
    """Readings of 0 and 1 have a mean over time between 0 and 1, however unevenly they come and wherever buckets lie."""
    name = "influxdb_23929_a_mean_over_time_stays_within_min_and_max"
    begin = grid.at("2023-01-10T00:00:00Z")

    def readings(self):
        t, out = self.begin, []
        for n in range(60):
            t += (1, 7, 60, 1500, 20)[n % 5] * 1000000 + n % 3 * 137000
            out.append((t, (n * n // 3) % 2))
        return out

    def asked(self):
        return [({"from": grid.printed(self.begin), "to": grid.printed(self.begin + 6 * HOUR), "step": step, "agg": "twa"}, None)
                for step in ("PT1M", "PT7M", "PT1H", "P1D")]

    def check(self, got, wanted):
        values = [row[1] for row in got if row[1] is not None]
        assert values and all(0 <= value <= 1 for value in values), got


class Jitter99(Case):
    """A register that steps back by 0.1 kWh has not been read from 0 again."""
    name = "grott_99_a_small_step_back_is_no_new_meter"
    quantity, unit = "activeEnergyExport", "kWh"
    begin = grid.at("2022-02-02T10:00:00Z")

    def readings(self):
        return [(self.begin + n * 5 * MINUTE, value) for n, value in enumerate([8453.2, 8453.4, 8453.3, 8453.4, 8453.9])]

    def assets(self):
        return [{"asset": "Series", "entity": self.entity, "property": self.quantity, "epsilon": 100}]

    def asked(self):
        question = {"from": grid.printed(self.begin), "agg": "increase", "unit": "kWh"}
        return [(question | {"to": grid.printed(self.begin + HOUR), "step": "PT1H"}, [["2022-02-02T10:00:00Z", D("0.7")]]),
                (question | {"to": grid.printed(self.begin + 20 * MINUTE), "step": "PT10M"},
                 [["2022-02-02T10:00:00Z", D("0.1")], ["2022-02-02T10:10:00Z", D("0.6")]])]


class First3079(Case):
    """A register that is first seen at 48 MWh has not moved by 48 MWh."""
    name = "victoriametrics_3079_a_first_reading_is_no_increase"
    quantity = "activeEnergyImport"
    begin = grid.at("2022-09-05T00:00:00Z")

    def readings(self):
        return [(self.begin + 30 * MINUTE, 48000000), (self.begin + 90 * MINUTE, 48000700), (self.begin + 4 * DAY, 48009000)]

    def asked(self):
        question = {"from": grid.printed(self.begin), "agg": "increase"}
        hours = [["2022-09-05T00:00:00Z", None], ["2022-09-05T01:00:00Z", 700], ["2022-09-05T02:00:00Z", None]]
        # what moved in the gap is with the reading that closes it; that lies on an edge, so it is the day before it (definition 8)
        days = [[f"2022-09-0{5 + n}T00:00:00Z", moved] for n, moved in enumerate([700, None, None, 8300, None])]
        return [(question | {"to": grid.printed(self.begin + 3 * HOUR), "step": "PT1H"}, hours),
                (question | {"to": grid.printed(self.begin + 5 * DAY), "step": "P1D"}, days)]


CASES = [Fill7439(), Fill6755(), Late10296(), Previous6878(), Weighted23929(), Jitter99(), First3079()]
