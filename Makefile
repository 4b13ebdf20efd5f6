# Deep Image Prior experiments: `make` or `make help` prints the lines that begin with #>.
#> Start here
#>   demo                               Figure 2 small, in two minutes, and the committed numbers
#>   setup                              make .venv (or VENV=folder), or complete it; says what is next
#>   data                               fetch the paper's images (24 MB; DIP_DATA=folder)
#> Paper's figures: fits, figure, comparison with the committed numbers
#>   reproduce-fig2                     high impedance to noise, with the impedance table
#>   reproduce-fig3                     a JPEG restored, and its blocks coming back
#>   reproduce-fig4, stand-in           denoising of F16 (EXTRAS=bm3d); paper's network without a GPU
#>   reproduce-{fig5,fig6}              super-resolution, x4 and x8; a large hole at three rates
#>   reproduce-fig7                     letters and missing pixels filled in
#>   reproduce-fig8                     large holes filled by networks of different depth and kind
#>   reproduce-{fig9,fig10}             AlexNet's features inverted (weights needed); flash image
#>   reproduce-kate98                   supplement: a face of which 2 % of the pixels are known
#>   reproduce-prior-effect, samples    supplement: pixels, TV and network; untrained networks
#>   paper                              all at the paper's size, for days, resumable (DEVICE=cuda)
#> Tables, studies, ablations
#>   table-denoising                    nine colour images at sigma 25, published numbers, baselines
#>   table-super-resolution             Set5 and Set14, x4 and x8, likewise
#>   table-inpainting                   Table 1: half of the pixels missing in eleven images, likewise
#>   table-impedance, table-precision   Figure 2's table; what bfloat16 costs and saves
#>   table-fidelity                     all numbers that the paper prints, and ours (see paper)
#>   table-trajectory                   which settings give the results of 2018 (an hour)
#>   table-acceleration                 a faster learning-rate schedule, and the norms' start of 2018
#>   table-{denoisers,denoisers-noise}, restored, restored-camera  other methods (EXTRAS=bm3d)
#>   study-{stopping,stability,noises}, table-noise-estimates  rules; variation; noise of cameras
#>   benchmark                          methods proposed since 2018, on the same work (nine hours)
#>   ablation-{denoising,impedance}     one change at a time; impedance of eleven networks (hours)
#> Why it works: claims of the literature, measured
#>   reproduce-{bands,jacobian}         what is fitted first; does a gradient predict the impedance?
#>   reproduce-{dual-kernel,tangent-kernel}  upsampling by formula; is a fit linear?
#>   reproduce-{degrees-of-freedom,posterior}  when is a fit best; SGLD and its spread
#> Quality
#>   setup-dev                          as setup, with the tools that the targets of this group need
#>   test, lint                         the tests (slow, thorough, gpu aside); style and types
#>   test-slow, test-end-to-end         all tests; sweeps, remote jobs, W&B, the report in a browser
#>   docs, notebook                     build the documentation into site/; run its notebook
#>   test-{ray,deepinv}                 Ray cluster, a node of which is killed; real deepinv (5 GB)
#>   smoke, smoke-{restoration,stopping,ablations,theory,benchmark}  all of it small, no meaning
#>   bench                              seconds per iteration: ours and the method as written (minutes)
#> Housekeeping
#>   status, dashboard, report          all runs: as a table, in W&B, as one HTML page
#>   figures, check-figures             redraw figures and tables from the records; compare with git
#>   clean, clean-runs                  remove caches and trials; all runs of RESULTS (SURE=yes)
#> Settings: SCALE=demo|laptop|paper|smoke DEVICE=auto|cpu|cuda RESULTS=folder ARGS="words for dip"
#>           PYTHON=python3.12 VENV=folder TORCH_INDEX=index with PyTorch builds EXTRAS=bm3d,slurm
PYTHON ?= python3
VENV ?= .venv
SCALE ?= laptop
DEVICE ?= auto
RESULTS ?= results
# Extra package index for PyTorch, such as the one that holds its small CPU builds.
TORCH_INDEX ?=
# Optional parts to install too: bm3d, whose licence is for non-commercial use only; slurm, ray (in an environment of its
# own: VENV=.venv-ray) and optuna for sweeps; dashboard for a W&B workspace.
EXTRAS ?=
# Further words for `dip`, such as ARGS="logger=none replicas=5".
ARGS ?=

.DEFAULT_GOAL := help
COMMA := ,
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
BIN := $(VENV)/bin
STAMP := $(VENV)/.dip_experiments$(addprefix -,$(EXTRAS))
DEV := $(VENV)/.dev_tools$(addprefix -,$(EXTRAS))
WORKSPACE := $(VENV)/.wandb_workspaces
OURS := $(VENV)/.made_by_make
RAY := $(VENV)-test-ray
DEEPINV := $(VENV)-test-deepinv
# Its torchvision does not load with the CPU build of PyTorch, so it gets a PyTorch of its own.
WITH_DEEPINV := torch==2.14.1 torchvision==0.29.1 deepinv==0.5.0
# Ray's launcher works only with older versions of these.
UNLIKE_RAY := cloudpickle|joblib|python-dateutil
CONSTRAINTS := $(if $(findstring ray,$(EXTRAS)),$(VENV)/constraints.txt,constraints.txt)
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
include scripts/experiments.mk

.PHONY: help setup setup-dev demo docs notebook test test-slow test-end-to-end test-ray test-deepinv lint bench data status dashboard report \
	figures check-figures clean clean-runs

help:
	@sed -n 's/^#> \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

demo:
	$(MAKE) reproduce-fig2 SCALE=demo

