"""What the window remembers from one session to the next: values of its forms, in a file beside the user's models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from friedel._util.atomic_write import write_beside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class _Events:
    """`restored` is emitted with the name of a form whose values came from elsewhere, a session for one."""

    restored = Signal(str)


EVENTS = _Events()


def path() -> Path:
    """The file."""
    from friedel.models.registry import user_folder

    return user_folder() / "window.json"


def values(group: str) -> dict[str, Any]:
    """Remembered values of one form by name; empty where there are none."""
    found = _read().get(group)
    return dict(found) if isinstance(found, dict) else {}


def keep(group: str, changes: Mapping[str, Any]) -> None:
    """Remember these values; a full disk or a read-only folder is no reason to disturb."""
    everything = _read()
    everything[group] = {**values(group), **changes}
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        with write_beside(path()) as beside:
            beside.write_text(json.dumps(everything, indent=1, default=str), encoding="utf-8")
    except (OSError, TypeError, ValueError):
        return


def restore(group: str, told: Mapping[str, Any]) -> None:
    """Put these values in place of all that is remembered of a form, and let open docks show them."""
    forget(group)
    keep(group, told)
    EVENTS.restored.emit(group)


def forget(group: str) -> None:
    """Remember nothing of one form."""
    keep_all = _read()
    if keep_all.pop(group, None) is not None:
        try:
            with write_beside(path()) as beside:
                beside.write_text(json.dumps(keep_all, indent=1), encoding="utf-8")
        except OSError:
            return


def _read() -> dict[str, Any]:
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
