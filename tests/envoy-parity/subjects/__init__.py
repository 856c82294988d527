"""The requests of the cases, a module a subject."""
import importlib
import pathlib

for _path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
    if _path.stem != "__init__":
        importlib.import_module(f"subjects.{_path.stem}")
