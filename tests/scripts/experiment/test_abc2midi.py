from scripts.experiment.abc2midi import TuneCheck, check_tunes, parse_output
from tests.needs import abc2midi

TUNE = "X:1\nT:Abc|def\nM:2/4\nL:1/8\nK:G\nGABc|d2c2|B3A2|G4|]"
OUTPUT = """4.84 January 20 2023 abc2midi
Warning in line-char 8-17 : replacing |: with double repeat (::)
Warning in line-char 6-15 : Track 0 Bar 3 has 5/2 time units while the time signature has 2
Warning in line-char 6-15 : Track 0 Bar 3 has 5/2 time units while the time signature has 2 in repeat
writing MIDI file tune.mid
"""
ERROR = "Error in line-char 6-3 : Malformed note : expecting a-g or A-G\n"


def test_errors_and_bars_in_the_output() -> None:
    assert parse_output(TUNE, OUTPUT, written=True) == TuneCheck(converted=True, bars=4, wrong_bars=1)
    assert not parse_output(TUNE, OUTPUT + ERROR, written=True).converted
    assert not parse_output(TUNE, OUTPUT, written=False).converted


@abc2midi
def test_abc2midi_itself() -> None:
    good, short, bad = check_tunes([TUNE.replace("B3A2", "B3A"), TUNE, TUNE.replace("B3A2", "B3?(")])
    assert good == TuneCheck(converted=True, bars=4, wrong_bars=0)
    assert short == TuneCheck(converted=True, bars=4, wrong_bars=1)
    assert not bad.converted
