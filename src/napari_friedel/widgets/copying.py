"""What can be put on the clipboard: the table, a sentence, and the lines that repeat a run in Python or a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from napari_friedel.layers import results
from napari_friedel.layers.info import ImpuritiesInfo, known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Literal(str):
    """Python that stands as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def to_clipboard(text: str) -> None:
    """Put a text on the clipboard."""
    from qtpy.QtWidgets import QApplication

    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)


def table_text(layer: Any) -> str:
    """The impurities that count, tab-separated, with a head."""
    return str(results.table_of(layer).to_csv(sep="\t", index=False))


def sentence_of(layer: Any) -> str:
    """Number, density and interval in words."""
    found, info = results.summary(layer), known(layer, ImpuritiesInfo)
    title = layer.name.split(" · ")[0]
    number = f"a density of {found.value:.3g} nm⁻² (95 % confidence interval {found.low:.3g} to {found.high:.3g} nm⁻²)"
    if not found.known:
        number = "the density is unknown, for no probability is listed"
    return (
        f"{title}: {found.count} impurities on {found.area_nm2:.4g} nm², {number}; method {info.label}, "
        f"threshold {info.threshold:.3g}."
    )


def as_python(source: str, options: Mapping[str, Any]) -> str:
    """Lines of Python that repeat a detection."""
    given = ", ".join(f"{name}={value!r}" for name, value in options.items() if value is not None)
    call = f"friedel.detect(stack, {given})" if given else "friedel.detect(stack)"
    return (
        f"import friedel\n\nstack = friedel.open_stack({source!r})\nfound = {call}\nprint(found.impurities)\n"
    )


def as_command(source: str, options: Mapping[str, Any], flags: Sequence[str] = ()) -> str:
    """A line for a shell that repeats a detection; `flags` stand as they are."""
    words = ["friedel", "detect", source]
    for name, value in options.items():
        if value is None:
            continue
        if name == "area":
            value = ",".join(f"{start}:{stop}" for start, stop in value)
        words += [f"--{name.replace('_', '-')}={value}"]
    return shlex.join([*words, *flags, "-o", "points.csv"])
