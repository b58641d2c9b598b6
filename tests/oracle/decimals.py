#!/usr/bin/env python3
"""Random cases for model/decimal and model/unit with the answers of Python's decimal and fractions.

usage: decimals.py decimal|unit COUNT SEED        one case a line, see the functions case_*
"""
import decimal
import random
import re
import sys
from fractions import Fraction

EXP_MIN, EXP_MAX = -24, 15
INT64_MAX = 2**63 - 1
GRAMMAR = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
WIDE = decimal.Context(prec=400, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.Inexact])
WIDE_FREE = decimal.Context(prec=2000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])
TO_18 = decimal.Context(prec=18, rounding=decimal.ROUND_HALF_EVEN, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN,
                        traps=[])


# ---- answers ----

def canonical(m, e):
    if m == 0:
        return 0, 0
    while m % 10 == 0:
        m, e = m // 10, e + 1
    return m, e


def fraction(m, e):
    return Fraction(m) * Fraction(10) ** e


def parse(text):
    """What decimal_parse says to a text: words of the answer."""
    if not GRAMMAR.fullmatch(text):
        return ["invalid"]
    if not any(c in "123456789" for c in re.split("[eE]", text)[0]):
        return [0, 0, 0]
    value = WIDE_FREE.create_decimal(text)
    rounded = TO_18.plus(value)
    if not value.is_finite() or not rounded or not rounded.is_finite():
        return ["limit"]
    sign, digits, e = rounded.as_tuple()
    m, e = canonical(int("".join(map(str, digits))), e)
    if not EXP_MIN <= e <= EXP_MAX:
        return ["limit"]
    return [-m if sign else m, e, int(rounded != value)]


