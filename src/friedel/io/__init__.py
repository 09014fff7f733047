"""Open the files of STM instruments as stacks.

`open_stack` reads the first bytes of a file, not at its name, and hands it to the adapter of that format. Each
adapter is a module with ``read(path, *, bias, pixel_nm, **options) -> xarray.Dataset`` and is imported when first
needed. Whatever goes wrong inside leaves as one `StackError` that names the file.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel._util.arguments import truth_of
from friedel.errors import FriedelError, StackError
from friedel.io.axes import AxesMissing, override_axes
from friedel.io.formats import FORMATS, Format, identify
from friedel.io.limits import need_file
from friedel.io.signatures import is_zarr
from friedel.stack import validate

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FORMATS", "AxesMissing", "Format", "open_stack", "sniff"]

Source = str | Path | Sequence[str | Path]


def sniff(path: Source) -> str | None:
    """Name the format of a file by its content.

    Parameters
    ----------
    path : path, or list of paths
        A file, a folder or a list of files.

    Returns
    -------
    str or None
        A key of `FORMATS`, or None if nothing here reads it. Unreadable paths give None too.
    """
    try:
        found = identify(_members(path), folder=_is_folder(path))
    except (FriedelError, OSError, ValueError):
        return None
    return None if found is None else found.name


def is_one_stack(path: Source) -> bool:
    """Whether several files, or those of a folder, are read as one stack, such as the spectra of a grid.

    Parameters
    ----------
    path : path, or list of paths
        A zarr store is one stack; a folder with a single file stands for that file.
    """
    if isinstance(path, (str, Path)) and is_zarr(Path(path)):
        return True
    try:
        members = _members(path)
        return identify(members, folder=_is_folder(path)) is not None and len(members) > 1
    except (FriedelError, OSError, ValueError):
        return False


def open_stack(
    path: Source,
    *,
    bias: Any = None,
    pixel_nm: float | tuple[float, float] | None = None,
    format: str | None = None,
    separate_scans: bool = False,
    **options: Any,
) -> xr.Dataset:
    """Open a dI/dV stack.

    Parameters
    ----------
    path : path, or list of paths
        A file; a folder or list of Nanonis ``.dat`` or Createc ``.VERT`` spectra; a folder or list of ``.sxm`` or
        Createc images at different bias; a zarr store.
    bias : str, pair, number or array, optional
        Bias axis [mV], for files that hold none (or to correct one): ``"START:STOP"``, ``(start, stop)``, all
        values, or one number for one image.
    pixel_nm : float or (float, float), optional
        Pixel pitch [nm], or (along y, along x), for files that hold none.
    format : str, optional
        Read the file as this format (a key of `FORMATS`) instead of recognising its content.
    separate_scans : bool
        The maps are separate scans, between which the sample drifts, so that a detection brings them onto each other.
        A series of image files is known to be; no file says it of a bare array.
    **options
        What a format offers beyond this: ``dataset="name"`` chooses an array in HDF5, ``.mat``, ``.npz`` and
        ``.gwy`` files, ``axes="yxb"`` names the axes of a bare array, ``index=3`` an image of a QPI dataset.

    Returns
    -------
    xarray.Dataset
        See `friedel.stack`. Large files are read when a channel is first touched.

    Raises
    ------
    StackError
        If the file cannot be read as a stack; the message names the file and the reason.
    """
    truth_of(separate_scans, "separate_scans")
    members = _members(path)
    chosen = _chosen(format, members, _is_folder(path))
    label = _label(path, members)
    try:
        with warnings.catch_warnings():
            # Third-party readers warn about their own past; what the user must know is said by the adapter.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            adapter = import_module(chosen.module)
            source: Any = members if chosen.many else members[0]
            stack = validate(adapter.read(source, bias=bias, pixel_nm=pixel_nm, **options))
    except FriedelError as error:
        text = str(error)
        text = text if members[0].name in text or label in text else f"{label}: {text}"
        if isinstance(error, AxesMissing):
            raise AxesMissing(text, error.missing, error.arrays) from error
        raise StackError(text, settings=error.settings) from error
    except TypeError as error:
        if "unexpected keyword argument" in str(error):
            raise StackError(f"{label}: {chosen.title} files do not take {_keyword(error)}.") from error
        raise StackError(_broken(label, chosen, error)) from error
    except Exception as error:
        # Foreign parsers raise anything on a damaged file; no user can act on more than this sentence.
        raise StackError(_broken(label, chosen, error)) from error
    if not chosen.asks:
        stack = override_axes(stack, bias, pixel_nm, label)
    if chosen.name != "netcdf" or not stack.attrs.get("source"):  # a stack's own netCDF names the original
        stack.attrs["source"] = str(members[0]) if len(members) == 1 else str(members[0].parent)
    if separate_scans and stack.sizes["bias"] > 1:
        stack.attrs["separate_scans"] = 1
    stack.encoding["source"] = str(members[0]) if len(members) == 1 else str(members[0].parent)
    return validate(stack)


def _members(path: Source) -> list[Path]:
    """List the files that `path` names; a folder's files in natural order."""
    if isinstance(path, (str, Path)):
        if not str(path).strip():  # a shell variable that is not set; Path("") would be the current folder
            raise StackError("The name of the file is empty.")
        target = Path(path).expanduser()
        try:
            if target.is_dir() and not is_zarr(target):
                files = sorted((p for p in target.iterdir() if _visible(p)), key=_natural)
                if not files:
                    raise StackError(f"{target}: the folder holds no files.")
                return files
            if not target.exists():
                raise StackError(f"{target}: there is no such file.")
            need_file(target)
        except (OSError, ValueError) as error:
            raise StackError(f"{_printable(target)}: cannot be opened ({_reason(error)}).") from error
        return [target]
    try:
        files = [Path(p).expanduser() for p in path]
    except TypeError:
        raise StackError(f"A path, or a list of paths, is opened; not {path!r:.60}.") from None
    if not files:
        raise StackError("The list of files to open is empty.")
    for file in files:
        if file.is_dir():
            raise StackError(f"{file}: a list of files may not hold a folder.")
        if not file.exists():
            raise StackError(f"{file}: there is no such file.")
        need_file(file)
    return files


