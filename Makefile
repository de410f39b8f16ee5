# One word per action. Needs python3 (3.11 to 3.13), pip, make and git; nothing else.
PORT ?= 8000
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
MANAGE := $(PY) backend_django/manage.py
export PORT

.PHONY: help run setup setup-dev test lint format admin worker shell migrate upgrade backup restore audit screenshots docs lock messages clean
.DEFAULT_GOAL := help

help:           ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: setup      ## set up everything, fill an empty database with the demo boutique (EMPTY=1: do not), train, serve on PORT
	@$(MANAGE) start $(if $(EMPTY),--empty)

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

$(VENV)/.installed: backend_django/requirements.txt
	@sh .ci/make-venv "$(PYTHON)" "$(VENV)" backend_django/requirements.txt
	@touch $@

$(VENV)/.installed-dev: backend_django/requirements-dev.txt
	@sh .ci/make-venv "$(PYTHON)" "$(VENV)" backend_django/requirements-dev.txt
	@touch $(VENV)/.installed $@

test: setup-dev ## every test: SQLite, then the PostgreSQL subset on a server it brings itself
	@$(PY) -m pytest
	@$(PY) .ci/with_postgres.py --no-autovacuum $(PY) -m pytest -m postgres

lint: setup-dev ## ruff, mypy, import contracts, migrations and translations up to date
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@$(PY) -m mypy
	@cd backend_django && PYTHONPATH=. ../$(VENV)/bin/lint-imports --no-cache --config ../pyproject.toml
	@$(MANAGE) makemigrations --check --dry-run
	@$(PY) .ci/check_messages.py

format: setup-dev ## let ruff format and mend what it can
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

admin: setup    ## make or reset the administrator's password (ADMIN_PASSWORD=… sets one's own)
	@$(MANAGE) make_admin --reset

worker: setup   ## a worker alone (`make run` starts one)
	@$(MANAGE) ml_worker

migrate: setup  ## bring the database to this version
	@$(MANAGE) migrate

shell: setup    ## a Python shell inside the project
	@$(MANAGE) shell

messages: setup-dev ## collect and compile the translations (needs gettext)
	@$(PY) .ci/check_messages.py --write

upgrade: setup  ## after a new release: migrate, and collect the files that the web server hands out
	@$(MANAGE) migrate && $(MANAGE) collectstatic --noinput

backup: setup   ## everything into one file: make backup TO=/another/disk/trastienda.tar.gz
	@test -n "$(TO)" || { echo "Say where to: make backup TO=/another/disk/trastienda.tar.gz" >&2; exit 2; }
	@$(MANAGE) backup "$(TO)"

restore: setup  ## bring a backup back: make restore FROM=file (REPLACE=1 replaces the shop that is there)
	@test -n "$(FROM)" || { echo "Say which: make restore FROM=/another/disk/trastienda.tar.gz" >&2; exit 2; }
	@$(MANAGE) restore "$(FROM)" $(if $(REPLACE),--replace)

audit: setup-dev ## known vulnerabilities of what is installed (needs the internet)
	@$(PY) .ci/audit.py

screenshots: setup-dev ## pictures of the dashboard for the README (needs Chromium)
	@$(PY) .ci/browser.py --pictures docs/images

docs: $(VENV)-docs/.installed ## the documents as a site in .site/html, every link checked
	@$(VENV)-docs/bin/python .ci/site_pages.py

$(VENV)-docs/.installed: docs/requirements.txt
	@sh .ci/make-venv "$(PYTHON)" "$(VENV)-docs" docs/requirements.txt
	@touch $@

lock: setup-dev ## resolve the dependencies again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    pyproject.toml --extra project -o backend_django/requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    pyproject.toml --extra project --group dev -c backend_django/requirements.txt -o backend_django/requirements-dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --group docs -o docs/requirements.txt

clean:          ## remove the virtual environment and caches; data in var/ stays
	rm -rf $(VENV) $(VENV)-docs .site .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis
