"""A model's header as words: what it is, where it comes from, how well it does."""

from __future__ import annotations

from typing import Any

from friedel.models.registry import Model, ModelInfo


def printable(text: Any) -> str:
    """Text with everything that a terminal would obey, control characters and odd line ends, written out."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in str(text))


def facts(header: dict[str, Any]) -> dict[str, str]:
    """The header's main facts as short texts with units, in the order in which one reads them.

    Parameters
    ----------
    header : dict
        Of a `Model` or a `ModelInfo`.

    Returns
    -------
    dict of str to str
    """
    found: dict[str, str] = {}

    def add(title: str, text: Any) -> None:
        if text not in (None, "", {}, []):
            found[title] = printable(text)

    recipe = header.get("recipe")
    add("architecture", header.get("architecture"))
    add("recipe", recipe.get("name") if isinstance(recipe, dict) else recipe)
    add("seed", header.get("seed"))
    if "minutes" in header:
        where = f"{header.get('threads', '?')} thread(s) of {header.get('device', '?')}"
        add("trained", f"{header['minutes']:g} min, {header.get('steps', '?')} steps, {where}")
    # Headers of version 0.1 call it begun_with.
    if origin := header.get("initialised_from") or header.get("begun_with"):
        add("initialised from", f"{origin['name']} ({origin['sha256'][:12]})")
    if "k_range" in header:
        low, high = header["k_range"]
        add("wavevectors", f"{low:.2f} to {high:.2f} rad/px")
    if "threshold" in header:
        add("threshold", f"{header['threshold']:.3g}")
    validation = header.get("validation") or {}
    if "f1" in validation:
        add("F1 on validation scenes", f"{validation['f1']:.3f}")
    _add_fine_tuning(header, add)
    add("version", header.get("version"))
    return found


def _add_fine_tuning(header: dict[str, Any], add: Any) -> None:
    if not header.get("parent"):
        return
    add("parent", f"{header.get('parent_name', '?')} (SHA-256 {header['parent'][:12]}…)")
    sample, tuning = header.get("sample") or {}, header.get("fine_tune") or {}
    add("sample", sample.get("source"))
    if "shape" in sample and "voltages" in sample:
        add("sample's size", f"{sample['shape'][0]}×{sample['shape'][1]} px, {sample['voltages']} voltages")
    if "alpha" in tuning:
        rate, done = tuning.get("learning_rate", float("nan")), tuning.get("steps_done", "?")
        add("fine-tuned", f"α = {tuning['alpha']:g}, learning rate {rate:g}, {done} steps")
    before, after = tuning.get("before") or {}, tuning.get("after") or {}
    for key, title in (
        ("entropy", "entropy on the sample [nat]"),
        ("peaks", "peaks on the sample"),
        ("agreement", "agreement"),
    ):
        if key in before and key in after:
            add(title, f"{before[key]:.3g} → {after[key]:.3g}")


def card(model: Model | ModelInfo) -> str:
    """Several lines of plain text about a model."""
    title = printable(model.name) + (" (bundled)" if getattr(model, "bundled", False) else "")
    lines = [title, *(f"  {name}: {text}" for name, text in facts(model.header).items())]
    if isinstance(model, ModelInfo):
        lines.append(f"  file: {printable(model.path)}")
        if model.problem:
            lines.append(f"  problem: {printable(model.problem)}")
    lines.append(f"  SHA-256: {model.sha256}")
    return "\n".join(lines)
