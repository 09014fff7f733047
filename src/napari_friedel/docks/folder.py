"""Dock "Folder": the files of a folder, one after the other or many at once, with a summary.

The work is that of `friedel.many`: a window and a command may share a folder of results.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QListWidgetItem

from friedel.errors import FriedelError
from friedel.physics.dispersion import as_settings
from friedel.progress import Progress
from friedel.settings import DetectSettings
from napari_friedel import functions, recipes
from napari_friedel.docks.folder_form import FolderForm
from napari_friedel.docks.folder_run import RESULTS, in_words, process, stacks_in, tables_of
from napari_friedel.jobs import Job
from napari_friedel.layers.stack_layers import add_layer, stack_layers
from napari_friedel.turns import in_turns
from napari_friedel.widgets.tabs import bring_up

if TYPE_CHECKING:
    from collections.abc import Generator

    from friedel.file_job import FileResult
    from friedel.report.summary import SummaryRow

#: Letters of a file's outcome that the dock shows; the tool tip and the summary have all of them.
LINE = 160


class FolderDock(FolderForm):
    """Dock "Folder"."""

    tab = "Folder"
    page = "how-to/batch.html"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.job = Job(self, "processing a folder")
        self.open_job = Job(self, "opening a file of the folder")
        self.folder: Path | None = None
        self.results: Path | None = None
        self._layers: list[Any] = []
        self._steps: Generator[None, None, None] | None = None
        self._build_files()
        self._build_results()
        self._build_run()
        self._connect()

    def _connect(self) -> None:
        self.choose.clicked.connect(self.safely(self._ask))
        self.files.itemDoubleClicked.connect(lambda item: self.safely(lambda: self.show_file(item))())
        self.where.clicked.connect(self.safely(self._ask_where))
        self.show_summary.clicked.connect(self.safely(self.open_summary))
        self.previous.clicked.connect(self.safely(lambda: self.step(-1)))
        self.next.clicked.connect(self.safely(lambda: self.step(1)))
        self.all.clicked.connect(lambda: self._tick(False))
        self.none.clicked.connect(lambda: self._tick(True))
        self.bar.start.clicked.connect(self.safely(self.start))
        self.job.returned.connect(self.safely_with(self._processed))
        self.job.cancelled.connect(self._mark)
        self.job.failed.connect(self.message.error)
        self.job.warned.connect(self.message.warn)
        self.open_job.returned.connect(self.safely_with(self._opened))
        self.open_job.failed.connect(self.message.error)

    def _ask(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of dI/dV files")
        if path:
            self.open_folder(Path(path))

    def _ask_where(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of results", str(self.results or ""))
        if path:
            self.put_results_in(Path(path))

    def put_results_in(self, results: Path) -> None:
        """Choose the folder of results; it is made when something is written."""
        self.results = results
        self.place.setText(results.name)
        self.place.setToolTip(str(results))
        self._mark()

    def open_summary(self) -> None:
        """Open the summary in the browser."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._summary())))

    def _summary(self) -> Path:
        return (self.results or Path()) / "summary.html"

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
        self.put_results_in(folder / RESULTS)
        self._tick(True)

    def _items(self) -> list[Any]:
        return [self.files.item(i) for i in range(self.files.count())]

    def _mark(self) -> None:
        tables = self._tables()
        for item in self._items():
            path = _path(item)
            item.setText(f"{'✓ ' if path in tables else '   '}{path.name}")
        self.done_bar.setRange(0, max(self.files.count(), 1))
        self.done_bar.setValue(len(tables))
        self.show_summary.setEnabled(self._summary().exists())

    def _tables(self) -> dict[Path, Path]:
        return tables_of([_path(item) for item in self._items()], self.results or Path())

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
        path = _path(item)
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
        table = self._tables().get(path)
        if table is not None:
            yield
            if shown in self.viewer.layers:
                adopt(self.viewer, shown, Layer.create(*table_layer(table, stack)))

    def _ticked(self) -> list[Path]:
        ticked = [i for i in self._items() if i.checkState() == Qt.CheckState.Checked]
        if not ticked:
            raise FriedelError("Choose a folder and tick the files first.")
        return [_path(item) for item in ticked]

    def _settings(self) -> DetectSettings:
        detect = functions.dock_of(self.viewer, "Detect")
        return DetectSettings(
            **detect.options.values(),
            model=detect.model.currentData(),
            band=as_settings(detect.band.dispersion()),
            prepare=detect.prepare.settings(),
        )

    def _recipe(self) -> recipes.Recipe:
        paths = [str(path) for path in self._ticked()]
        how = recipes.Many(str(self.results), self.processes.value(), self.overwrite.isChecked())
        return recipes.folder(paths, self._settings(), how)

    def start(self) -> None:
        """Process the ticked files.

        Raises
        ------
        FriedelError
            If nothing is ticked, or a setting of the Detect dock is wrong.
        """
        paths, settings, results = self._ticked(), self._settings(), self.results
        if results is None:
            raise FriedelError("Choose a folder first.")
        bring_up(self)
        from friedel.many import plan_jobs
        from friedel.report.summary import check_summary

        overwrite, count = self.overwrite.isChecked(), self.processes.value()
        jobs = plan_jobs(paths, results, settings=settings, overwrite=overwrite)
        check_summary(results, overwrite=overwrite)
        self.job.start(lambda: process(jobs, count, results))

    def _processed(self, outcome: tuple[list[FileResult], list[SummaryRow]]) -> None:
        done, rows = outcome
        self._mark()
        by_table = {row.table: row for row in rows}
        bad = [one for one in done if one.status not in ("done", "up to date")]
        lines = [in_words(one, by_table.get(one.table.name if one.table else "")) for one in done]
        self.summary.setText("\n".join(textwrap.shorten(line, LINE, placeholder=" …") for line in lines))
        self.summary.setToolTip("\n".join(lines))
        words = f"{len(done) - len(bad)} of {len(done)} files done; the summary lists them."
        (self.message.warn if bad else self.message.info)(words)


def _path(item: Any) -> Path:
    """The file of an item of the list."""
    return Path(item.data(Qt.ItemDataRole.UserRole))
