# Deep Image Prior experiments. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
SCALE ?= laptop
DEVICE ?= auto
RESULTS ?= results
# Extra package index for PyTorch, such as the one that holds its small CPU builds.
TORCH_INDEX ?=
# Optional parts to install too, such as bm3d,slurm: bm3d, the baseline whose licence is for non-commercial use only;
# slurm, ray (in an environment of its own: VENV=.venv-ray) and optuna for sweeps; dashboard for a W&B workspace.
EXTRAS ?=
# Further words for `dip`, such as ARGS="logger=none replicas=5".
ARGS ?=

COMMA := ,
BIN := $(VENV)/bin
STAMP := $(VENV)/.dip_experiments$(addprefix -,$(EXTRAS))
OURS := $(VENV)/.made_by_make
RAY := $(VENV)-test-ray
# Ray's launcher works only with older versions of these.
UNLIKE_RAY := cloudpickle|joblib|python-dateutil
CONSTRAINTS := $(if $(findstring ray,$(EXTRAS)),$(VENV)/constraints.txt,constraints.txt)
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: help setup demo docs notebook test test-slow test-end-to-end test-ray lint smoke smoke-restoration \
	reproduce-fig2 reproduce-fig3 reproduce-fig4 reproduce-fig5 reproduce-fig6 reproduce-fig7 reproduce-fig8 reproduce-fig10 reproduce-kate98 \
	reproduce-prior-effect samples stand-in \
	paper table-impedance table-precision table-trajectory table-fidelity table-acceleration table-denoising table-super-resolution table-inpainting \
	restored table-denoisers study-stopping study-stability smoke-stopping \
	ablation-denoising ablation-impedance smoke-ablations \
	figures check-figures report bench data status dashboard clean clean-runs

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 24
	@echo
	@echo "Settings: SCALE=demo|laptop|paper|smoke DEVICE=auto|cpu|cuda RESULTS=folder PYTHON=python3.12 VENV=folder"
	@echo "          TORCH_INDEX=index with PyTorch builds, EXTRAS=bm3d,slurm, DIP_DATA=folder, ARGS=\"words for dip\""

demo: ## first of all: Figure 2 small, in two minutes on two cores, and its numbers beside the committed ones
	$(MAKE) reproduce-fig2 SCALE=demo

setup: $(STAMP) ## make .venv (or VENV=folder), or add what is missing to the environment that is there

# In an environment that make has made, exactly the versions of constraints.txt; in one brought along (VENV=path),
# what is there stays, its PyTorch above all.
$(STAMP): pyproject.toml constraints.txt
	@if [ ! -x $(BIN)/python ]; then mkdir -p $(VENV) && touch $(OURS) && $(PYTHON) -m venv $(VENV); fi
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): some minutes the first time, nothing the next"
	@grep -vE '^($(UNLIKE_RAY))=' constraints.txt > $(VENV)/constraints.txt
	@$(BIN)/python -m pip install --quiet $(INDEX) $$([ -e $(OURS) ] && echo -c $(CONSTRAINTS)) -e '.[dev$(addprefix $(COMMA),$(EXTRAS))]'
	@touch $@

# Shapes and types are checked at every call where CI=true says so: a third of the time.
CHECKED := $(if $(CI),--jaxtyping-packages=dip_experiments$(COMMA)beartype.beartype)

test: setup ## run the tests (slow and gpu ones aside)
	$(BIN)/python -m pytest $(CHECKED)

test-slow: setup ## run the slow tests too
	$(BIN)/python -m pytest $(CHECKED) -m 'not gpu'

# Of these files the slow ones alone: the others are among the tests.
test-end-to-end: setup ## what sweeps survive, jobs carried out elsewhere, W&B, the report in Chromium: slow, but not for hours
	$(BIN)/python -m pytest -m slow tests/test_sweeps.py tests/test_faults.py tests/test_sitting.py tests/test_requests.py \
		tests/test_cluster.py tests/test_searching.py tests/test_workspace.py tests/test_report_page.py tests/test_own_picture.py

