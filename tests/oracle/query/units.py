"""Units as far as the questions use them: the factor from one to another is a fraction, degrees of temperature have an offset too."""
from fractions import Fraction

# unit: (dimension, factor to the base unit, what is added before that)
UNITS = {
    "Wh": ("energy", 3600, 0), "kWh": ("energy", 3600000, 0), "MWh": ("energy", 3600000000, 0), "J": ("energy", 1, 0),
    "kJ": ("energy", 1000, 0), "MJ": ("energy", 10**6, 0),
    "W": ("power", 1, 0), "kW": ("power", 1000, 0), "MW": ("power", 10**6, 0),
    "V": ("voltage", 1, 0), "kV": ("voltage", 1000, 0), "mV": ("voltage", Fraction(1, 1000), 0),
    "A": ("current", 1, 0), "mA": ("current", Fraction(1, 1000), 0),
    "K": ("temperature", 1, 0), "degC": ("temperature", 1, Fraction("273.15")), "degF": ("temperature", Fraction(5, 9), Fraction("459.67")),
    "%": ("ratio", Fraction(1, 100), 0), "1": ("ratio", 1, 0),
    "m/s": ("speed", 1, 0), "km/h": ("speed", Fraction(5, 18), 0), "kn": ("speed", Fraction(463, 900), 0),
    "deg": ("angle", 1, 0), "W/m2": ("irradiance", 1, 0), "kW/m2": ("irradiance", 1000, 0),
}
INTEGRAL = {"W": "Wh", "var": "varh", "A": "Ah", "m3/h": "m3", "W/m2": "Wh/m2"}      # over hours

OF_INTEGRAL = INTEGRAL | {"kW": "kWh", "MW": "MWh", "mA": "mAh", "kW/m2": "kWh/m2"}     # in another unit, too
NO_VALUES = {"count", "mintime", "maxtime", "covered"}                                  # whose unit is always the same


def shown(unit, asked, step, agg):
    """What `unit` and `integral_unit` say of a series in that unit; None where the latter is not told."""
    values = set(agg) - NO_VALUES if step else {"value"}
    if not values:
        return unit, None
    unit = asked or unit
    if "integral" not in values:
        return unit, None
    return (OF_INTEGRAL[unit], None) if values == {"integral"} else (unit, OF_INTEGRAL[unit])


def converts(unit, into):
    return unit in UNITS and into in UNITS and UNITS[unit][0] == UNITS[into][0]


def conversion(unit, into):
    """(factor, offset): value in the other unit = value * factor + offset."""
    (_, one, before), (_, other, after) = UNITS[unit], UNITS[into]
    factor = Fraction(one) / Fraction(other)
    return factor, Fraction(before) * factor - Fraction(after)


def of_unit(into):
    """Of some unit, those that it can be asked in; and that it cannot."""
    return [name for name, facts in UNITS.items() if facts[0] == UNITS[into][0]] if into in UNITS else []
