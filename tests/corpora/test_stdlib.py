from charrnn.corpora.plain import read_stdlib


def test_stdlib_is_python_source_without_tests() -> None:
    pieces = read_stdlib()
    start = "".join(next(pieces) for _ in range(20))
    assert "import" in start
    assert "\r" not in start
