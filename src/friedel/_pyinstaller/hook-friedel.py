"""Architectures, readers and commands are imported by name, which PyInstaller cannot see; models are data files."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = collect_submodules("friedel", filter=lambda name: "_pyinstaller" not in name)
datas = collect_data_files("friedel")
