"""Each sentence of a page has a line of its own, so that a change shows as the sentence that it changes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "_ext"))
pytest.importorskip("sentences", reason="the pages are not in this distribution")

import sentences


def test_each_sentence_of_a_page_has_a_line_of_its_own():
    changed = [
        path.name
        for path in sentences.pages()
        if sentences.one_a_line(path.read_text("utf-8")) != path.read_text("utf-8")
    ]
    assert not changed, f"run `python docs/_ext/sentences.py`: {changed}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("One. Two\nends here.\n", "One.\nTwo ends here.\n"),
        ("See Rev. Mod. Phys. 75, 933. Then on.\n", "See Rev. Mod. Phys. 75, 933.\nThen on.\n"),
        ("- a list. Stays.\n", "- a list. Stays.\n"),
        ("```\na. B. c.\n```\n", "```\na. B. c.\n```\n"),
        ("word\n: a definition. As it is.\n", "word\n: a definition. As it is.\n"),
        ("No.\n(A bracket. Stays.) The end.\n", "No.\n(A bracket. Stays.)\nThe end.\n"),
    ],
)
def test_paragraphs_alone_are_cut_into_sentences(text, lines):
    assert sentences.one_a_line(text) == lines
