# make app · make test · make bench · make weights. Each sets up what it needs; a second run is quick.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
AXE := .cache/axe/axe.min.js
AXE_VERSION := 4.14.1
AXE_SHA256 := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
CHROMIUM := /usr/bin/chromium
MODELS := judge-fashion judge-portraits vae-fashion gan-fashion vae-portraits-biased vae-portraits-balanced \
  gan-portraits-biased gan-portraits-balanced gan-professions ae-fashion-undercomplete ae-fashion-overcomplete \
  ae-fashion-denoising ae-fashion-sparse ae-fashion-contractive ae-fashion-convolutional ae-fashion-convolutional-16 \
  ae-fashion-neighbours photo-codec fashion-codec pixelcnn-fashion ddpm-fashion

export OMP_NUM_THREADS ?= 2
export HF_HUB_DISABLE_TELEMETRY ?= 1
export GRADIO_ANALYTICS_ENABLED ?= False

.PHONY: help app test setup chromium lists lint bench weights clean

help: ## say what the targets do
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/'

app: $(INSTALLED) ## install if need be and open the app on http://127.0.0.1:7860
	@$(RUN) app.py

test: setup lint ## install what the tests need and run every test
	@$(RUN) -m pytest --timeout 900

lint: $(INSTALLED) ## check the style
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

setup: $(INSTALLED) chromium lists $(AXE) ## install what the tests need

bench: $(INSTALLED) ## run every side-by-side benchmark
	@found=0; for script in benchmarks/*.py; do \
	  [ -e "$$script" ] || continue; found=1; echo "== $$script"; $(RUN) "$$script"; \
	done; [ $$found = 1 ] || echo "There is no benchmark in benchmarks/ yet."

weights: $(INSTALLED) ## train, measure and write the card of every model (hours on a CPU; goes on where it stopped)
	@for model in $(MODELS); do \
	  $(RUN) -m genlab train $$model --publish; \
	  $(RUN) -m genlab evaluate $$model --publish; \
	  $(RUN) -m genlab card $$model --pictures --write; \
	done

clean: ## remove what make installed here
	rm -rf $(VENV) .cache

# The virtual environment is complete when the stamp is younger than the two lists.
$(INSTALLED): requirements.txt constraints.txt
	@python=; for candidate in python3 python3.12 python3.11; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then \
	    python=$$candidate; break; fi; done; \
	if [ -z "$$python" ]; then echo "GenLab needs Python 3.11 or 3.12: install one of them and run make again." >&2; exit 1; fi; \
	if [ ! -x $(RUN) ]; then $$python -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python cannot make a virtual environment: on Debian and Ubuntu, install python3-venv." >&2; exit 1; }; fi
	@echo "Installing packages into $(VENV) (a few minutes the first time) ..."
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	@touch $@

# $(call apt,what to install): as root or through sudo, or a sentence that says what to do.
define apt
	if ! command -v apt-get >/dev/null; then \
	  echo "This needs $(1): there is no apt-get here, install it by hand and run make again." >&2; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then root=; elif command -v sudo >/dev/null; then root="sudo"; else \
	  echo "This needs $(1): run 'apt-get install $(1)' as root and run make again." >&2; exit 1; fi; \
	$$root apt-get update -qq && $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1)
endef

chromium:
	@if [ ! -x $(CHROMIUM) ]; then $(call apt,chromium fonts-liberation) >/dev/null; fi

# The data set's package is downloaded by apt-get, which needs its lists; without them the Hub is asked.
lists:
	@if command -v apt-get >/dev/null && ! apt-cache show dataset-fashion-mnist >/dev/null 2>&1; then \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq || true; \
	  elif command -v sudo >/dev/null; then sudo apt-get update -qq || true; fi; fi

$(AXE):
	@if ! command -v npm >/dev/null; then $(call apt,nodejs npm) >/dev/null; fi
	@mkdir -p $(@D); work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	(cd "$$work" && npm pack --silent axe-core@$(AXE_VERSION) >/dev/null 2>&1 && tar xzf axe-core-*.tgz) || { \
	  echo "axe-core $(AXE_VERSION) could not be fetched with npm: check the network and run make again." >&2; exit 1; }; \
	echo "$(AXE_SHA256)  $$work/package/axe.min.js" | sha256sum --check --quiet; \
	mv "$$work/package/axe.min.js" $@
