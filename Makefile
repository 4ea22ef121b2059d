# Everything is made from nothing but Python 3.11 or later, npm and this folder.

VENV := venv
BIN := $(VENV)/bin
PYTHON ?= python3

# Where pyenv keeps Pythons, tox finds them behind those on the PATH.
empty :=
PYENV_BINS := $(wildcard $(shell command -v pyenv >/dev/null && pyenv root)/versions/3.1[1-9]*/bin)
export PATH := $(PATH):$(subst $(empty) $(empty),:,$(PYENV_BINS))

.PHONY: help serve test check faults survival soak bench clean

help:
	@echo "make serve     run the server on its defaults, ws://127.0.0.1:8000/"
	@echo "make test      all tests: lint, types, matrix, package, conformance, real clients, faults"
	@echo "make check     two minutes: lint, types and the tests on this Python"
	@echo "make faults    each fault against a real process; writes docs/faults.md"
	@echo "make survival  the same attacks against other servers; writes docs/survival.md"
	@echo "make soak      all misbehaviours at once; MINUTES=10 CONNECTIONS=1000000"
	@echo "make bench     how fast it is beside others; writes docs/performance.md; ROUNDS=5 ONLY= CASES="
	@echo "make clean     remove what the others made"

serve: $(BIN)/rtcsig
	$(BIN)/rtcsig serve $(ARGS)

test: $(BIN)/tox
	@rm -rf artefacts/tests
	@$(BIN)/tox run; status=$$?; $(BIN)/python .ci/counts.py artefacts/tests; exit $$status

check: $(BIN)/tox
	@rm -rf artefacts/tests
	@$(BIN)/tox run -e lint,types,coverage; status=$$?; \
	    $(BIN)/python .ci/counts.py artefacts/tests; exit $$status

faults: $(BIN)/tox
	$(BIN)/tox run -e faults

survival: $(BIN)/tox
	$(BIN)/tox run -e survival

soak: export MINUTES ?= 10
soak: export CONNECTIONS ?= 1000000
soak: $(BIN)/tox
	$(BIN)/tox run -e soak

bench: $(BIN)/tox
	$(BIN)/tox run -e bench

clean:
	rm -rf $(VENV) .tox artefacts dist node_modules clients/js/node_modules tests/interop/node_modules \
	    tests/survival/peers/node_modules

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(BIN)/rtcsig: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(BIN)/tox: | $(BIN)/python
	$(BIN)/python -m pip install --quiet "tox>=4.23"
	@touch $@
