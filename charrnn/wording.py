"""Counts and numbers in words."""


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: `count_of(1, "line") == "1 line"`, `count_of(2000, "line") == "2,000 lines"`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def round_number(value: float) -> str:
    """A number to two significant digits, never with an exponent: 0.034, 1.6, 160 and 12,000."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:.2g}"