# What a user needs and no more, then what to do next; other targets that call it say nothing.
setup: $(STAMP)
ifneq ($(filter setup,$(MAKECMDGOALS)),)
	@echo "Ready. Next:"
	@echo "  source $(BIN)/activate                              gives the command dip"
	@echo "  make demo                                           Figure 2 small, in two minutes"
	@echo "  dip restore photo.jpg                               a noisy photograph of yours"
endif

# With the tools of tests, style, types and documentation.
setup-dev: $(DEV)

# $(call install,extras): in an environment that make has made, exactly the versions of constraints.txt; in one brought
# along (VENV=path), what is installed stays, its PyTorch above all.
define install
@if [ ! -x $(BIN)/python ]; then mkdir -p $(VENV) && touch $(OURS) && $(PYTHON) -m venv $(VENV); fi
@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
@echo "Installing into $(VENV): some minutes the first time, nothing the next"
@grep -vE '^($(UNLIKE_RAY))=' constraints.txt > $(VENV)/constraints.txt
@$(BIN)/python -m pip install --quiet --no-compile $(INDEX) $$([ -e $(OURS) ] && echo -c $(CONSTRAINTS)) -e '.$(addsuffix ],$(addprefix [,$(1)))'
@touch $@
endef

$(STAMP): pyproject.toml constraints.txt
	$(call install,$(EXTRAS))

$(DEV): pyproject.toml constraints.txt
	$(call install,dev$(addprefix $(COMMA),$(EXTRAS)))
	@touch $(STAMP)

$(WORKSPACE): pyproject.toml constraints.txt
	$(call install,dashboard)

# Where CI=true says so, shapes and types are checked at every call in what computes with tensors: in `test-slow` always,
# in `test` in the fits of tests/test_pinned.py, which have every task, network, optimizer, loss and rule.
TYPED := architectures baselines data fitting guidance latents losses metrics noise operators optimizers regularizers stopping tasks tensors theory
CHECKED := $(if $(CI),--jaxtyping-packages=$(subst $(SPACE),$(COMMA),$(TYPED:%=dip_experiments.%))$(COMMA)beartype.beartype)

test: setup-dev
	$(BIN)/python -m pytest $(if $(CI),--ignore=tests/test_pinned.py)
	$(if $(CI),$(BIN)/python -m pytest $(CHECKED) tests/test_pinned.py)

test-slow: setup-dev
	$(BIN)/python -m pytest $(CHECKED) -m 'not gpu'

# Of these files the slow tests alone: the others are among those of `test`.
test-end-to-end: setup-dev
	$(BIN)/python -m pytest -m 'slow and not thorough' tests/test_sweeps.py tests/test_faults.py tests/test_session.py tests/test_requests.py \
		tests/test_cluster.py tests/test_searching.py tests/test_workspace.py tests/test_report_page.py tests/test_own_picture.py tests/test_examples.py

# In an environment of its own, which sees the packages of the other one.
test-ray: setup-dev
	@test -x $(RAY)/bin/python || $(BIN)/python -m venv $(RAY)
	@$(BIN)/python -c 'import sysconfig as s; print("import site; site.addsitedir(%r)" % s.get_path("purelib"))' \
		> $$($(RAY)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth
	@$(RAY)/bin/python -m pip install --quiet -c $(VENV)/constraints.txt hydra-ray-launcher ray
	$(RAY)/bin/python -m pytest $(CHECKED) -n 0 tests/test_ray.py

test-deepinv: setup-dev
	@test -x $(DEEPINV)/bin/python || $(BIN)/python -m venv $(DEEPINV)
	@$(BIN)/python -c 'import sysconfig as s; print("import site; site.addsitedir(%r)" % s.get_path("purelib"))' \
		> $$($(DEEPINV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/main_environment.pth
	@echo "Installing deepinv into $(DEEPINV): minutes and 5 GB the first time"
	@$(DEEPINV)/bin/python -m pip install --quiet $(WITH_DEEPINV)
	$(DEEPINV)/bin/python -m pytest $(CHECKED) -n 0 tests/test_deepinv.py

docs: setup-dev
	$(BIN)/mkdocs build --strict

notebook: setup-dev
	$(BIN)/python -m pytest -m slow tests/test_documentation.py

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python scripts/benchmarks/iterations.py --device $(DEVICE) --results $(RESULTS)
	$(BIN)/python scripts/benchmarks/start.py --device $(DEVICE) --results $(RESULTS)
	$(BIN)/python scripts/benchmarks/rules.py --device $(DEVICE) --results $(RESULTS)
	$(BIN)/python scripts/benchmarks/threads.py --results $(RESULTS)

data: setup
	$(BIN)/python scripts/tools/fetch_data.py

status: setup
	@$(BIN)/dip status paths.results=$(RESULTS)

dashboard: $(WORKSPACE)
	@test -d $(RESULTS)/wandb || { echo "No W&B runs in $(RESULTS)/wandb yet: make a fit first, such as make smoke"; exit 2; }
	@$(BIN)/python scripts/tools/dashboard.py --results $(RESULTS)

report: setup
	$(BIN)/dip report paths.results=$(RESULTS)

figures: setup
	$(BIN)/python scripts/tools/redraw.py --results $(RESULTS)

check-figures: setup
	$(BIN)/python scripts/tools/check_figures.py --results $(RESULTS)

clean:
	rm -rf $(RESULTS)/smoke $(RESULTS)/reproduced/smoke .pytest_cache .mypy_cache .ruff_cache build dist

clean-runs:
	@n=$$(find $(RESULTS)/runs -name summary.json 2>/dev/null | wc -l); \
	if [ "$(SURE)" != yes ]; then echo "$$n finished runs in $(RESULTS)/runs would be lost: add SURE=yes"; exit 2; fi; \
	rm -rf $(RESULTS)/runs $(RESULTS)/wandb; echo "$$n finished runs removed"
