# Two commands are enough: `make demo` and `make test`. Each makes its environment first.
#   make demo ARGS=--once                 ends by itself when every job is final
#   make test ARGS="-n 0 -x tests/base"   hands its arguments to pytest
#   make bench ONLY=claim,submit SCALE=1   two figures at full scale (0.1 unless said)
#   make bench-replay SWF_TRACE=LCG.swf.gz  a log of a real grid; ARGS="--jobs 20000" for a part
#   make bench-atlas MINUTES=1 REPORT=1   a short headline run, its report into docs/

PYTHON ?= python3
ARGS ?=
ONLY ?=
SCALE ?=
SECONDS ?= 6
MINUTES ?= 10
REPORT ?=
VENV := .venv/bin/python
# A child must not take for its own what make was told.
unexport ARGS ONLY SCALE SECONDS MINUTES REPORT
# The tests start hundreds of processes: without kept bytecode each compiles our modules anew.
CLEAN := env -u PYTHONDONTWRITEBYTECODE -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES

.DEFAULT_GOAL := help
.PHONY: help demo test test-faults test-pilots test-clients test-servers test-identity test-rucio test-long bench bench-atlas bench-table bench-replay lint types ci clean lock environment dev-environment

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

demo: environment ## bring up everything, run three real productions, show the dashboard
	@exec $(CLEAN) $(VENV) manage.py demo $(ARGS)

test: dev-environment ## run the tests on a PostgreSQL and a Valkey of their own
	@exec $(CLEAN) $(VENV) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-faults: dev-environment ## kill, cut and race on purpose, two sites at a time: what must never happen, does not
	@exec $(CLEAN) $(VENV) -m pytest -m faults -n 2 --dist loadfile --no-loadscope-reorder $(ARGS) tests/faults tests/flow tests/scale

test-pilots: dev-environment ## run jobs with PanDA's own pilots, kept in namespaces of their own
	@$(CLEAN) $(VENV) -m deploy.panda_pilot >/dev/null
	@exec $(CLEAN) $(VENV) -m tests.pilots.isolated pytest -m pilots $(ARGS) tests/pilots

test-clients: dev-environment ## let PanDA's own client send and steer tasks, which our pilots run
	@$(CLEAN) $(VENV) -m deploy.panda_client >/dev/null
	@exec $(CLEAN) $(VENV) -m pytest -m clients $(ARGS) tests/clients

test-servers: dev-environment ## call through our TLS port, nginx, Apache and systemd's units, with certificates
	@$(CLEAN) $(VENV) -m deploy.servers >/dev/null
	@exec $(CLEAN) $(VENV) -m pytest -rs -m servers $(ARGS) tests/servers

test-identity: dev-environment ## let people and programs in with tokens of a real OpenID provider
	@$(CLEAN) $(VENV) -m deploy.issuer >/dev/null
	@exec $(CLEAN) $(VENV) -m pytest -m issuer $(ARGS) tests/issuer

test-rucio: dev-environment ## install a Rucio server beside ours, and let it move the data of jobs
	@$(CLEAN) $(VENV) -m deploy.rucio >/dev/null
	@exec $(CLEAN) $(VENV) -m pytest -m rucio $(ARGS) tests/rucio

test-long: dev-environment ## run the tests that take minutes
	@exec $(CLEAN) $(VENV) -m pytest -m long $(ARGS)

bench: environment ## measure the figures of docs/benchmarks.md
	@exec $(CLEAN) $(VENV) -m benchmarks --only "$(ONLY)" --scale $(or $(SCALE),0.1) --seconds $(SECONDS) $(ARGS)

bench-replay: environment ## replay the log of a real grid (SWF_TRACE) on a virtual clock
	@test -n "$(SWF_TRACE)" || { echo "SWF_TRACE must name a log in the Standard Workload Format" >&2; exit 2; }
	@exec $(CLEAN) $(VENV) manage.py replay_swf "$(SWF_TRACE)" --simulate $(ARGS)

bench-atlas: environment ## the load of a large experiment, for ten minutes
	@exec $(CLEAN) $(VENV) -m benchmarks atlas --scale $(or $(SCALE),1) --minutes $(MINUTES) $(if $(REPORT),--report)

bench-table: environment ## write what was measured last into docs/bench-figures.md
	@exec $(CLEAN) $(VENV) -m benchmarks table

lint: dev-environment ## style, layers, templates
	@$(CLEAN) .ci/lint

types: dev-environment ## mypy
	@exec $(CLEAN) $(VENV) -m mypy

ci: ## everything that must hold before a change goes in
	@exec $(CLEAN) PYTHON=$(PYTHON) .ci/run

clean: ## remove what can be made again; the data folder stays
	rm -rf .venv .rucio .clients .servers .issuer pandasite/static-npm .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: ## resolve the dependencies anew (npm and, else in a throw-away environment, uv)
	@exec $(CLEAN) deploy/lock

environment:
	@$(CLEAN) $(PYTHON) deploy/bootstrap.py run

dev-environment:
	@$(CLEAN) $(PYTHON) deploy/bootstrap.py dev
