"""Generates the Python code of the contract: messages, stubs, and the types of both.

`python proto/generate.py` writes the generated files again from the .proto files. With `--check` it changes nothing:
it names the files that differ, and exits 1 if there are any.
"""

import re
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CONTRACT = Path("pathbook/v1")
SERVICE = re.compile(r"^service \w+", re.MULTILINE)


def generate(target: Path) -> None:
    """Generate all Python code of the contract in a directory.

    Raises:
        subprocess.CalledProcessError: the contract does not compile. The compiler has printed the reason.
    """
    contract = sorted((ROOT / CONTRACT).glob("*.proto"))
    compile_contract(contract, [f"--python_out={target}", f"--mypy_out=quiet:{target}"])
    services = [proto for proto in contract if SERVICE.search(proto.read_text("utf-8"))]
    if services:
        compile_contract(services, [f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}"])


def compile_contract(protos: list[Path], outputs: list[str]) -> None:
    """Run the protobuf compiler of grpcio-tools, with mypy-protobuf's plugins from this environment."""
    scripts = Path(sys.executable).parent
    plugins = [f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    wellknown = resources.files("grpc_tools") / "_proto"
    includes = [f"--proto_path={ROOT}", f"--proto_path={wellknown}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *plugins, *includes, *outputs, *map(str, protos)]
    subprocess.run(command, check=True)


def generated(root: Path) -> dict[Path, bytes]:
    """Return the generated files in a directory, by their path from there."""
    return {path.relative_to(root): path.read_bytes() for path in (root / CONTRACT).glob("*_pb2*.py*")}


def main(arguments: list[str]) -> int:
    """Write or check, and return the exit code."""
    check = arguments == ["--check"]
    if arguments and not check:
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = generated(Path(scratch))
    present = generated(ROOT)
    differing = [path for path in sorted(fresh | present) if fresh.get(path) != present.get(path)]
    for path in differing:
        print(f"{path} {'differs from the contract: run `make proto`' if check else 'is rewritten'}")
        if not check:
            write(ROOT / path, fresh.get(path))
    return 1 if check and differing else 0


def write(path: Path, content: bytes | None) -> None:
    """Write a generated file, or remove it if the contract no longer needs it."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
