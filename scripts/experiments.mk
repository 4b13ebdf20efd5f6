# How each figure, table and study is made; included by the Makefile, whose settings it uses.
FIGURES := $(addprefix reproduce-,fig2 fig3 fig4 fig5 fig6 fig7 fig8 fig9 fig10 kate98 prior-effect)
TABLES := $(addprefix table-,precision trajectory acceleration denoising super-resolution inpainting denoisers)
STUDIES := study-stopping study-stability study-noises ablation-denoising ablation-impedance
BENCHMARK := benchmark
OTHERS := samples restored restored-camera stand-in
THEORY := $(addprefix reproduce-,bands jacobian dual-kernel tangent-kernel degrees-of-freedom posterior)

.PHONY: $(FIGURES) $(TABLES) $(STUDIES) $(BENCHMARK) $(OTHERS) $(THEORY) table-impedance table-fidelity \
	table-denoisers-noise table-noise-estimates paper \
	smoke smoke-restoration smoke-stopping smoke-ablations smoke-theory smoke-benchmark

# At smoke size a second process takes longer to start than it saves.
LAUNCHER := $(if $(filter smoke,$(SCALE)),hydra/launcher=basic)
# Experiments of one job, for which no sweep is started.
SINGLE := fig3 fig4 fig4_stand_in fig7_text fig10 kate98

# $(call fit,request), $(call draw,script) and $(call compare,request): a request is experiments with a comma between
# them, and overrides of their own after a +. Each ends its line, so that $(foreach) makes recipes of them.
define fit
$(BIN)/dip $(if $(filter $(SINGLE),$(1)),,-m )experiment=$(subst +, ,$(1)) $(if $(filter $(SINGLE),$(1)),,$(LAUNCHER)) scale=$(SCALE) device=$(DEVICE) paths.results=$(RESULTS) $(ARGS)

endef
define draw
$(BIN)/python scripts/$(1).py --scale $(SCALE) --results $(RESULTS) device=$(DEVICE) $(ARGS)

endef
define compare
@$(BIN)/dip compare $(subst +, ,$(1)) scale=$(SCALE) device=$(DEVICE) paths.results=$(RESULTS) $(ARGS)

endef
define baselines
$(BIN)/dip baselines $(1) scale=$(SCALE) paths.results=$(RESULTS) $(ARGS)

endef
# $(call reproduce,requests,script): fits, figures and tables of one's own runs in RESULTS/reproduced, comparison. A
# target may have FITS and SCRIPTS of its own, BASELINES to compute, and COMPARE where requests are compared apart.
define reproduce
$(foreach one,$(or $(FITS),$(1)),$(call fit,$(one)))
$(foreach one,$(BASELINES),$(call baselines,$(one)))
$(foreach one,$(or $(SCRIPTS),$(2)),$(call draw,$(one)))
$(foreach one,$(or $(COMPARE),$(subst $() ,$(COMMA),$(strip $(or $(FITS),$(1))))),$(call compare,$(one)))
endef

$(FIGURES): reproduce-%: setup
	$(call reproduce,$(subst -,_,$*),figures/$(subst -,_,$*))

$(TABLES): table-%: setup
	$(call reproduce,table_$(subst -,_,$*) pixels_$(subst -,_,$*),tables/$(subst -,_,$*))

$(filter study-%,$(STUDIES)): study-%: setup
	$(call reproduce,study_$*,studies/$*)

$(filter ablation-%,$(STUDIES)): ablation-%: setup
	$(call reproduce,ablation_$*,studies/ablation_$*)

$(filter-out reproduce-dual-kernel,$(THEORY)): reproduce-%: setup
	$(call reproduce,$(subst -,_,$*),studies/$(subst -,_,$*))

reproduce-dual-kernel: setup
	$(call draw,studies/dual_kernel)

# Of other methods alone: its networks have hours of fits of their own, dip -m experiment=denoisers_noise.
table-denoisers-noise: setup
	$(call draw,tables/denoisers_noise)

table-noise-estimates: setup
	$(call draw,tables/noise_estimates)

$(BENCHMARK): setup
	$(call reproduce,benchmark benchmark_others benchmark_lowpass,studies/benchmark)

$(OTHERS): setup
	$(call reproduce,$(subst -,_,$@),figures/$(subst -,_,$@))

