"""Dock "Folder": the files of a folder, one after the other or many at once, with a summary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFileDialog, QLabel, QListWidget, QListWidgetItem, QProgressBar

from friedel.errors import FriedelError
from friedel.physics.dispersion import as_settings
from friedel.progress import Progress
from friedel.scoring.areal_density import covered_area, density
from friedel.settings import DetectSettings
from napari_friedel import functions, recipes
from napari_friedel.jobs import Job
from napari_friedel.layers.stack_layers import add_layer, stack_layers
from napari_friedel.turns import in_turns
from napari_friedel.widgets import Dock, JobBar, button, hint, side_by_side
from napari_friedel.widgets.copy_bar import CopyBar
from napari_friedel.widgets.tabs import bring_up
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Generator

#: Ends of the names of tables beside their stacks.
POINTS = "-points.csv"


@dataclass(frozen=True)
class Outcome:
    """One processed file."""

    path: str
    count: int = 0
    density_nm2: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    problem: str = ""


def stacks_in(folder: Path) -> list[Path]:
    """Grids of a folder as a batch takes them; damaged ones are listed, and fail with their reason."""
    from friedel.many import grids_of

    return [path for path in grids_of(folder) if path.suffix.lower() not in (".csv", ".json", ".xyz")]


def table_of(path: Path) -> Path:
    """Where the points of a file are written."""
    return path.with_name(path.stem + POINTS)


def process(paths: list[Path], options: dict[str, Any]) -> Generator[Progress, None, list[Outcome]]:
    """Detect in every file and write its table beside it; a bad file does not stop the rest."""
    from friedel.io import open_stack
    from friedel.io.points import write_points
    from napari_friedel.docks.detect_run import detection

    done = []
    for i, path in enumerate(paths):
        yield Progress(i / len(paths), f"{path.name} ({i + 1} of {len(paths)})")
        try:
            stack = open_stack(path)
            found = None
            work = detection(stack, options)
            while found is None:
                try:
                    step = next(work)
                except StopIteration as end:
                    found = end.value
                    break
                yield Progress((i + step.fraction) / len(paths), f"{path.name}: {step.message}")
            table = found.impurities
            table.attrs["provenance"] = {**found.provenance, "threshold": found.threshold}
            write_points(table, table_of(path))
            area = covered_area(stack, found.area, found.provenance.get("channel") or options.get("channel"))
            number = density(len(table), area)
            done.append(Outcome(str(path), number.count, number.value, number.low, number.high))
        except Exception as error:  # the rest of the night's files is processed all the same
            done.append(Outcome(str(path), problem=sentence(error)))
    return done


class FolderDock(Dock):
    """Dock "Folder"."""

    tab = "Folder"
    page = "how-to/batch.html"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.job = Job(self, "processing a folder")
        self.open_job = Job(self, "opening a file of the folder")
        self.folder: Path | None = None
        self._summary_at: Path | None = None
        self._layers: list[Any] = []
        self._steps: Generator[None, None, None] | None = None
        rows = self.group("Files")
        self.choose = button(
            "Choose a folder…", "Lists its dI/dV files; ✓ marks those whose points are saved"
        )
        self.files = QListWidget()
        self.files.setToolTip("Tick what shall be processed; double-click opens a file")
        self.files.setMinimumHeight(160)
        self.files.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # the end of a name tells files apart
        self.files.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.previous = button("◀ Previous", "Open the previous file; the layers of this one are closed")
        self.next = button("Next ▶", "Open the next file; the layers of this one are closed")
        self.all = button("Tick all", "Tick every file")
        self.none = button("Tick what is left", "Tick the files whose points are not saved yet")
        rows.addRow(self.choose)
        rows.addRow(self.files)
        rows.addRow(side_by_side(self.previous, self.next))
        rows.addRow(side_by_side(self.all, self.none))
        self.bar = JobBar(self.job, "Process the ticked files")
        self.bar.start.setToolTip(
            "Detect in each with the settings of the Detect dock; tables lie beside the files"
        )
        self.form.addWidget(self.bar)
        self.copy = CopyBar(self._recipe, self.message.error)
        self.form.addWidget(self.copy)
        self.summary = QLabel("")
        self.summary.setWordWrap(True)
        self.done_bar = QProgressBar()
        self.done_bar.setFormat("%v of %m files done")
        self.form.addWidget(self.done_bar)
        self.form.addWidget(self.summary)
        self.form.addWidget(
            hint("Each file gets a table NAME-points.csv beside it, the folder a summary.csv.")
        )
        self.form.addStretch(1)
        self.choose.clicked.connect(self.safely(self._ask))
        self.files.itemDoubleClicked.connect(lambda item: self.safely(lambda: self.show_file(item))())
        self.previous.clicked.connect(self.safely(lambda: self.step(-1)))
        self.next.clicked.connect(self.safely(lambda: self.step(1)))
        self.all.clicked.connect(lambda: self._tick(False))
        self.none.clicked.connect(lambda: self._tick(True))
        self.bar.start.clicked.connect(self.safely(self.start))
        self.job.returned.connect(self.safely_with(self._processed))
        self.job.failed.connect(self.message.error)
        self.job.warned.connect(self.message.warn)
        self.open_job.returned.connect(self.safely_with(self._opened))
        self.open_job.failed.connect(self.message.error)

    def _ask(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of dI/dV files")
        if path:
            self.open_folder(Path(path))

    def open_folder(self, folder: Path) -> None:
        """List the files of a folder.

        Raises
        ------
        FriedelError
            If there is none that can be opened.
        """
        paths = stacks_in(folder)
        if not paths:
            raise FriedelError(f"{folder} holds no dI/dV file that this plugin knows.")
        self.folder = folder
        self.files.clear()
        for path in paths:
            item = QListWidgetItem(path.name)
            item.setData(Qt.ItemDataRole.UserRole, str(path))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked)
            item.setToolTip(path.name)
            item.setSizeHint(QSize(0, self.files.fontMetrics().height() + 4))  # as wide as the list, no wider
            self.files.addItem(item)
        self._mark()
        self._tick(True)

    def _items(self) -> list[Any]:
        return [self.files.item(i) for i in range(self.files.count())]

    def _mark(self) -> None:
        done = 0
        for item in self._items():
            path = Path(item.data(Qt.ItemDataRole.UserRole))
            saved = table_of(path).exists()
            done += saved
            item.setText(f"{'✓ ' if saved else '   '}{path.name}")
        self.done_bar.setRange(0, max(self.files.count(), 1))
        self.done_bar.setValue(done)

    def _tick(self, left_only: bool) -> None:
        for item in self._items():
            on = not (left_only and item.text().startswith("✓"))
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def step(self, by: int) -> None:
        """Open the next or the previous file."""
        if not self.files.count():
            raise FriedelError("Choose a folder first.")
        row = self.files.currentRow()
        row = (row + by) % self.files.count() if row >= 0 else 0
        self.files.setCurrentRow(row)
        self.show_file(self.files.item(row))

    def show_file(self, item: Any) -> None:
        """Open a file, with its points if they are saved, in place of the last one."""
        path = Path(item.data(Qt.ItemDataRole.UserRole))
        self.message.clear()

        def work() -> Generator[Progress, None, Any]:
            yield Progress(0.0, f"opening {path.name}")
            from friedel.io import open_stack

            return path, open_stack(path)

        self.open_job.start(work)

    def _opened(self, result: Any) -> None:
        if self._steps is not None:
            self._steps.close()  # the last file may still be on its way
        self._steps = self._showing(*result)
        in_turns(self._steps, failed=self.message.error_of, viewer=self.viewer)

    def _showing(self, path: Path, stack: Any) -> Generator[None, None, None]:
        """Put a file in place of the last one, a layer at each step."""
        from napari.layers import Layer

        from napari_friedel.io.tables import table_layer
        from napari_friedel.layers.adopt import adopt

        owners = {x.unique_id for x in self._layers}
        for layer in list(self.viewer.layers):
            info = layer.metadata.get("friedel")
            if layer in self._layers or getattr(info, "owner", None) in owners:
                self.viewer.layers.remove(layer)
                yield
        self._layers = []
        for made in stack_layers(stack):
            self._layers.append(add_layer(self.viewer, made))
            yield
        shown = self._layers[-1]
        self.viewer.layers.selection.active = shown
        if table_of(path).exists():
            yield
            if shown in self.viewer.layers:
                adopt(self.viewer, shown, Layer.create(*table_layer(table_of(path), stack)))

    def _ticked(self) -> list[Path]:
        ticked = [i for i in self._items() if i.checkState() == Qt.CheckState.Checked]
        if not ticked:
            raise FriedelError("Choose a folder and tick the files first.")
        return [Path(item.data(Qt.ItemDataRole.UserRole)) for item in ticked]

    def _recipe(self) -> recipes.Recipe:
        paths, detect = self._ticked(), functions.dock_of(self.viewer, "Detect")
        settings = DetectSettings(
            **detect.options.values(),
            model=detect.model.currentData(),
            band=as_settings(detect.band.dispersion()),
            prepare=detect.prepare.settings(),
        )
        return recipes.folder([str(path) for path in paths], settings)

    def start(self) -> None:
        """Process the ticked files.

        Raises
        ------
        FriedelError
            If nothing is ticked, or a setting of the Detect dock is wrong.
        """
        paths, detect = self._ticked(), functions.dock_of(self.viewer, "Detect")
        bring_up(self)
        options: dict[str, Any] = {
            **detect.options.values(),
            "model": detect.model.currentData(),
            "dispersion": detect.band.dispersion(),
            "prepare": detect.prepare.settings(),
        }
        self._summary_at = paths[0].parent / "summary.csv"  # another folder may be listed meanwhile
        self.job.start(lambda: process(paths, options))

    def _processed(self, done: list[Outcome]) -> None:
        self._mark()
        good = [one for one in done if not one.problem]
        bad = [one for one in done if one.problem]
        if self._summary_at is not None:
            pd.DataFrame([vars(one) for one in done]).to_csv(self._summary_at, index=False)
        lines = [f"{Path(one.path).name}: {one.count} impurities, {one.density_nm2:.3g} nm⁻²" for one in good]
        lines += [f"{Path(one.path).name}: {one.problem}" for one in bad]
        self.summary.setText("\n".join(lines))
        words = f"{len(good)} of {len(done)} files done; the figures are in summary.csv."
        (self.message.warn if bad else self.message.info)(words)
