#!/usr/bin/env python3
"""Real meter files as lines that bench_store reads: entity, property, unit, milliseconds since the epoch, value.

    bench/real_data.py FOLDER SET > FILE     FOLDER has tracebase-1s/, pv-nrel/, weather/ and nem12/; SET is one of those

Times without an offset are taken as UTC. Of several values at one second the last one counts, as in the store.
"""
import csv
import re
import sys
from datetime import datetime, timezone
from pathlib import Path


def name_of(text):
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:60] or "value"


def stamp(text, *formats):
    for form in formats:
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            continue
        return int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() * 1000)
    raise ValueError(f"not a time: {text!r}")


def tracebase(folder):
    for path in sorted(folder.glob("*.csv")):
        for row in csv.reader(open(path), delimiter=";"):
            yield path.stem.split("_")[0], "activePower", "W", stamp(row[0], "%d/%m/%Y %H:%M:%S"), row[1]


def columns(path, first, moment, rows):
    """A file with a line of names and a value a column from first on."""
    names = [name_of(text) for text in next(rows)]
    for row in rows:
        if row and row[0]:
            for name, value in list(zip(names, row))[first:]:
                if re.fullmatch(r"-?[0-9.]+", value):
                    yield name_of(path.stem), name, "W", moment(row), value


def tables(folder):
    forms = ("%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%z")
    for path in sorted(folder.glob("*.csv")):
        yield from columns(path, 1, lambda row: stamp(row[0], *forms), csv.reader(open(path)))
    for path in sorted(folder.glob("midc*.txt")):
        yield from columns(path, 2, lambda row: stamp(f"{row[0]} {row[1]}", "%m/%d/%Y %H:%M"), csv.reader(open(path)))


def nem12(folder):
    for path in sorted(folder.glob("*.csv")):
        series, minutes = None, 0
        for row in csv.reader(open(path)):
            if row[0] == "200":
                series, minutes = (name_of(f"{path.stem}_{row[1]}"), name_of(row[4]), row[7]), int(row[8])
            elif row[0] == "300":
                day = stamp(row[1], "%Y%m%d")
                for i, value in enumerate(row[2:2 + 1440 // minutes]):
                    yield *series, day + i * minutes * 60000, value


SETS = {"tracebase-1s": tracebase, "pv-nrel": tables, "weather": tables, "nem12": nem12}


def main():
    folder, name = Path(sys.argv[1]), sys.argv[2]
    latest = {}
    for entity, prop, unit, t_ms, value in SETS[name](folder / name):
        latest[entity, prop, t_ms] = (unit, re.sub(r"^(-?)\.", r"\g<1>0.", value))
    for (entity, prop, t_ms), (unit, value) in latest.items():
        print(entity, prop, unit, t_ms, value)


main()
