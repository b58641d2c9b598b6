"""Decimals without rounding, and the one rounding that the contract knows: half to even, to 15 significant digits."""
import decimal
from decimal import Decimal
from fractions import Fraction

# Whatever would round in here is an error of the model, not of an answer.
EXACT = decimal.Context(prec=400, Emax=10000, Emin=-10000, traps=[decimal.Inexact, decimal.InvalidOperation])
QUOTIENT = decimal.Context(prec=15, rounding=decimal.ROUND_HALF_EVEN, Emax=10000, Emin=-10000)
WIDE = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_EVEN, Emax=10000, Emin=-10000)


class Near:
    """A number that no two libraries of transcendental functions print alike: equal within a tolerance; modulo for angles."""

    def __init__(self, value, tolerance, modulo=None):
        self.value, self.tolerance, self.modulo = value, tolerance, modulo

    def __eq__(self, other):
        if isinstance(other, Near):
            return self.value == other.value
        if not isinstance(other, (int, Decimal)):
            return False
        difference = abs(Fraction(self.value) - Fraction(other))
        if self.modulo:
            if not 0 <= other < self.modulo:
                return False
            difference = min(difference, self.modulo - difference)
        return difference <= self.tolerance

    def __repr__(self):
        return f"about {self.value}"


def total(values):
    result = Decimal(0)
    for value in values:
        result = EXACT.add(result, value)
    return result


def rounded(fraction):
    """A quotient as answers give it."""
    fraction = Fraction(fraction)
    return QUOTIENT.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))


def terminates(fraction):
    denominator = Fraction(fraction).denominator
    for prime in 2, 5:
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def exactly(fraction):
    """All digits of a number that has finitely many."""
    fraction = Fraction(fraction)
    return EXACT.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))


def plain(fraction):
    """All digits where they end, else 15."""
    return exactly(fraction) if terminates(fraction) else rounded(fraction)


def to_places(fraction, places):
    """Half to even, to so many decimals."""
    return exactly(Fraction(round(Fraction(fraction) * 10 ** places), 10 ** places))


def root(fraction):
    """The square root, rounded once."""
    value = WIDE.sqrt(WIDE.divide(Decimal(fraction.numerator), Decimal(fraction.denominator)))
    return QUOTIENT.plus(value)