def terminates(x):
    """m and e of a fraction, or None when it has no end."""
    twos, fives, rest = 0, 0, x.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return None
    k = max(twos, fives)
    return canonical(x.numerator * 10**k // x.denominator, -k)


def text_of(x):
    """Plain notation by the decimal module."""
    m, e = terminates(x)
    if m == 0:
        return "0"
    text = format(decimal.Decimal(m).scaleb(e, WIDE), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def round_to(x, digits):
    """A fraction, half to even, to significant digits: round() of a Fraction is exact."""
    if x == 0:
        return 0, 0
    e = len(str(abs(x.numerator))) - len(str(x.denominator)) - digits + 1
    while abs(x) / Fraction(10) ** e >= 10**digits:
        e += 1
    while abs(x) / Fraction(10) ** e < 10 ** (digits - 1):
        e -= 1
    return canonical(round(x / Fraction(10) ** e), e)


def sign_of(x):
    return (x > 0) - (x < 0)


# ---- questions ----

def any_digits(r, most):
    return "".join(r.choice("0123456789") for _ in range(r.randint(1, most)))


def any_number(r):
    kind = r.randrange(8)
    sign = r.choice(["", "", "-"])
    if kind == 0:
        return f"{sign}{r.randrange(400)}.{r.randrange(1000):0{r.randint(1, 3)}d}"
    if kind == 1:
        return sign + str(r.randrange(10 ** r.randint(1, 21)))
    if kind == 2:
        return sign + str(r.randrange(10 ** r.randint(1, 19))) + "0" * r.randint(0, 12)
    if kind == 3:
        return repr(r.uniform(-1, 1) * 10.0 ** r.randint(-20, 17))
    if kind == 4:
        return f"{sign}0.{'0' * r.randint(0, 24)}{any_digits(r, 24)}"
    if kind == 5:  # a tie in the 19th digit, or nearly
        digits = str(r.randrange(10**17, 10**18)) if r.random() < 0.8 else "9" * 18
        digits += r.choice(["5", "49", "50", "500000", "50000000001", "4999999999", "51"])
        point = r.randint(1, len(digits))
        return sign + digits[:point] + ("." + digits[point:] if point < len(digits) else "")
    if kind == 6:
        exponent = r.choice([r.randint(-30, 30), r.randint(-5, 5), 10 ** r.randint(2, 40), -10 ** r.randint(2, 40)])
        plus = r.choice(["", "+"]) if exponent >= 0 else ""
        return f"{sign}{r.choice(['0', '1', str(r.randrange(1, 10**6))])}{r.choice(['', '.' + any_digits(r, 20)])}" \
               f"{r.choice('eE')}{plus}{exponent}"
    return f"{sign}{r.randrange(10**9)}.{any_digits(r, 40)}"


def any_text(r):
    text = any_number(r)
    while r.random() < 0.2:
        i = r.randrange(len(text) + 1)
        text = text[:i] + r.choice(["", "0", "-", "+", ".", "e", "E", "9", "x", "00"]) + text[i + r.randrange(2):]
    return text or "-"


def any_m(r, bits=63):
    m = r.choice([r.getrandbits(r.randint(1, bits)), 10 ** r.randint(0, 18) + r.randint(-1, 1), r.randrange(1000),
                  2 ** r.randint(0, bits) - r.randint(0, 1)])
    return max(-(2**bits), min(2**bits - 1, r.choice([m, -m])))


def any_e(r):
    return r.choice([r.randint(-3, 1), r.randint(EXP_MIN, EXP_MAX), r.randint(-127, 127)])


def case_parse(r):
    text = any_text(r)
    return ["parse", text, *parse(text)]


def case_decimal(r):
    """m e m e target: comparison, m at target, text"""
    a, b = (any_m(r), any_e(r)), (any_m(r), any_e(r))
    if r.random() < 0.3:  # nearly equal
        k = r.randint(0, 18)
        b = (max(-2**63, min(INT64_MAX, a[0] // 10**k + r.randint(-1, 1))), max(-127, min(127, a[1] + k)))
    x, y = fraction(*a), fraction(*b)
    target = r.choice([r.randint(-40, 30), a[1] + r.randint(-4, 4)])
    scaled = x / Fraction(10) ** target
    at = scaled.numerator if scaled.denominator == 1 and -2**63 <= scaled.numerator <= INT64_MAX else "no"
    return ["decimal", *a, *b, target, sign_of(x - y), at, text_of(x)]


def any_terms(r):
    """Steps of a sum: d m e, w m e (128 bits), x factor; the value, and the largest number that any step has to hold."""
    words, total, low, largest = [], Fraction(0), 0, Fraction(0)
    spread = r.choice([(0, 0), (-3, 0), (-3, 0), (EXP_MIN, EXP_MAX)])
    for _ in range(r.choice([0, 1, 2, 5, 30])):
        kind, e = r.random(), r.randint(*spread)
        if kind < 0.95:
            m = any_m(r, 63 if kind < 0.8 else 127)
            words += ["d" if kind < 0.8 else "w", m, e]
            total += fraction(m, e)
            low = min(low, e)
        else:
            factor = r.getrandbits(r.randint(0, 64))
            words += ["x", factor]
            total *= factor
        largest = max(largest, abs(total))
    return words, total, largest * Fraction(10) ** -low


def case_exact(r):
    """Two sums x and y; then the answers: texts of x, y, x + y, x - y; the comparison; x / divisor; x at an exponent."""
    while True:
        digits = r.choice([15, 15, 18, r.randint(1, 18)])
        divisor = r.choice([1, 2, 3, 4, 7, 900, 10 ** r.randint(0, 19), r.randint(1, 10**6), r.randint(1, 2**64 - 1)])
        (words_x, x, bound_x), (words_y, y, bound_y) = any_terms(r), any_terms(r)
        if r.random() < 0.3:  # the quotient is a tie, or just beside it
            m, e = r.randrange(10 ** (digits - 1), 10**digits) * 10 + 5, r.randint(-9, 3)
            beside = r.choice([-1, 0, 0, 1])
            factor = r.randint(1, min(divisor, 2**60))
            divisor = factor
            words_x = ["w", m, e, "x", factor, "d", beside, e]
            x = fraction(m * factor + beside, e)
            bound_x = abs(x) * 10**9
        if r.random() < 0.1:
            words_y, y, bound_y = words_x, x, bound_x
        if max(bound_x, bound_y) * 10 ** -EXP_MIN < 2**380:
            break
    q = round_to(x / divisor, digits)
    quotient = [*q] if abs(q[1]) <= 127 else ["limit"]
    target = r.randint(-30, 20)
    scaled = x / Fraction(10) ** target
    at = scaled.numerator if scaled.denominator == 1 and -2**63 <= scaled.numerator <= INT64_MAX else "no"
    return ["exact", *words_x, "/", *words_y, "/", text_of(x), text_of(y), text_of(x + y), text_of(x - y),
            sign_of(x - y), divisor, digits, *quotient, target, at]


def any_unit(r):
    """numerator denominator exponent offset_m offset_e"""
    kind = r.random()
    if kind < 0.3:
        n, d = 1, 1
    elif kind < 0.6:
        n, d = r.choice([(3600, 1), (1, 3600), (5, 9), (60, 1), (86400, 1), (1609344, 1000), (41868, 10000), (1, 60)])
    elif kind < 0.95:
        n, d = r.randint(1, 10**6), r.randint(1, 10**6)
    else:
        n, d = r.randint(1, INT64_MAX), r.randint(1, INT64_MAX)
    offset = r.choice([(0, 0), (0, 0), (27315, -2), (45967, -2), (-32, 0), (any_m(r, 40), r.randint(-6, 3))])
    return (n, d, r.randint(-12, 12), *offset)


def case_convert(r):
    """Two units and a value; the answer: m e rounded, or limit."""
    a, b = any_unit(r), any_unit(r)
    if r.random() < 0.2:
        b = a
    elif r.random() < 0.2:
        b = (a[0], a[1], b[2], 0, 0)
        a = (*a[:3], 0, 0)
    m = any_m(r)
    m, e = canonical(max(1 - 10**18, min(10**18 - 1, m)), r.choice([r.randint(-3, 0), r.randint(EXP_MIN, EXP_MAX)]))
    factor = Fraction(a[0], a[1]) / Fraction(b[0], b[1])
    x = (fraction(m, e) + fraction(*a[3:])) * factor * Fraction(10) ** (a[2] - b[2]) - fraction(*b[3:])
    short = terminates(x)
    if max(factor.numerator, factor.denominator) >= 2**64:
        answer = ["limit"]
    else:
        rounded = short is None or abs(short[0]) >= 10**18
        q = round_to(x, 15) if rounded else short
        answer = [*q, int(rounded)] if EXP_MIN <= q[1] <= EXP_MAX else ["limit"]
    return ["convert", *a, *b, m, e, *answer]


SECTIONS = {"decimal": [case_parse, case_parse, case_decimal, case_exact], "unit": [case_convert]}


def main():
    section, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    r = random.Random(seed)
    for _ in range(count):
        print(*r.choice(SECTIONS[section])(r))


main()
