"""Generate the gRPC code of edgelab.wire from the .proto files beside it, in this project's layout.

protoc writes each file's descriptor as one line of thousands of characters; it is split here, so that the generated
files pass the same style checks as everything else in the collection.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "runtime/src"
WIRE = SOURCES / "edgelab/wire"
BIN = Path(sys.executable).parent
CHUNK = 60
DESCRIPTOR = re.compile(r"AddSerializedFile\((b'.*')\)")


def main() -> None:
    """Write *_pb2.py, *_pb2.pyi and *_grpc.py for each .proto file; stops with protoc's message on an error."""
    protos = sorted(str(path.relative_to(SOURCES)) for path in WIRE.glob("*.proto"))
    plugin = f"--plugin=protoc-gen-grpclib_python={BIN / 'protoc-gen-grpclib_python'}"
    outputs = ("--python_out=.", "--pyi_out=.", "--grpclib_python_out=.")
    protoc = [sys.executable, "-m", "grpc_tools.protoc", plugin, "-I.", *outputs, *protos]
    subprocess.run(protoc, cwd=SOURCES, check=True)
    for path in WIRE.glob("*_pb2.py"):
        path.write_text(DESCRIPTOR.sub(split_descriptor, path.read_text()))
    generated = [str(path) for pattern in ("*_pb2.py*", "*_grpc.py") for path in WIRE.glob(pattern)]
    subprocess.run([BIN / "ruff", "format", "--quiet", "--no-force-exclude", *generated], check=True)


def split_descriptor(match: re.Match[str]) -> str:
    """The descriptor as adjacent literals of CHUNK bytes, one on a line."""
    data: bytes = ast.literal_eval(match[1])
    literals = (repr(data[start : start + CHUNK]) for start in range(0, len(data), CHUNK))
    return "AddSerializedFile(\n    " + "\n    ".join(literals) + "\n)"


if __name__ == "__main__":
    main()
