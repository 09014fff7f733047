"""Directives that print what the program itself says, so that the pages cannot grow stale.

`{cli-help}` is the help of every command, `{columns}` the columns of a table of impurities, `{materials}` the known
surface bands, `{bundled-models}` the models inside the package, `{moved-modules}` old and new names of modules and
`{manifest}` what the plugin contributes.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList


def _help(command: str) -> str:
    from friedel.cli import main

    os.environ["COLUMNS"] = "88"
    os.environ["NO_COLOR"] = "1"
    out = io.StringIO()
    with redirect_stdout(out):
        try:
            main([command, "--help"])
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"`friedel {command} --help` fails") from end
    return out.getvalue().rstrip()


class CliHelp(Directive):
    """One section a command, with the text of its ``--help``."""

    def run(self) -> list[nodes.Node]:
        from friedel.cli import COMMANDS

        result: list[nodes.Node] = []
        for command in COMMANDS:
            section = nodes.section(ids=[f"friedel-{command}"], names=[f"friedel-{command}"])
            section += nodes.title("", "", nodes.literal(text=f"friedel {command}"))
            block = nodes.literal_block(text=_help(command))
            block["language"] = "text"
            section += block
            result.append(section)
        return result


class _MarkdownTable(Directive):
    def rows(self) -> list[tuple[str, ...]]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        head, *body = self.rows()
        lines = ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *body)]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source="generated"), self.content_offset, container)
        return container.children


class Columns(_MarkdownTable):
    """`friedel.detections.COLUMNS`: name and unit."""

    meaning: ClassVar[dict[str, str]] = {
        "row": "row of the pixel array as recorded; row 0 is the first line, an integer is a pixel's centre",
        "column": "column, likewise",
        "x_nm": "along the fast axis, from the centre of pixel (row 0, column 0)",
        "y_nm": "along rising row, from the same origin",
        "tip_x_nm": "the instrument's own x: scan centre and angle applied; where to send the tip",
        "tip_y_nm": "the instrument's own y",
        "probability": "calibrated probability that an impurity sits here",
        "s": "S, the layer before the Softmax (for classical methods: their statistic)",
        "sigma_nm": "standard deviation of the position along each axis; empty where a method cannot tell",
    }

    def rows(self) -> list[tuple[str, ...]]:
        from friedel.detections import COLUMNS

        return [
            ("column", "unit", "meaning"),
            *((f"`{name}`", unit, self.meaning[name]) for name, unit in COLUMNS.items()),
        ]


class FitColumns(_MarkdownTable):
    """`friedel.detections.FIT_COLUMNS`: name, unit, meaning."""

    meaning: ClassVar[dict[str, str]] = {
        "amplitude": "size of the scattering amplitude s at the voltage in the provenance",
        "phase_rad": "phase of s",
        "phase_shift_rad": "Re δ, modulo π",
        "phase_shift_slope_per_ev": "its change with energy",
        "absorption": "1 − the square of the size of e^(2iδ)",
        "delta_chi2": "rise of χ² without the scatterer; 0 where it was dropped, empty where it was kept",
        "inside_share": "share of the information in its waves that lies inside the field",
        "own_share": "share of the information on the position that no neighbour shares",
        "flags": "sum of the bits below",
    }

    def rows(self) -> list[tuple[str, ...]]:
        from friedel.detections import FIT_COLUMNS

        def text(name: str) -> str:
            if name.startswith("sigma_"):
                return f"standard deviation of `{name.removeprefix('sigma_')}`"
            return self.meaning[name]

        return [
            ("column", "unit", "meaning"),
            *((f"`{name}`", unit, text(name)) for name, unit in FIT_COLUMNS.items()),
        ]


class PointFlags(_MarkdownTable):
    """`friedel.refit.flags`: bit, name, sentence."""

    def rows(self) -> list[tuple[str, ...]]:
        from friedel.refit.flags import PointFlag

        return [
            ("bit", "name", "meaning"),
            *((str(int(one)), f"`{one.name}`", one.sentence) for one in PointFlag),
        ]


class Materials(_MarkdownTable):
    """`friedel.physics.dispersion.MATERIALS`."""

    def rows(self) -> list[tuple[str, ...]]:
        from friedel.physics.dispersion import MATERIALS

        return [
            ("name", "onset E₀ [meV]", "effective mass m*/mₑ", "broadening Γ [meV]"),
            *(
                (f"`{name}`", f"{band.onset_mev:g}", f"{band.mass:g}", f"{band.broadening_mev:g}")
                for name, band in MATERIALS.items()
            ),
        ]


class BundledModels(_MarkdownTable):
    """The models inside the package, from their own headers."""

    def rows(self) -> list[tuple[str, ...]]:
        from friedel import list_models

        def row(info: Any) -> tuple[str, ...]:
            low, high = info.header["k_range"]
            size = info.path.stat().st_size / 1e6
            return (
                f"`{info.name}`",
                str(info.header["architecture"]),
                f"{low:.2f} to {high:.2f}",
                f"{size:.2f}",
                f"`{info.sha256[:12]}…`",
            )

        return [
            ("name", "architecture", "trained for k [rad/px]", "size [MB]", "SHA-256"),
            *(row(info) for info in list_models() if info.bundled and not info.problem),
        ]


class MovedModules(_MarkdownTable):
    """Old and new names of modules, from `friedel._util.moved`."""

    def rows(self) -> list[tuple[str, ...]]:
        from friedel._util.moved import MOVED

        return [
            ("old", "new"),
            *((f"`friedel.{old}`", f"`friedel.{new}`") for old, new in MOVED.items()),
        ]


class Manifest(_MarkdownTable):
    """What `napari.yaml` contributes."""

    def rows(self) -> list[tuple[str, ...]]:
        from importlib.resources import files

        import yaml

        manifest = yaml.safe_load(files("napari_friedel").joinpath("napari.yaml").read_text(encoding="utf-8"))
        given = manifest["contributions"]
        titles = {command["id"]: command["title"] for command in given["commands"]}
        rows = [("what", "name", "details")]
        for reader in given.get("readers", []):
            patterns = ", ".join(f"`{pattern}`" for pattern in reader["filename_patterns"])
            rows.append(("reader", titles[reader["command"]], patterns))
        for writer in given.get("writers", []):
            details = ", ".join([*writer["layer_types"], *writer.get("filename_extensions", [])])
            rows.append(("writer", writer.get("display_name") or titles[writer["command"]], details))
        rows.extend(
            ("dock", widget["display_name"], titles[widget["command"]]) for widget in given.get("widgets", [])
        )
        rows.extend(
            ("sample", sample["display_name"], f"`{sample['key']}`")
            for sample in given.get("sample_data", [])
        )
        for menu, items in (given.get("menus") or {}).items():
            names = ", ".join(titles[item["command"]] for item in items if "command" in item)
            rows.append(("menu", f"`{menu}`", names))
        for key, group in (given.get("configurations") or {}).items():
            rows.append(("settings", group.get("title", key), ", ".join(group.get("properties", {}))))
        return rows


def setup(app: Any) -> dict[str, Any]:
    app.add_directive("cli-help", CliHelp)
    app.add_directive("columns", Columns)
    app.add_directive("fit-columns", FitColumns)
    app.add_directive("point-flags", PointFlags)
    app.add_directive("manifest", Manifest)
    app.add_directive("moved-modules", MovedModules)
    app.add_directive("materials", Materials)
    app.add_directive("bundled-models", BundledModels)
    return {"version": "1", "parallel_read_safe": True}
