import random
from pathlib import Path

from scripts.english_text import (
    SHARED,
    Source,
    clean_definitions,
    clean_paragraph,
    lay_out,
    make_documents,
    split_pieces,
    strip_wiki_markup,
    use_plain_marks,
    use_typographic_marks,
)

PROSE = "The quick brown fox jumps over the lazy dog, and the dog does not mind it at all."


def test_markup_is_removed_and_prose_stays() -> None:
    markup = f"{{{{Infobox|x=[[y]]}}}}\n'''Fox''' {PROSE} [[animal|An animal]] [http://x.org of course]<ref>no</ref>\n"
    markup += f"== See also ==\n* [[Dog]]\n== History ==\n{PROSE}\n[[de:Fuchs]]\n{{| class=x\n| cell\n|}}"
    assert list(strip_wiki_markup("Fox", markup)) == ["Fox", f"Fox {PROSE} An animal of course", "History", PROSE]


def test_definitions_are_those_of_a_dictionary_without_its_quotations() -> None:
    entry = (
        "Fox \\Fox\\, n. [AS. fox.] 1. (Zool.) A carnivorous animal of the genus Vulpes, family Canidae. --Cuvier.\n"
    )
    assert clean_definitions(entry) == "Fox: A carnivorous animal of the genus Vulpes, family Canidae."
    assert (
        clean_definitions('Fox \\Fox\\ 1. "Subtle as the fox for prey, like warlike as the wolf for what we eat."')
        == ""
    )


def test_characters_of_other_scripts_go_and_mostly_foreign_paragraphs_too() -> None:
    assert (
        clean_paragraph("Moscow (\u041c\u043e\u0441\u043a\u0432\u0430) is a na\u00efve city.")
        == "Moscow is a na\u00efve city."
    )
    assert clean_paragraph("\u041c\u043e\u0441\u043a\u0432\u0430 is a city.") == ""


def test_marks_are_changed_to_and_fro() -> None:
    plain = "\"Well,\" he said--'it's so'..."
    typographic = use_typographic_marks(plain)
    assert typographic == "\u201cWell,\u201d he said\u2014\u2018it\u2019s so\u2019\u2026"
    assert use_plain_marks(typographic) == plain


def test_a_layout_changes_white_space_and_marks_only() -> None:
    for seed in range(40):
        text = lay_out([PROSE, "\tcode  stays"], random.Random(seed))
        assert " ".join(text.split()) == f"{PROSE} code stays"
        assert "code  stays" in text


def test_paragraphs_that_are_measured_on_or_stood_before_are_left_out(tmp_path: Path) -> None:
    other = (
        "Nothing of this sentence is to be found anywhere in the texts that figures are measured on, whatever they are."
    )
    source = Source(
        "x", "none", lambda _: [[PROSE.upper(), other, other, other + " And more of it, so that it is long."]]
    )
    measured = set(split_pieces(f"So it began.  {PROSE}\n"))
    assert all(len(piece) == SHARED for piece in measured)
    assert make_documents(source, tmp_path, measured) == [[other, other + " And more of it, so that it is long."]]
