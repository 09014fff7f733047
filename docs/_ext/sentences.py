"""One sentence a line in the Markdown of the documentation, so that a change shows as the sentence that it changes.

    python docs/_ext/sentences.py            # rewrite the pages
    python docs/_ext/sentences.py --check    # name the pages that would change; exit code 1 if there are any

Only paragraphs are touched: no list, table, heading, block of code or of mathematics, definition or directive.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What no paragraph begins with.
MARKUP = re.compile(r"\s|[#|>:<{!]|\[\^|[-+*] |\d+\. |---|%")
#: Words whose full stop ends no sentence.
SHORT = re.compile(
    r"(\b[A-Z]|\b(e\.g|i\.e|vs|cf|Rev|Mod|Phys|Chin|Lett|Trans|Am|Math|Soc|Fig|Eq|Ref|ca|et al))\.$"
)
END = re.compile(r"(?<=[.!?])(?=\s)|(?<=[.!?][)*`\"])(?=\s)")


def one_a_line(text: str) -> str:
    """The text with each sentence of a paragraph on a line of its own."""
    out: list[str] = []
    block: list[str] = []
    fence = ""
    for line in [*text.splitlines(), ""]:
        mark = re.match(r"\s*(`{3,}|~{3,}|\$\$)", line)
        if fence or mark or not line.strip():
            out.extend(_reflowed(block))
            block = []
            out.append(line)
            if fence and line.strip().startswith(fence):
                fence = ""
            elif mark and not fence and line.count("$$") != 2:
                fence = mark.group(1)
        else:
            block.append(line)
    return "\n".join(out[:-1]) + "\n"


def _reflowed(block: list[str]) -> list[str]:
    """A paragraph with one sentence a line; any other block as it is."""
    if not block or any(MARKUP.match(line) for line in block):
        return block
    joined = [block[0].strip()]
    for line in block[1:]:
        whole = re.search(r"[.!?:][)*`\"]*$", joined[-1]) and not SHORT.search(joined[-1])
        if whole or (joined[-1].endswith(")") and joined[-1].startswith("(")):
            joined.append(line.strip())
        else:
            joined[-1] += f" {line.strip()}"
    return [one for line in joined for one in sentences(line)]


def sentences(line: str) -> list[str]:
    """The sentences of a line."""
    found, start = [], 0
    for match in END.finditer(line):
        piece, rest = line[start : match.start()].strip(), line[match.end() :].lstrip()
        if SHORT.search(piece) or not rest or rest[0].islower() or piece.count("`") % 2 or _open(piece):
            continue
        found.append(piece)
        start = match.end()
    return [*found, line[start:].strip()]


def _open(piece: str) -> bool:
    """Whether a bracket or a formula is still open: a full stop within it ends no line."""
    return (
        piece.count("(") > piece.count(")")
        or piece.count("[") > piece.count("]")
        or piece.count("$") % 2 == 1
    )


def pages() -> list[Path]:
    """The pages that people write."""
    made = {"_build", "gallery"}
    inside = [path for path in (ROOT / "docs").rglob("*.md") if not made & set(path.parts)]
    return [*sorted(inside), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def main() -> int:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    changed = []
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if (new := one_a_line(text)) != text:
            changed.append(path.relative_to(ROOT).as_posix())
            if not args.check:
                path.write_text(new, encoding="utf-8")
    print("\n".join(changed))
    return int(args.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
