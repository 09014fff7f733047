"""Code and pages speak the field's words: none that has a standard term stands in the sources or the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
TEXTS = sorted(
    path
    for path in [*(ROOT / "src").rglob("*.py"), *PAGES]
    if "_build" not in path.parts and "_autosummary" not in path.parts
)

READERS = r"\blook(s|ed|ing)? (again )?at\b"
#: "Two a voltage": a number or a unit, then "a" and what it is counted for.
COUNTED = (
    r"(?:one|two|three|four|once|numbers|seconds|minutes|bytes|[MG]B|logit|freedom|offset|walls|fields|"
    r"steps|epochs|trainings|scenes|scatterers|impurities|candidates|patches)"
)
FOR = (
    r"(?:pixel|voltage|bias|field|map|row|line|iteration|impurity|scatterer|candidate|point|scene|seed|step|epoch|"
    r"training|curve|spectrum|file|period|square nanometre|core|channel|tile|process)"
)
PER_A = rf"\b{COUNTED} an? {FOR}\b(?!'s)"
#: What is not said, and what is said instead. "Look at" is what a reader of the pages does, no step of the code.
INSTEAD = {
    r"\btwins?\b": "synthetic field",
    r"\bverdicts?\b": "model selection, posterior probability, description",
    r"\bjudge[sd]?\b": "revise, score, decide",
    r"\bwaves (do not )?need\b": "supported by the data (Δχ²)",
    r"\bpeers?\b": "baseline",
    r"(?<!of )\bcourses?\b": "energy coefficients, bias dependence",
    r"\bsharpen(s|ed)?\b": "refine",
    READERS: "analyse, search, read",
    r"\b(two|one|second|each) looks?\b": "forward pass, validation",
    r"\blook(s|ed|ing)? for\b": "search, detect",
    r"\bturned by half\b": "rotated by 180°",
    r"\bfor turn in\b": "iteration",
    r"\b(believed?|believes)\b": "accept, use",
    r"\bnobody reported\b": "undetected",
    r"\bhidden scatterers?\b": "undetected scatterer",
    r"\b(as|those|that) of before\b": "of the previous version",
    r"\bsieve\b": "pixel subset",
    r"\bdear (to|in)\b": "expensive",
    r"\bway of the pattern\b": "displacement",
    PER_A: "per",
    r"\bscattering strengths?\b": "scattering amplitude",
}
#: Names that were promised or written to files, and files that are called so: (end of the path, words).
ALLOWED = (
    ("friedel/_util/moved.py", "evaluation.twin"),
    ("friedel/_util/moved.py", "detection.verdict"),
    ("friedel/benchmark/scenes.py", "twin"),  # deprecated method
    ("friedel/benchmark/synthetic.py", "Twin"),  # deprecated names
    ("friedel/paper/paired_test.py", '"verdict"'),
    ("friedel/dispersion_fit/matched_field_fit.py", '"Sharpened"'),
    ("refit/model_selection.py", "results/verdict"),  # file names of committed results
    ("explanation/benchmarks.md", "verdict-"),
)
#: pages about the old words themselves
PAST = {"upgrading.md"}


def faults(path: Path) -> list[str]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for pattern, instead in INSTEAD.items():
            if not re.search(pattern, line, re.IGNORECASE) or (path.suffix == ".md" and pattern == READERS):
                continue
            if any(path.as_posix().endswith(end) and words in line for end, words in ALLOWED):
                continue
            found.append(f"{path.name}:{number}: {line.strip()[:90]!r}; say: {instead}")
    return found


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_text_uses_the_terms_of_the_field(path):
    if path.name not in PAST:
        assert not faults(path), "\n".join(faults(path))


@pytest.mark.parametrize("pattern", INSTEAD)
def test_a_pattern_is_a_pattern(pattern):
    assert re.compile(pattern) and not re.search(pattern, "a synthetic field of the previous version")


def test_a_fault_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Of course it works.\nThe twin is sharpened.\nThis is a verdict.\n", encoding="utf-8")
    assert len(faults(page)) == 3


#: No page averages more words in a sentence, and no sentence of a page has more.
MEAN_WORDS, MOST_WORDS = 20, 45
NO_PROSE = (
    r"```.*?```",
    r"<!--.*?-->",
    r"\$\$.*?\$\$",
    r"(?m)^\s*\|.*$",
    r"(?m)^#.*$",
    r"(?m)^(:::|\{|---).*$",
)


def sentences(text: str) -> list[str]:
    """The sentences of a page, without code, tables, headings and addresses."""
    for pattern in NO_PROSE:
        text = re.sub(pattern, "", text, flags=re.DOTALL if "(?m)" not in pattern else 0)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n|\n(?=\s*[-*] )", text))
    return [
        one for part in paragraphs for one in re.split(r"(?<=[.!?:])\s+(?=[A-Z`*\[(])", part) if " " in one
    ]


@pytest.mark.parametrize(
    "page", [one for one in PAGES if one in TEXTS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_page_is_written_in_short_sentences(page):
    lengths = {one: len(one.split()) for one in sentences(page.read_text(encoding="utf-8"))}
    long = [one for one, count in lengths.items() if count > MOST_WORDS]
    assert not long, "\n".join(long)
    assert sum(lengths.values()) <= MEAN_WORDS * max(len(lengths), 1)


def test_sentences_are_counted_without_code_and_tables():
    text = (
        "# A heading\n\nOne two three. Four five.\n\n| a | table of words |\n\n```\ncode that is long\n```\n"
    )
    assert sentences(text) == ["One two three.", "Four five."]
