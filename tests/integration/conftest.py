"""One lab for the whole run, built by `site.yml` exactly as `make demo` builds it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from labkit import Lab, new_lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A running lab with the Wasm debug-echo demo in it."""
    made = new_lab("test")
    try:
        made.playbook("site.yml")
        yield made
    finally:
        made.remove()


@pytest.fixture
def empty_lab() -> Iterator[Lab]:
    """A lab that does not exist yet; whatever a test makes of it is gone afterwards."""
    made = new_lab("empty")
    try:
        yield made
    finally:
        if made.layout.marker.exists():
            made.remove()
        shutil.rmtree(made.home, ignore_errors=True)


@pytest.fixture(scope="session")
def bare_lab() -> Iterator[Lab]:
    """A running lab without a demo, for tests that bring nodes, agents and Configurations of their own."""
    made = new_lab("bare")
    try:
        made.playbook("up.yml")
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def kubeconfig(bare_lab: Lab) -> Path:
    """The administrator's kubeconfig of the bare lab."""
    return bare_lab.layout.kubeconfig


@pytest.fixture(scope="session")
def registry(lab: Lab) -> tuple[str, Path]:
    """Address and CA file of the running lab's registry."""
    return f"127.0.0.1:{lab.ports['registry']}", lab.layout.pki / "ca.crt"
