"""Finding a discovery handler: one that is built in by its name, any other by its file."""

import importlib
import importlib.util
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from edgelab.core.errors import LabError
from edgelab.discovery import handlers
from edgelab.discovery.definition import Handler, blame

BUILT_IN = tuple(sorted(module.name for module in pkgutil.iter_modules(handlers.__path__)))
"""Names of the handlers that are built in, as the command line takes them."""


def find_handler(name: str) -> Handler[Any]:
    """The handler that is meant by NAME or FILE.py; `debugEcho` and `debug_echo` are the same.

    Raises LabError for a name that is not known and for a file that cannot be used, with the line of the error.
    """
    if name.endswith(".py") or "/" in name:
        return _of_file(Path(name).resolve())
    module = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower().replace("-", "_")
    if module not in BUILT_IN:
        raise LabError(
            attempted=f"Find the discovery handler {name}",
            seen=f"Built in are {', '.join(BUILT_IN)}",
            remedy="Give one of these, or the path of a handler's file, FILE.py",
        )
    return _handler_in(importlib.import_module(f"{handlers.__name__}.{module}"), name)


def _of_file(file: Path) -> Handler[Any]:
    # A name that no other module has: a handler's file may be called http.py.
    name = f"edgelab_handler_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LabError(attempted=f"Import the handler {file}", seen="It is not a file of Python, FILE.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # At the end, where its neighbours hide no module of Python's.
    sys.path.append(str(file.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise LabError(attempted=f"Import the handler {file}", seen=blame(error, str(file))) from error
    return _handler_in(module, str(file))


def _handler_in(module: ModuleType, name: str) -> Handler[Any]:
    handler = getattr(module, "HANDLER", None)
    if not isinstance(handler, Handler):
        raise LabError(
            attempted=f"Use the handler {name}",
            seen="It has no HANDLER" if handler is None else f"Its HANDLER is {handler!r}",
            remedy='Decorate its async generator with @handler("NAME", shared=...) and assign that to HANDLER',
        )
    return handler
