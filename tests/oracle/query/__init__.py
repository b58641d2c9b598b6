"""A model of the range query: naive, exact, slow, and written from the contract's definitions alone.

    exact      decimals and the one rounding          grid       zones, local days, buckets
    history    messages, versions, what is in force   answers    aggregates, fills, units, rows
    world      random series and their messages       questions  random questions
    cases      what went wrong elsewhere              wire       a Kafka producer with timestamps of its own
    selftest   the model against numbers by hand: `cd tests/oracle && python3 -m unittest query.selftest`

tests/accept/16-oracle.py asks a real historian what the model knows.

Where the definitions are silent, or can be read in two ways, this is the question and how it is read here. The number of a
definition stands first; "choice" names a switch of answers.CHOICES, for --choose.

 Q1 (5)  stddev of a sample or of all? A sample's (n - 1): of one reading null. The root of the exact variance, rounded once. Choice "stddev".
 Q2 (9)  What do count, mean, min, max, first, last and percentiles of an amount see that is cut by an edge? Its parts: it counts in
         every bucket that it touches, so the counts of narrow buckets add up to more than that of a wide one; only sum is conserved.
 Q3 (7)  covered of amounts: the union of their periods. Of counters and states: the time between neighbours within max_gap, as of gauges.
 Q4 (4)  When is a bucket empty for twa, integral and covered? When it has no readings and no covered time: without that, integrals of
         adjacent buckets would not add up where readings are rarer than buckets. Then covered is null too, as "everything else"; it is 0
         where there are readings but no time counts. Choice "covered".
 Q5 (11) What does fill put into an empty bucket: the reading before, or the aggregate of the bucket before? The reading, since the
         definition speaks of the newest reading and of reaching back by index. linear: the line through the readings on both sides.
 Q6 (11) At which instant? The beginning of the part that is asked for. previous: at most max_gap after its reading. linear: the readings at
         most max_gap apart. Both only up to the newest reading. An interpolated value is a quotient: 15 digits. Of a step gauge linear is
         linear all the same.
 Q7 (11) Which aggregates are filled? Those that are values of the signal: mean min max first last twa and percentiles. count stays 0; sum,
         integral, increase, stddev, covered and the times stay null. Amounts are not filled; states only by previous; angles not by linear.
 Q8 (8)  Does fill=linear spread an increase over a gap longer than max_gap? No, by definition 11; such a gap stays booked where the
         register was next seen. It spreads over every pair that is nearer. To 9 decimals, as definition 9 does. Choice "spread". A bucket
         between two equal readings gets 0 then, not null: its register was seen to stand still.
 Q9 (4,8) increase of a bucket without readings, 0 or null? Null where no reading in (start, end] has one before it: "never 0". A reading at
         the bucket's very start is the end of the bucket before. So one exactly at `to` counts for increase and for nothing else.
Q10 (8)  Does a declared meter change act only on a decrease? No, on the pair of readings around it, whatever they show: (end - last before)
         + (first after - start), booked where the register was next seen. A reading at the instant of the change is the new meter's.
Q11 (8)  With a declared size and an epsilon, is a small step back a rollover? Yes, by the order of the definition, and then a
         register of 10^6 that trembles by 1 moves by 999,999. Jitter first would be kinder. Choice "decrease".
Q12 (6)  max_gap is the question's, else the series' declared maxGap, else 3 times the declared cadence, else PT45M; inclusive. It limits the
         distance of two readings, not that of a reading from an edge, since coverage would depend on the buckets otherwise.
Q13 (6)  Does a step hold for max_gap into a longer gap? No: such a pair covers nothing.
Q14 (6)  Do readings of refused quality end a line? No, they are left out before neighbours are looked for.
Q15      Quality and issues: the issue in force is chosen first; if its quality is refused, the time has no value (no older issue steps in).
Q16      asof: a value of a stated issue is known from that issue on, whenever its message came (else no import could be back-tested); what
         replaces or deletes it later, and every plain reading, from its Kafka timestamp on. All inclusive.
Q17      lead_min: plain readings are no forecasts and are left out; issued <= time - lead_min, and time is an amount's beginning. Choice "lead".
Q18 (1)  Is `tz=UTC` the same as no tz? Not for widths that do not divide a day: with a zone they begin anew each day.
Q19 (2)  A date that a zone skipped is no bucket: one of no length would have its successor's label.
Q20      over: the rounded values of the series are put together, as a reader of their rows would, after each series' fill; a mean is rounded
         once more. A series contributes to a bucket where one of its asked aggregates is not null (a count of 0 is nothing); a
         count of one that does not contribute is no 0 for min and mean either, it is missing.
Q21      unit converts every aggregate with the dimension of the series; of integral, whose unit is the series' times an hour, kW means kWh.
         increase, sum, integral and stddev have no offset. A quotient is converted before it is rounded. count, covered, times: untouched.
         What of unit=kWh with integral of a power, and kW with an amount? Not asked here: the contract says neither. `unit` tells the unit
         of the values; of integrals alone theirs; beside others `integral_unit` does (units.shown).
Q22 (10) Percentiles are exact: all digits, no rounding to 15.
Q23 (5)  stddev, twa and integral of degrees are not refused by the text, and mean nothing: not asked here. mintime and maxtime go with min and max.
Q24 (5)  The mean of directions that cancel out is null; else it is compared to 1e-9 of a degree, wider where they nearly cancel out.
Q25 (5,10) mintime and maxtime of counters and amounts: 422 by the list of definition 5. median is a percentile.
Q26 (4)  fill=none: which buckets have data? Those with readings, even where an aggregate of them is null (stddev of one), and those
         without readings for which an asked aggregate is not null (twa between rarer readings). So it may depend on the aggregates.
Q27      bounds=outside marks its readings in one more column, true or false; an empty range has none.
Q28      Equal, for "an equal value is a no-op", means value, quality and period.
Q29 (3)  The label of an edge bucket is the bucket's start, also before `from`.
Q30      Is min of a counter the smallest register reading, with resets and all? Yes.
"""
