from charrnn.wording import count_of, round_number


def test_one_thing_has_no_plural() -> None:
    assert count_of(1, "line") == "1 line"
    assert count_of(0, "line") == "0 lines"
    assert count_of(1200, "entry", "entries") == "1,200 entries"


def test_numbers_have_no_exponents() -> None:
    assert [round_number(value) for value in (0.034, 1.64, 9.96, 160.4, 12345.0)] == [
        "0.034",
        "1.6",
        "10",
        "160",
        "12,000",
    ]
