"""Forms made from settings: one control per setting, with its range, its default and its help.

magicgui makes the controls; what is rarely changed is folded away. The values come back as an object of the settings'
class, so that a form refuses what the notebook and the command line refuse, with the same sentence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magicgui import widgets as mw
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from friedel.errors import SettingsError
from friedel.settings import Setting, Settings, settings_of
from napari_friedel import remembered
from napari_friedel.widgets.setting_words import WORDS, label_of, tip
from napari_friedel.widgets.small import fold

Choices = Mapping[str, Callable[[], Sequence[Any]]]


class SettingsForm(QWidget):
    """Controls for some settings of one class.

    Parameters
    ----------
    settings_class : type
        A subclass of `friedel.settings.Settings`.
    names : sequence of str
        The settings that are shown, in this order.
    choices : mapping of str to callable, optional
        Gives what can be chosen for a setting whose values only the window knows (devices, say).
    folded : str
        Title under which the advanced settings are folded; empty folds nothing.
    initial : mapping, optional
        Values that stand in place of the defaults at first.
    required : sequence of str
        Settings that offer no "automatic".
    remember : bool
        Whether what is chosen stands there in the next session, too.
    """

    changed = Signal(str)

    def __init__(
        self,
        settings_class: type[Settings],
        names: Sequence[str] = (),
        *,
        choices: Choices | None = None,
        folded: str = "",
        initial: Mapping[str, Any] | None = None,
        required: Sequence[str] = (),
        remember: bool = True,
    ) -> None:
        super().__init__()
        self.settings_class = settings_class
        known = {one.name: one for one in settings_of(settings_class)}
        self.shown = {
            name: known[name] for name in names or known if known[name].option.parsed or name in names
        }
        self.controls: dict[str, Any] = {}
        self._labels: dict[str, QLabel] = {}
        self._remember = remember
        self._initial = dict(initial or {})
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        rows, more = _rows(), _rows()
        for name, setting in self.shown.items():
            control = _control(setting, (choices or {}).get(name), none=name not in required)
            control.changed.connect(lambda *_, name=name: self._changed(name))
            self.controls[name] = control
            native = control.native
            native.setToolTip(tip(setting))
            label = self._labels[name] = QLabel(label_of(setting))
            label.setToolTip(tip(setting))
            (more if setting.option.advanced and folded else rows).addRow(label, native)
        outer.addLayout(rows)
        self._main = rows
        self.fold: QWidget | None = None
        if more.rowCount():
            inner = QWidget()
            inner.setLayout(more)
            self.fold = fold(folded, "Shows and hides what is rarely changed", inner)
            outer.addWidget(self.fold)
        self._more = more
        self._quiet = False
        self.recall(settings_class.__name__)

    def add_row(self, label: str, widget: QWidget) -> None:
        """Add a control of another kind below the advanced settings."""
        self._more.addRow(label, widget) if label else self._more.addRow(widget)

    def unit_beside(self, name: str, units: QWidget) -> None:
        """Put a chooser of the unit beside a control; its label names no unit then."""
        native = self.controls[name].native
        holder = QWidget()
        self._main.replaceWidget(native, holder)
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(native, 1)
        line.addWidget(units)
        self._labels[name].setText(label_of(self.shown[name], unit=False))

    def show_row(self, name: str, shown: bool) -> None:
        """Show or hide a control with its label; Qt before 6.4 has no `setRowVisible`."""
        self._labels[name].setVisible(shown)
        self.controls[name].native.setVisible(shown)

    def value(self, name: str) -> Any:
        """The value of one setting.

        Raises
        ------
        SettingsError
            If what stands there is none.
        """
        setting, raw = self.shown[name], self.controls[name].value
        try:
            if isinstance(self.controls[name], mw.LineEdit):
                return setting.parse(str(raw or ""))
            return setting.checked(raw)
        except SettingsError as error:
            text = str(error).replace(setting.name, f"“{label_of(setting)}”", 1)
            raise SettingsError(text, settings=setting.name) from error

    def values(self) -> dict[str, Any]:
        """All values by name."""
        return {name: self.value(name) for name in self.shown}

    def settings(self, **more: Any) -> Settings:
        """An object of the settings' class.

        Parameters
        ----------
        **more
            Settings that have no control here.

        Raises
        ------
        SettingsError
            If a value is wrong.
        """
        return self.settings_class(**{**self.values(), **more})

    def set(self, name: str, value: Any) -> None:
        """Set one control."""
        control = self.controls[name]
        control.value = self.shown[name].show(value) if isinstance(control, mw.LineEdit) else value

    def reset(self) -> None:
        """Back to the defaults."""
        for name, setting in self.shown.items():
            self._try(name, self._initial.get(name, setting.default))

    def recall(self, group: str) -> None:
        """Show what is remembered of this form, and the defaults of all else."""
        if group != self.settings_class.__name__:
            return
        self._quiet = True
        try:
            self.reset()
            for name, value in remembered.values(group).items() if self._remember else ():
                if name in self.shown:
                    self._try(name, value)
        finally:
            self._quiet = False

    def refill(self, name: str) -> None:
        """Ask once more what can be chosen."""
        self.controls[name].reset_choices()

    def _try(self, name: str, value: Any) -> None:
        try:
            self.set(name, self.shown[name].checked(value))
        except (SettingsError, ValueError):
            self.set(name, self.shown[name].default)

    def _changed(self, name: str) -> None:
        if self._quiet:
            return
        with contextlib.suppress(SettingsError):  # half typed
            if self._remember:
                remembered.keep(self.settings_class.__name__, {name: self.value(name)})
        self.changed.emit(name)


def form_for(settings_class: type[Settings], names: Sequence[str] = (), **options: Any) -> SettingsForm:
    """Make the form of a class of settings; see `SettingsForm`."""
    return SettingsForm(settings_class, names, **options)


def _rows() -> QFormLayout:
    rows = QFormLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setVerticalSpacing(4)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return rows


def _control(setting: Setting, choices: Callable[[], Sequence[Any]] | None, *, none: bool) -> Any:
    option = setting.option
    if choices is not None or setting.choices:
        listed = choices or (lambda: setting.choices)

        def offered(_widget: Any = None) -> list[tuple[str, Any]]:
            empty = (
                [("Automatic" if option.none else "–", None)] if none and setting.optional else []
            )  # the tip says how
            return empty + [(WORDS.get(str(value), str(value)), value) for value in listed()]

        box = mw.ComboBox(choices=offered, name=setting.name)
        box.native.setMinimumContentsLength(8)
        box.native.setSizeAdjustPolicy(box.native.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        return box
    if setting.type is bool:
        tick = mw.CheckBox(name=setting.name)
        tick.native.setText("")  # magicgui would repeat the name that the row's label says already
        return tick
    if setting.type is int and not setting.optional:
        low = option.least if option.least is not None else (option.above or 0) + 1
        return mw.SpinBox(name=setting.name, min=int(low), max=int(min(option.most or 2**31 - 1, 2**31 - 1)))
    # Text: it may be empty for None, and holds 3e-4 and 0.25 alike; the setting itself reads and refuses it.
    line = mw.LineEdit(name=setting.name)
    line.native.setPlaceholderText(option.none)
    return line
