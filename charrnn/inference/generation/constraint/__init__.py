r"""Generation under a regular expression: from the expression to tables over a model's symbols.

    pattern.py      the expression as parsed by Python -> its position automaton
    automaton.py    -> a deterministic automaton over classes of characters, which knows the stop strings
    symbols.py      -> transitions by the model's symbols: characters, bytes of UTF-8, words
    tables.py       -> the states that can reach a match, and the characters they need for it

The expression is parsed, and its character sets are evaluated, by the standard library's own `re`, so that `\w`,
ranges, flags and case folding mean what they mean in `re.fullmatch`. interegular 0.3.3 and greenery 4.2.3, the
libraries for this purpose, read `\d`, `\s` and `\w` as ASCII and differ from `re` in other points (`[]a]`, `\u00e9`,
`^` and `$`, and `.` or flags in one of them), so their samples would not match.
"""