ABLATION := ablation_denoising,ablation_size,ablation_layers,ablation_input,ablation_fit,ablation_lbfgs,ablation_pictures
reproduce-fig2: FITS = fig2
reproduce-fig7: FITS = fig7_text fig7_missing
reproduce-fig8: FITS = fig8 fig8_others
reproduce-fig9: FITS = fig9 fig9_pixels
stand-in: override SCALE = paper
stand-in: FITS = fig4_stand_in
stand-in: SCRIPTS = figures/fig4_stand_in
table-impedance table-precision: reproduce-fig2
table-precision: FITS = precision precision_fig2
table-trajectory: FITS = trajectory
table-trajectory: SCRIPTS = studies/trajectory
table-denoising: SCRIPTS = tables/denoising tables/averaging
table-acceleration: FITS = precision+precision=float32 precision+precision=float32+architecture.gamma=uniform \
	acceleration acceleration+optimizer=adam_one_cycle+architecture.gamma=uniform
table-denoisers: FITS = denoisers denoisers_decoder
table-denoisers: BASELINES = denoisers
table-acceleration table-denoisers: COMPARE = $(FITS)
study-stability: FITS = study_stopping+experiment.kind=plain study_stability study_selection
study-stability: SCRIPTS = studies/stability studies/selection
study-stability: COMPARE = study_stopping,study_stability,study_selection
ablation-denoising: FITS = $(ABLATION)
reproduce-jacobian: FITS = bands jacobian
reproduce-degrees-of-freedom: FITS = degrees_of_freedom degrees_of_freedom_networks

paper: setup
	$(BIN)/dip paper device=$(DEVICE) paths.results=$(RESULTS) $(ARGS)
	$(MAKE) figures

table-fidelity: setup
	$(BIN)/python scripts/tables/fidelity.py --scale paper --results $(RESULTS) --records

smoke:
	$(MAKE) reproduce-fig2 SCALE=smoke

# Without Figure 9, which needs torchvision's weights.
smoke-restoration:
	$(MAKE) SCALE=smoke ARGS=logger=none $(filter-out reproduce-fig2 reproduce-fig9,$(FIGURES)) samples
	$(MAKE) SCALE=smoke ARGS="logger=none image=cset9/house" table-denoising
	$(MAKE) SCALE=smoke ARGS="logger=none image=cset9/f16" table-trajectory
	$(MAKE) SCALE=smoke ARGS="logger=none image=set5/head,set14/comic" table-super-resolution
	$(MAKE) SCALE=smoke ARGS="logger=none image=standard11/house" table-inpainting

smoke-stopping:
	$(MAKE) SCALE=smoke ARGS="logger=none image=cset9/f16 experiment.draw=0" study-stopping study-stability
	$(MAKE) SCALE=smoke ARGS="logger=none image=coffee experiment.draw=0 experiment.noise=camera" study-noises
	$(MAKE) SCALE=smoke ARGS="logger=none image=cset9/f16 experiment.noise=authors25" table-denoisers
	$(MAKE) SCALE=smoke ARGS=logger=none table-noise-estimates

# Of some changes: the tests compose each.
smoke-ablations:
	$(MAKE) SCALE=smoke ARGS="logger=none image=astronaut" ABLATION=ablation_denoising,ablation_layers,ablation_lbfgs ablation-denoising
	$(MAKE) SCALE=smoke ARGS="logger=none change=default,nearest,pixels" ablation-impedance

# Of few networks, pictures and seeds.
smoke-theory:
	$(MAKE) SCALE=smoke ARGS="logger=none change=default,pixels" reproduce-bands
	$(MAKE) SCALE=smoke ARGS="logger=none change=default,pixels seed=0 replicas=4" reproduce-jacobian
	$(MAKE) SCALE=smoke ARGS=logger=none reproduce-dual-kernel
	$(MAKE) SCALE=smoke ARGS="logger=none seed=0" reproduce-tangent-kernel
	$(MAKE) SCALE=smoke ARGS="logger=none image=coffee experiment.noise=sigma25" reproduce-degrees-of-freedom
	$(MAKE) SCALE=smoke ARGS="logger=none image=astronaut" reproduce-posterior

# Of one picture, two methods and one problem.
smoke-benchmark:
	$(MAKE) SCALE=smoke ARGS="logger=none image=astronaut experiment.problem=sigma25 method=plain,aseqdip" benchmark
