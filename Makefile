# make demo    builds the lab, shows the demo and proves that it works
# make test    runs every test; make help lists the rest

PROVIDER ?= local
DEMO ?= wasm_debug_echo
LAB ?= default
PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Kind, MicroK8s and GCE need more on this machine than the lab of plain processes.
LOCK := $(if $(filter local,$(PROVIDER)),requirements.lock,requirements-providers.lock)
PLAYBOOK = $(BIN)/ansible-playbook -i inventories/$(PROVIDER)/hosts.yml -e 'lab_name=$(LAB)' $(ARGS)

# Ansible would go on without an inventory that is not there, and take a second word for a playbook.
PROVIDERS := $(notdir $(patsubst %/hosts.yml,%,$(wildcard inventories/*/hosts.yml)))
one = $(filter 1,$(words $($(1))))
$(if $(and $(call one,PROVIDER),$(filter $(PROVIDERS),$(PROVIDER))),,$(error PROVIDER is "$(PROVIDER)", which inventories/ does not have. Nothing was changed. There are: $(PROVIDERS)))
$(foreach name,LAB DEMO,$(if $(call one,$(name)),,$(error $(name) is "$($(name))", and has to be one word. Nothing was changed. For example: make demo $(name)=$(if $(filter LAB,$(name)),workshop,http))))

# One-byte reads and sources compiled anew at each start would slow every task.
unexport PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE
# A proxy is for the outside: the lab's own API, registry and node are on loopback.
export NO_PROXY := $(if $(NO_PROXY),$(NO_PROXY),$(no_proxy))$(if $(NO_PROXY)$(no_proxy),$(comma))127.0.0.1,localhost,::1
export no_proxy := $(NO_PROXY)
comma := ,

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up verify down kubeconfig kubectl test unit integration kind machines test-edge molecule lint sanity bench lock wire wasm clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## the virtual environment that everything else runs in
	@$(PYTHON) tools/setup.py $(VENV) $(LOCK)

setup-dev: setup
	@$(PYTHON) tools/setup.py $(VENV) requirements-dev.lock

demo: setup ## the lab, the demo (DEMO=wasm_debug_echo, wasm_pod, http; on clusters also wasm_handler, video) and the proof; LAB=NAME for a second lab
	@$(PLAYBOOK) -e 'lab_demo=$(DEMO)' site.yml

up: setup ## the lab alone
	@$(PLAYBOOK) playbooks/up.yml

verify: setup ## the proof alone, on a running lab
	@$(PLAYBOOK) -e 'lab_demo=$(DEMO)' playbooks/verify.yml

down: setup ## the lab away, and a look for anything left behind
	@$(PLAYBOOK) playbooks/down.yml
	@$(BIN)/edgelab residue --lab $(LAB)

kubeconfig: ## the path of the kubeconfig, for export KUBECONFIG=$(make -s kubeconfig)
	@$(PYTHON) tools/setup.py --quiet $(VENV) requirements.lock
	@$(BIN)/edgelab kubeconfig --lab $(LAB)

kubectl: setup ## a kubectl of the control plane's version, where there is none on PATH
	@$(PLAYBOOK) playbooks/kubectl.yml

test: lint unit integration kind machines molecule sanity ## every test but those on the edge host (make test-edge)

unit: setup-dev ## tests that need no lab
	@$(BIN)/pytest runtime/tests tests/unit --numprocesses 2 $(ARGS)

integration: setup-dev ## tests on a real lab, and the guides, command by command
	@command -v kubectl >/dev/null || $(MAKE) --no-print-directory kubectl
	@$(BIN)/pytest tests/integration tests/guides --numprocesses 2 --dist loadfile $(ARGS)

kind: setup-dev ## tests on real Kind
	@$(BIN)/pytest tests/kind --numprocesses 2 $(ARGS)

machines: setup-dev ## tests on machines by ssh, and with stand-ins for MicroK8s and Compute Engine
	@$(BIN)/pytest tests/machines tests/gce tests/microk8s $(ARGS)

test-edge: setup-dev ## tests on a QEMU machine with a kernel of its own: modules, cameras, reboot
	@$(BIN)/pytest tests/edge $(ARGS)

molecule: setup-dev ## a scenario per role
	@$(BIN)/python tools/molecule.py $(ARGS)

# What tests share; not what stands for peers that have no types themselves.
TYPED_TESTS := $(filter-out tests/gcekit.py,$(wildcard tests/*.py)) tests/bench

lint: setup-dev ## style, types, layers
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy runtime/src plugins tools $(TYPED_TESTS) conftest.py
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/yamllint --strict .
	@PATH=$(abspath $(BIN)):$$PATH ansible-lint --offline
	@$(BIN)/antsibull-changelog lint
	@PATH=$(abspath $(BIN)):$$PATH antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
	@$(BIN)/python wasm/build.py --check
	@$(BIN)/python tools/actionlint.py

sanity: setup-dev ## ansible-test sanity, no ignores
	@$(BIN)/python tools/sanity.py

bench: setup-dev ## measure; a table, and JSON in bench-results/
	@PYTHONPATH=tests:tests/kind $(BIN)/python tests/bench/bench.py $(ARGS)

lock: setup-dev ## lock the Python requirements; ARGS=--upgrade for the newest versions
	@$(BIN)/python tools/lock.py $(ARGS)

wire: setup-dev ## generate the gRPC code anew from the .proto files
	@$(BIN)/python tools/wire.py

wasm: setup-dev ## build the Wasm guests anew
	@$(BIN)/python wasm/build.py

clean: ## the virtual environment and the tools' caches away
	@rm -rf $(VENV) .ansible .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
