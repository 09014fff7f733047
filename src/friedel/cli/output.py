"""What the commands print: it reaches any stream, and nothing in a file's name or header drives the terminal."""

from __future__ import annotations

import codecs
import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

#: How signs are written where the stream's encoding lacks them (cp1252 pipes, the C locale).
PLAIN = {
    "×": "x", "−": "-", "–": "-", "≥": ">=", "≤": "<=", "→": "->", "←": "<-", "√": "sqrt", "π": "pi", "σ": "sigma",
    "α": "alpha", "η": "eta", "λ": "lambda", "χ": "chi", "Δ": "Delta", "±": "+-", "²": "^2", "₀": "0", "ₑ": "e",
    "⁻": "^-", "°": " deg", "ħ": "hbar", "…": "...", "’": "'", "‘": "'", "é": "e", "⟨": "<", "⟩": ">", "µ": "u",
    "Å": "A",
}  # fmt: skip
_HANDLER = "friedel-plain"


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = "".join(
        PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode()
        for sign in error.object[error.start : error.end]
    )
    return written, error.end


codecs.register_error(_HANDLER, _plain)


@contextmanager
def any_encoding() -> Iterator[None]:
    """As long as this lasts, stdout and stderr take every sign: what they cannot encode is written in plain letters."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=_HANDLER)
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            if not stream.closed:
                stream.reconfigure(errors=errors)


def clean(text: object) -> str:
    """`text` with every control sign shown instead of sent: an escape sequence in a file's name moves no cursor."""
    return "".join(
        sign
        if sign.isprintable() or sign in "\n\t" or unicodedata.category(sign) == "Zs"
        else sign.encode("unicode_escape").decode("ascii")
        for sign in str(text)
    )


def one_line(text: object) -> str:
    """`text` in one line, safe for a terminal."""
    return clean(" ".join(str(text).split()))


def say(text: object = "", *, end: str = "\n") -> None:
    """Print a result to stdout."""
    print(clean(text), end=end)


def tell(text: object) -> None:
    """Print one line for the user to stderr."""
    print(one_line(text), file=sys.stderr)


def say_json(value: Any, indent: int = 1) -> None:
    """Print JSON to stdout: valid in every encoding, and without a sign that a terminal obeys."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    text = json.dumps(value, indent=indent, ensure_ascii=not encoding.startswith("utf"))
    print("".join(s if s == "\n" or s.isprintable() else json.dumps(s)[1:-1] for s in text))


def close_stdout() -> None:
    """After a reader went away: nothing more is written, and the interpreter's last flush does not complain."""
    with suppress(OSError, ValueError):  # not a real file: a test's or a host program's own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
