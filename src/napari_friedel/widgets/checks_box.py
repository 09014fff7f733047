"""What was tested about a result: failed checks and corrections stand in sight with a sentence, the rest is folded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_friedel.widgets.small import fold

if TYPE_CHECKING:
    from friedel.detections import Detections


class ChecksBox(QWidget):
    """Shows `Detections.checks` and the steps of the preparation."""

    def __init__(self) -> None:
        super().__init__()
        self.failed, self.noted, self.passed = _words(), _words(), _words()
        self.failed.setStyleSheet("QLabel { border-left: 4px solid #e0a100; padding-left: 6px; }")
        self.noted.setStyleSheet("QLabel { border-left: 4px solid #5b8dc9; padding-left: 6px; }")
        self.fold = fold(
            "Checks", "What was tested about this result, and how the maps were prepared", self.passed
        )
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.failed)
        rows.addWidget(self.noted)
        rows.addWidget(self.fold)
        self.show_checks(None)

    def show_checks(self, found: Detections | None) -> None:
        """Show what is known of this result; None empties the box."""
        checks = () if found is None else found.checks
        failed, noted = ((), ()) if found is None else (found.failed, found.noted)
        steps = [] if found is None else list(found.provenance.get("prepare") or [])
        in_sight = [check.sentence for check in (*failed, *noted)]
        good = [check.sentence for check in checks if check.passed and not check.noted]
        prepared = [text for step in steps if (text := _text(step)) and text not in in_sight]
        for words, some in ((self.failed, failed), (self.noted, noted)):
            words.setText("\n".join(check.sentence for check in some))
            words.setVisible(bool(some))
        self.passed.setText("\n".join([*(f"✓ {text}" for text in good), *(f"• {text}" for text in prepared)]))
        parts = [f"{len(good)} check{'' if len(good) == 1 else 's'} passed"] if good else []
        parts += (
            [f"{len(prepared)} step{'' if len(prepared) == 1 else 's'} of preparation"] if prepared else []
        )
        self.fold.setText(", ".join(parts))
        self.fold.setVisible(bool(parts))


def _text(step: Any) -> str:
    return str(step.get("text") or "") if isinstance(step, dict) else ""


def _words() -> QLabel:
    label = QLabel("")
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