# Beside the environment of all else, and sees its packages.
test-ray: setup ## a sweep on a Ray cluster of two nodes on this machine, of which one is killed
	@test -x $(RAY)/bin/python || $(BIN)/python -m venv $(RAY)
	@$(BIN)/python -c 'import sysconfig as s; print("import site; site.addsitedir(%r)" % s.get_path("purelib"))' \
		> $$($(RAY)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth
	@$(RAY)/bin/python -m pip install --quiet -c $(VENV)/constraints.txt hydra-ray-launcher ray
	$(RAY)/bin/python -m pytest $(CHECKED) -n 0 tests/test_ray.py

docs: setup ## build the documentation into site/
	$(BIN)/mkdocs build --strict

notebook: setup ## run the notebooks of docs/
	$(BIN)/python -m pytest -m slow tests/test_documentation.py

lint: setup ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

smoke: ## the whole of Figure 2 in half a minute, at a size where numbers mean nothing
	$(MAKE) reproduce-fig2 SCALE=smoke

smoke-restoration: ## the restoration figures and, for a picture or two, the tables, in minutes, likewise
	$(MAKE) SCALE=smoke ARGS=logger=none reproduce-fig3 reproduce-fig4 reproduce-fig5 reproduce-fig6 reproduce-fig7 reproduce-fig8 \
		reproduce-fig10 reproduce-kate98 reproduce-prior-effect samples
	$(MAKE) SCALE=smoke ARGS="logger=none image=cset9/house" table-denoising
	$(MAKE) SCALE=smoke ARGS="logger=none image=cset9/f16" table-trajectory
	$(MAKE) SCALE=smoke ARGS="logger=none image=set5/head,set14/comic" table-super-resolution
	$(MAKE) SCALE=smoke ARGS="logger=none image=standard11/house" table-inpainting

smoke-stopping: ## the studies of stopping and stability, one draw of a picture, and the denoisers, in minutes, likewise
	$(MAKE) SCALE=smoke ARGS="logger=none image=cset9/f16 experiment.draw=0" study-stopping study-stability
	$(MAKE) SCALE=smoke ARGS="logger=none image=cset9/f16 experiment.noise=authors25" table-denoisers

smoke-ablations: ## the ablations, of one picture and of three networks, in minutes, likewise
	$(MAKE) SCALE=smoke ARGS="logger=none image=astronaut" ablation-denoising
	$(MAKE) SCALE=smoke ARGS="logger=none change=default,nearest,pixels" ablation-impedance

# At smoke size a second process takes longer to start than it saves.
LAUNCHER := $(if $(filter smoke,$(SCALE)),hydra/launcher=basic)

# $(call fit,words for dip), $(call draw,figure), $(call table,table), at SCALE or the scale given as a second argument:
# of one's own runs, with the words of the request, into RESULTS/reproduced. $(call compare,experiments and their words).
fit = $(BIN)/dip $(1) scale=$(or $(2),$(SCALE)) device=$(DEVICE) paths.results=$(RESULTS) $(ARGS)
draw = $(BIN)/python scripts/figure_$(1).py --scale $(or $(2),$(SCALE)) --results $(RESULTS) device=$(DEVICE) $(ARGS)
table = $(BIN)/python scripts/table_$(1).py --scale $(SCALE) --results $(RESULTS) device=$(DEVICE) $(ARGS)
compare = @$(BIN)/dip compare $(1) scale=$(or $(2),$(SCALE)) device=$(DEVICE) paths.results=$(RESULTS) $(ARGS)

reproduce-fig2: setup ## Figure 2: fits, figure and impedance table
	$(call fit,-m experiment=fig2 $(LAUNCHER))
	$(call draw,fig2)
	$(call table,impedance)
	$(call compare,fig2)

reproduce-fig3: setup ## Figure 3: a JPEG restored, and spoilt again
	$(call fit,experiment=fig3)
	$(call draw,fig3)
	$(call compare,fig3)

reproduce-fig4: setup ## Figure 4: denoising of F16 (EXTRAS=bm3d for that baseline)
	$(call fit,experiment=fig4)
	$(call draw,fig4)
	$(call compare,fig4)

reproduce-fig5: setup ## Figure 5: super-resolution, x4 and x8
	$(call fit,-m experiment=fig5 $(LAUNCHER))
	$(call draw,fig5)
	$(call compare,fig5)

reproduce-fig6: setup ## Figure 6: a large hole at three learning rates
	$(call fit,-m experiment=fig6 $(LAUNCHER))
	$(call draw,fig6)
	$(call compare,fig6)

reproduce-fig7: setup ## Figure 7: letters and missing pixels filled in
	$(call fit,experiment=fig7_text)
	$(call fit,-m experiment=fig7_missing $(LAUNCHER))
	$(call draw,fig7)
	$(call compare,fig7_text$(COMMA)fig7_missing)

reproduce-fig8: setup ## Figure 8: large holes filled by networks of another depth and kind
	$(call fit,-m experiment=fig8 $(LAUNCHER))
	$(call fit,-m experiment=fig8_others $(LAUNCHER))
	$(call draw,fig8)
	$(call compare,fig8$(COMMA)fig8_others)

reproduce-fig10: setup ## Figure 10: a dark picture restored with the help of one in flashlight
	$(call fit,experiment=fig10)
	$(call draw,fig10)
	$(call compare,fig10)

reproduce-kate98: setup ## supplement: a face of which 2 % of the pixels are known
	$(call fit,experiment=kate98)
	$(call draw,kate98)
	$(call compare,kate98)

reproduce-prior-effect: setup ## supplement: super-resolution by pixels, total variation and the network
	$(call fit,-m experiment=prior_effect $(LAUNCHER))
	$(call draw,prior_effect)
	$(call compare,prior_effect)

samples: setup ## supplement: what random networks show before any fit, and their power spectra
	$(call fit,-m experiment=samples $(LAUNCHER))
	$(call draw,samples)
	$(call compare,samples)

paper: setup ## the paper's own size, row by row, for days; go on with the same command, on any machine (DEVICE=cuda)
	$(BIN)/dip paper device=$(DEVICE) paths.results=$(RESULTS) $(ARGS)
	$(MAKE) figures

stand-in: setup ## Figure 4 where there is no GPU: the paper's network on a smaller picture (always scale=paper)
	$(call fit,experiment=fig4_stand_in,paper)
	$(call draw,fig4_stand_in,paper)
	$(call compare,fig4_stand_in,paper)

table-impedance: reproduce-fig2 ## the impedance table (made with Figure 2)

table-precision: reproduce-fig2 ## what bfloat16 costs and saves (needs hardware for it): denoising, Figure 2
	$(call fit,-m experiment=precision $(LAUNCHER))
	$(call fit,-m experiment=precision_fig2 $(LAUNCHER))
	$(call table,precision)
	$(call compare,precision$(COMMA)precision_fig2)

table-trajectory: setup ## which settings give the pictures of 2018 with today's PyTorch (an hour)
	$(call fit,-m experiment=trajectory $(LAUNCHER))
	$(call draw,trajectory)
	$(call table,trajectory)
	$(call compare,trajectory)

table-fidelity: setup ## ours against every number that the paper prints, from the records at its own size (see paper)
	$(BIN)/python scripts/table_fidelity.py --scale paper --results $(RESULTS) --records

table-acceleration: setup ## a faster schedule of the learning rate, and the norms' start of 2018, beside the paper's
	$(call fit,-m experiment=precision precision=float32 $(LAUNCHER))
	$(call fit,-m experiment=precision precision=float32 architecture.gamma=uniform $(LAUNCHER))
	$(call fit,-m experiment=acceleration $(LAUNCHER))
	$(call fit,-m experiment=acceleration optimizer=adam_one_cycle architecture.gamma=uniform $(LAUNCHER))
	$(call table,acceleration)
	$(call compare,precision precision=float32)
	$(call compare,precision precision=float32 architecture.gamma=uniform)
	$(call compare,acceleration)
	$(call compare,acceleration optimizer=adam_one_cycle architecture.gamma=uniform)

table-denoising: setup ## nine colour pictures at sigma 25, beside published numbers and other methods
	$(call fit,-m experiment=table_denoising $(LAUNCHER))
	$(call fit,-m experiment=pixels_denoising $(LAUNCHER))
	$(call table,denoising)
	$(call compare,table_denoising$(COMMA)pixels_denoising)

table-super-resolution: setup ## Set5 and Set14, 4 and 8 times larger, beside published numbers and other methods
	$(call fit,-m experiment=table_super_resolution $(LAUNCHER))
	$(call fit,-m experiment=pixels_super_resolution $(LAUNCHER))
	$(call table,super_resolution)
	$(call compare,table_super_resolution$(COMMA)pixels_super_resolution)

table-inpainting: setup ## Table 1: half of the pixels missing in eleven pictures, beside published numbers
	$(call fit,-m experiment=table_inpainting $(LAUNCHER))
	$(call fit,-m experiment=pixels_inpainting $(LAUNCHER))
	$(call table,inpainting)
	$(call compare,table_inpainting$(COMMA)pixels_inpainting)

restored: setup ## two noisy pictures restored from themselves, beside other methods (EXTRAS=bm3d)
	$(call fit,-m experiment=restored $(LAUNCHER))
	$(call draw,restored)
	$(call compare,restored)

table-denoisers: setup ## a noisy photograph restored by itself, beside what one would pick instead (EXTRAS=bm3d)
	$(call fit,-m experiment=denoisers $(LAUNCHER))
	$(call fit,-m experiment=denoisers experiment.noise=authors25 architecture.gamma=uniform $(LAUNCHER))
	$(call fit,-m experiment=denoisers_decoder $(LAUNCHER))
	$(BIN)/dip rivals denoisers scale=$(SCALE) paths.results=$(RESULTS) $(ARGS)
	$(call table,denoisers)
	$(call compare,denoisers)
	$(call compare,denoisers experiment.noise=authors25 architecture.gamma=uniform)
	$(call compare,denoisers_decoder)

study-stopping: setup ## when to stop: each rule against the oracle of the plain fit (hours)
	$(call fit,-m experiment=study_stopping $(LAUNCHER))
	$(call fit,-m experiment=study_noises $(LAUNCHER))
	$(call draw,stopping)
	$(call table,stopping)
	$(call compare,study_stopping$(COMMA)study_noises)

study-stability: setup ## how much results vary, and which settings the split chooses (hours; after study-stopping)
	$(call fit,-m experiment=study_stopping experiment.kind=plain $(LAUNCHER))
	$(call fit,-m experiment=study_noises experiment.kind=plain experiment.noise=gaussian10 $(LAUNCHER))
	$(call fit,-m experiment=study_stability $(LAUNCHER))
	$(call fit,-m experiment=study_selection $(LAUNCHER))
	$(call draw,stability)
	$(call table,stability)
	$(call table,selection)
	$(call compare,study_stopping$(COMMA)study_stability$(COMMA)study_selection)

ABLATION := ablation_denoising,ablation_size,ablation_layers,ablation_input,ablation_fit,ablation_lbfgs,ablation_pictures

ablation-denoising: setup ## one change of the network, its latent or its fit after the other: what it costs (hours)
	$(call fit,-m experiment=$(ABLATION) $(LAUNCHER))
	$(call draw,ablation_denoising)
	$(call table,ablation_denoising)
	$(call compare,$(ABLATION))

ablation-impedance: setup ## eleven networks: impedance to noise, and how well they denoise (an hour)
	$(call fit,-m experiment=ablation_impedance $(LAUNCHER))
	$(call draw,ablation_impedance)
	$(call table,ablation_impedance)
	$(call compare,ablation_impedance)

bench: setup ## seconds per iteration: ours against the method as written, in one run (minutes)
	$(BIN)/python scripts/bench.py --device $(DEVICE) --results $(RESULTS)
	$(BIN)/python scripts/bench_start.py --device $(DEVICE) --results $(RESULTS)
	$(BIN)/python scripts/bench_rules.py --device $(DEVICE) --results $(RESULTS)
	$(BIN)/python scripts/bench_threads.py --results $(RESULTS)

data: setup ## fetch the paper's pictures (24 MB) into the system's cache, or into DIP_DATA=folder
	$(BIN)/python scripts/fetch_data.py

status: setup ## all runs: state, owner, time left, peak
	@$(BIN)/dip status paths.results=$(RESULTS)

dashboard: setup ## the W&B workspace: to your account after `wandb login`, else checked, and the runs shown in the terminal
	@test -d $(RESULTS)/wandb || { echo "No W&B runs in $(RESULTS)/wandb yet: make a fit first, such as make smoke"; exit 2; }
	@$(BIN)/python scripts/dashboard.py --results $(RESULTS)

figures: setup ## redraw every committed figure and table from the records, without a fit
	$(BIN)/python scripts/redraw.py --results $(RESULTS)

report: setup ## one page of all runs, figures and tables, for a browser: RESULTS/report/index.html
	$(BIN)/dip report paths.results=$(RESULTS)

check-figures: setup ## compare figures and tables with those committed: CSV, MD and JSON by byte, PNG by pixel
	$(BIN)/python scripts/check_figures.py --results $(RESULTS)

clean: ## remove caches and trials; runs stay (see clean-runs)
	rm -rf $(RESULTS)/smoke $(RESULTS)/reproduced/smoke .pytest_cache .mypy_cache .ruff_cache build dist

clean-runs: ## remove all runs of RESULTS for good, with SURE=yes; records, figures and tables stay
	@n=$$(find $(RESULTS)/runs -name summary.json 2>/dev/null | wc -l); \
	if [ "$(SURE)" != yes ]; then echo "$$n finished runs in $(RESULTS)/runs would be lost: add SURE=yes"; exit 2; fi; \
	rm -rf $(RESULTS)/runs $(RESULTS)/wandb; echo "$$n finished runs removed"