def _visible(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _natural(path: Path) -> list[tuple[int, Any]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", path.name) if part]


def _is_folder(path: Source) -> bool:
    return isinstance(path, (str, Path)) and Path(path).expanduser().is_dir()


def _chosen(format: str | None, members: list[Path], folder: bool) -> Format:
    if format is not None:
        if not isinstance(format, str) or format not in FORMATS:
            raise StackError(f"Unknown format {format!r:.60}; known are {', '.join(FORMATS)}.")
        return FORMATS[format]
    try:
        found = identify(members, folder=folder)
    except OSError as error:
        raise StackError(f"{members[0]}: cannot be read ({_reason(error)}).") from error
    if found is None:
        raise StackError(_unknown(members, folder))
    return found


def _unknown(members: list[Path], folder: bool) -> str:
    first = members[0]
    if folder and all(sniff(member) is None for member in members):
        return f"{first.parent}: there are no files in this folder that can be opened."
    if len(members) > 1:
        return (
            f"{first.parent}: these files do not form one stack. A folder or list must hold Nanonis .dat spectra "
            "of a grid, or .sxm images of one area at different bias."
        )
    if first.stat().st_size == 0:
        return f"{first}: the file is empty."
    return f"{first}: the content is of no known format. Known are {', '.join(f.title for f in FORMATS.values())}."


def _label(path: Source, members: list[Path]) -> str:
    return _printable(Path(path)) if isinstance(path, (str, Path)) else str(members[0])


def _printable(path: Path) -> str:
    return str(path).replace("\x00", "\\0")


def _keyword(error: TypeError) -> str:
    return "the option " + str(error).rpartition("argument ")[2]


def _broken(label: str, chosen: Format, error: BaseException) -> str:
    return f"{label}: could not be read as {chosen.title}; it is damaged or of an unknown variant ({_reason(error)})."


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text[:160]}" if text else name
