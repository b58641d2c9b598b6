"""Prints what Python's zoneinfo says about time zones, one fact a line, for tests/unit/test_zone_oracle.c to compare with:

    offset ZONE T SECONDS        offset from UTC at the instant T (seconds since the epoch)
    day ZONE DAY T               T is the first instant whose local date is day number DAY or later
    local ZONE L FIRST SECOND    the instants of local time L, `-` where there is none

zones.py DIRECTORY [all]       facts about system zones: a selection, or all of them
zones.py DIRECTORY footers     writes zones with nothing but one transition and a rule to DIRECTORY first
"""
import datetime
import io
import os
import random
import struct
import sys
import zoneinfo

ZONES = """UTC Europe/Berlin Europe/Ljubljana Europe/Athens Europe/London Europe/Dublin Europe/Lisbon Europe/Moscow
Europe/Istanbul Europe/Volgograd Atlantic/Azores Atlantic/Reykjavik Africa/Casablanca Africa/El_Aaiun Africa/Cairo
Africa/Monrovia Africa/Juba Africa/Windhoek America/New_York America/St_Johns America/Havana America/Sao_Paulo
America/Asuncion America/Santiago America/Caracas America/Nuuk America/Scoresbysund America/Adak America/Anchorage
America/Metlakatla America/Indiana/Indianapolis America/Port-au-Prince America/Godthab Asia/Beirut Asia/Gaza
Asia/Tehran Asia/Kathmandu Asia/Pyongyang Asia/Amman Asia/Damascus Asia/Manila Asia/Kolkata Australia/Lord_Howe
Australia/Adelaide Antarctica/Troll Antarctica/Casey Pacific/Apia Pacific/Kwajalein Pacific/Kiritimati
Pacific/Chatham Pacific/Fiji Pacific/Norfolk Etc/GMT+12 Etc/GMT-14 EST5EDT""".split()

# Left out: rules that count days from 0 (`,59,300`), which CPython 3.11 places a day early, and changes within hours
# of New Year, where it asks the year of UTC. test_zone.c has other judges for both.
FOOTERS = [
    "<+0330>-3:30", "UTC0", "WWW3EDT4,0/0,J365/23", "EST5EDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3",
    "IST-1GMT0,M10.5.0,M3.5.0/1", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "EET-2EEST,M3.4.4/50,M10.4.4/50",
    "AEST-10AEDT,M10.1.0,M4.1.0/3", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "AAA3BBB,J60/2,J300/2",
    "AAA-5:30:15BBB-6:10:07,J2/0:00:01,J364/24", "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
    "AAA-12BBB-14,M1.2.1/0,M12.4.5/23:59:59", "AAA12BBB11,M2.5.0/-24,M12.4.3/72",
]

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
DAY = 86400
REACH = 26 * 3600  # no offset is larger
YEAR_9000 = 221845392000


def offset(zone, t):
    at = (EPOCH + datetime.timedelta(seconds=t)).astimezone(zone)
    return int(at.utcoffset().total_seconds())


def transitions(zone, begin, end, step):
    """Instants where the offset changes, found by halving between probes."""
    found = []
    before = offset(zone, begin)
    for t in range(begin + step, end, step):
        after = offset(zone, t)
        if after != before:
            low, high = t - step, t
            while high - low > 1:
                middle = (low + high) // 2
                if offset(zone, middle) == before:
                    low = middle
                else:
                    high = middle
            found.append(high)
            before = after
    return found


def day_start(zone, day, changes):
    """The instants where local time can cross a midnight are midnights at the known offsets, and changes of them."""
    window = [day * DAY - REACH] + [t for t in changes if abs(t - day * DAY) <= REACH]
    candidates = window + [day * DAY - offset(zone, t) for t in window]
    first = min(t for t in candidates if t >= window[0] and (t + offset(zone, t)) // DAY >= day)
    assert (first - 1 + offset(zone, first - 1)) // DAY < day
    return first


def instants(zone, local):
    """Both instants of a local time by zoneinfo's folds, kept only where they lead back."""
    found = set()
    for fold in (0, 1):
        wall = datetime.datetime(1970, 1, 1, fold=fold) + datetime.timedelta(seconds=local)
        wall = wall.replace(tzinfo=zone, fold=fold)
        t = local - int(wall.utcoffset().total_seconds())
        if t + offset(zone, t) == local:
            found.add(t)
    return (min(found), max(found)) if found else ("-", "-")


def print_zone(name, zone, changes, rand):
    for t in changes:
        for probe in (t - 1, t, t + 1, t + rand.randrange(-400 * DAY, 400 * DAY)):
            print("offset", name, probe, offset(zone, probe))
        local = t + offset(zone, t)
        before = t + offset(zone, t - 1)
        for day in range(min(local, before) // DAY - 1, max(local, before) // DAY + 2):
            print("day", name, day, day_start(zone, day, changes))
        for probe in {local - 1, local, before - 1, before, (local + before) // 2}:
            print("local", name, probe, *instants(zone, probe))
    for _ in range(100):
        t = rand.randrange(-2000000000, YEAR_9000)
        print("offset", name, t, offset(zone, t))


def make_zone(footer, last):
    """A TZif file of version 4 whose only transition is at last, from -1 h to what the footer says from then on."""
    def block(version, counts, data):
        return b"TZif" + version + bytes(15) + struct.pack(">6I", *counts) + data

    types = struct.pack(">iBB", -3600, 0, 0) + struct.pack(">iBB", 0, 0, 0)
    old = block(b"4", (0, 0, 0, 0, 1, 4), types[:6] + b"AAA\0")
    return old + block(b"4", (0, 0, 0, 1, 2, 4), struct.pack(">q", last) + b"\1" + types + b"AAA\0") + \
        b"\n" + footer.encode() + b"\n"


def print_footers(directory, rand):
    for n, footer in enumerate(FOOTERS):
        name = f"Footer{n}"
        data = make_zone(footer, -DAY)
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)
        zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(data))
        changes = transitions(zone, 3 * DAY, 30 * 365 * DAY, DAY // 4)
        far = transitions(zone, YEAR_9000, YEAR_9000 + 3 * 365 * DAY, DAY // 4)
        print_zone(name, zone, changes + far, rand)


def main():
    directory, mode = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "some"
    seed = int(os.environ.get("ALMANAC_SEED", "1"))
    rand = random.Random(seed)
    print(f"# seed {seed}")
    if mode == "footers":
        print_footers(directory, rand)
        return
    zoneinfo.reset_tzpath(to=[directory])
    for name in sorted(zoneinfo.available_timezones()) if mode == "all" else ZONES:
        if not os.path.isfile(os.path.join(directory, name)):
            continue
        zone = zoneinfo.ZoneInfo(name)
        print_zone(name, zone, transitions(zone, 0, 131 * 365 * DAY, DAY), rand)


main()
