# Nod's commands.  `make` alone prints them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first Python from 3.11 to 3.13; set PYTHON to choose another.  It is only asked when there is no .venv that fits, and for `lock`.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)
endif

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The installation is done when this file is there; it carries what the installation depends on.
INSTALLED := .venv/installed-$(shell (cat requirements.lock pyproject.toml; echo $(CURDIR)) | sha256sum | cut -c1-16)

# Debian packages and why: compiler; headers of the sound library for PyAudio; of the echo canceller, and its binding
# generator, for speexdsp; the way from ALSA to PulseAudio or PipeWire for the sound library.
DEBIAN := build-essential portaudio19-dev libspeexdsp-dev swig libasound2-plugins
# Puts the recognizer's graph together; the plugins' name has a version in it (both dpkg and apt take it for a pattern).
DEBIAN_GRAPH := libfst-tools libfst[0-9]*-plugins-base
# The tests play through a null sink of their own sound server.
DEBIAN_TEST := pulseaudio-utils $(shell command -v pipewire >/dev/null || echo pulseaudio)
# What the card image is built with is listed there.
DEBIAN_IMAGE := $(shell sed -n 's/^TOOLS="\(.*\)"/\1/p' image/build)

# These come as source only, or compile those that do, so they are installed in this order before the rest.
BUILD_TOOLS := setuptools|scikit-build-core|packaging|pathspec|cmake|ninja
LLAMA := llama-cpp-python
WHEELS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nod/wheels
LLAMA_OPTIONS := -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF \
	-DLLAMA_BUILD_TESTS=OFF -DGGML_CCACHE=OFF -DGGML_NATIVE=ON
# $(call pins,NAMES): the pins of the packages NAMES (joined by |) in the lock;  $(call other_pins,NAMES): of all others.
pins = awk '/^[a-z]/ {keep = /^($(1))==/} keep' requirements.lock
other_pins = awk '/^[a-z]/ {keep = !/^($(1))==/} keep' requirements.lock

.PHONY: help demo talk test setup models image lock clean debian debian-graph debian-openfst debian-test debian-image

help: ## this list
	@awk -F ': .*## |: ## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: setup models ## install, fetch the models, hold a recorded conversation; results in out/demo/
	@exec $(BIN)/nod demo --out out/demo

talk: setup models ## the same with your microphone and loudspeaker
	@exec $(BIN)/nod run

test: debian-test setup ## install what is missing and run all tests
	@$(BIN)/nod models fetch --dev
	mkdir -p out
	echo "What needn't keep time is tested beside what must, on what that leaves of the machine; its report comes last."
	chrt --idle 0 $(BIN)/python -m pytest -m "not realtime" > out/tests.log 2>&1 &
	others=$$!
	trap 'kill $$others 2>/dev/null || true' EXIT
	status=0
	$(BIN)/python -m pytest -m realtime || status=$$?
	wait $$others || status=$$?
	trap - EXIT
	cat out/tests.log
	exit $$status

setup: debian debian-graph $(INSTALLED) ## only install, into .venv/

models: setup
	@exec $(BIN)/nod models fetch

# $(call apt_install,NAMES): install those that are missing, and say so.
define apt_install
@if ! command -v dpkg-query >/dev/null; then
	echo "This is no Debian: make sure that what these packages hold is installed: $(1)"
	exit 0
fi
wanted=($(1))
if [ ! -x $(BIN)/python ] && [ -n "$(PYTHON)" ]; then
	version=$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || wanted+=("$$version-venv")
	header=$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_paths()["include"] + "/Python.h")')
	[ -e "$$header" ] || wanted+=("$$version-dev")
fi
missing=()
for package in "$${wanted[@]}"; do
	[[ "$$(dpkg-query -W -f ' $${db:Status-Status} ' "$$package" 2>/dev/null)" = *' installed '* ]] || missing+=("$$package")
done
[ $${#missing[@]} -gt 0 ] || exit 0
root=()
if [ "$$(id -u)" != 0 ]; then
	root=(sudo)
	command -v sudo >/dev/null || { echo "Ask root to install these Debian packages: $${missing[*]}"; exit 1; }
fi
echo "Installing Debian packages$${root:+ with sudo}: $${missing[*]} ($(2))"
"$${root[@]}" apt-get -qq update
"$${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$${missing[@]}"
endef

debian:
	$(call apt_install,$(DEBIAN),to compile PyAudio$(comma) speexdsp and llama.cpp$(comma) and for sound)

debian-graph:
	@$(MAKE) debian-openfst || echo "Nod works without these, but understands a little less, 10 to 100 ms later."

debian-openfst:
	$(call apt_install,$(DEBIAN_GRAPH),to put the recognizer's graph together)

debian-test:
	$(call apt_install,$(DEBIAN_TEST),the sound server the tests play through)

debian-image:
	$(call apt_install,$(DEBIAN_IMAGE),to build the card image)

comma := ,

$(INSTALLED):
	@if [ ! -x $(BIN)/python ] || ! $(BIN)/python -c '$(FITS)'; then
		[ -n "$(PYTHON)" ] || { echo "Nod needs Python 3.11, 3.12 or 3.13; install one, or name it: make PYTHON=..."; exit 1; }
		rm -rf .venv
		$(PYTHON) -m venv .venv
	fi
	rm -f .venv/installed-*
	install() { $(PIP) install -q --no-deps --no-build-isolation "$$@"; }
	echo "Installing the build tools ..."
	$(call pins,$(BUILD_TOOLS)) > .venv/build-tools.lock
	install --require-hashes -r .venv/build-tools.lock
	$(MAKE) llama
	$(call other_pins,$(BUILD_TOOLS)|$(LLAMA)) > .venv/packages.lock
	echo "Installing $$(grep -c == .venv/packages.lock) pinned packages (about 250 MB) ..."
	install --require-hashes -r .venv/packages.lock
	install -e .
	touch $@
	echo "Installed in .venv/."

# llama-cpp-python comes as source only.  Only the library is compiled, for this very processor; the wheel is kept for the
# next checkout on this machine.  Its CMakeLists.txt forces llama.cpp's utilities (a HTTP client and more) on, so a file is
# included after that which turns them off again; and AMX with them, on processors that have it: GCC 12's header says
# that setting up the tiles reads 8 bytes, the rest is optimized away, and the first product is an illegal instruction.
define LLAMA_CMAKE
set(LLAMA_BUILD_COMMON OFF)
include(CheckCXXCompilerFlag)
foreach(part bf16 int8 tile)
  check_cxx_compiler_flag(-mno-amx-$${part} HAS_AMX_$${part})
  if(HAS_AMX_$${part})
    add_compile_options(-mno-amx-$${part})
  endif()
endforeach()
endef
export LLAMA_CMAKE

.PHONY: llama
llama:
	@processor=$$(uname -m; grep -m1 -iE '^(flags|features)' /proc/cpuinfo || true)
	version=$$($(call pins,$(LLAMA)) | sed -n '1s/^[^=]*==\([^ ]*\).*/\1/p')
	system=$$(. /etc/os-release && echo "$$ID $${VERSION_ID:-}")
	key=$$version-$$(echo "$$processor $$system $(LLAMA_OPTIONS) $$LLAMA_CMAKE" | sha256sum | cut -c1-16)
	if ! ls $(WHEELS)/$$key/*.whl >/dev/null 2>&1; then
		$(call pins,$(LLAMA)) > .venv/llama.lock
		echo "$$LLAMA_CMAKE" > .venv/llama.cmake
		memory_gb=$$(awk '/MemAvailable/ {print int($$2 / 1e6)}' /proc/meminfo)
		jobs=$$(nproc); [ "$$jobs" -le "$$memory_gb" ] || jobs=$$((memory_gb > 0 ? memory_gb : 1))
		echo "Compiling llama.cpp for this processor, once: about $$((4 / jobs + 1)) minutes on $$jobs cores ..."
		rm -rf .venv/wheel
		CMAKE_ARGS="$(LLAMA_OPTIONS) -DCMAKE_PROJECT_llama.cpp_INCLUDE=$(CURDIR)/.venv/llama.cmake" \
		CMAKE_BUILD_PARALLEL_LEVEL=$$jobs \
		$(PIP) wheel -v --no-deps --no-build-isolation --no-cache-dir --require-hashes -r .venv/llama.lock \
			-w .venv/wheel > .venv/llama.log 2>&1 &
		trap 'kill $$! 2>/dev/null || true' EXIT
		while kill -0 $$! 2>/dev/null; do
			sleep 1
			step=$$(grep -oE '\[[0-9]+/[0-9]+\]' .venv/llama.log | tail -n 1 || true)
			if [ -t 1 ]; then printf '\r  %s %d s ' "$$step" $$SECONDS
			elif [ $$((SECONDS % 30)) = 0 ]; then echo "  $$step $$SECONDS s"; fi
		done
		[ ! -t 1 ] || echo
		wait $$! || { tail -n 30 .venv/llama.log; echo "llama.cpp could not be compiled; all of it: .venv/llama.log"; exit 1; }
		mkdir -p $(WHEELS)/$$key.new
		mv .venv/wheel/*.whl $(WHEELS)/$$key.new/
		rm -rf $(WHEELS)/$$key && mv $(WHEELS)/$$key.new $(WHEELS)/$$key
		echo "Compiled in $$SECONDS s; the wheel is kept in $(WHEELS)/$$key."
	fi
	$(PIP) install -q --no-deps --no-index --force-reinstall $(WHEELS)/$$key/*.whl

image: debian-image models ## build out/image/nod-arm64.img, a Raspberry Pi's SD card with Nod (as root; an hour)
	@root=(); [ "$$(id -u)" = 0 ] || root=(sudo NOD_MODELS="$${NOD_MODELS:-$${XDG_CACHE_HOME:-$$HOME/.cache}/nod/models}")
	exec "$${root[@]}" image/build

lock: ## pin all dependencies anew in requirements.lock, for Python 3.11 to 3.13 on every Linux machine
	@folder=$$(mktemp -d)
	trap "rm -rf $$folder" EXIT
	$(PYTHON) -m venv $$folder
	$$folder/bin/python -m pip install -q uv==0.13.9
	$$folder/bin/uv pip compile -q --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --extra dev --extra build --custom-compile-command "make lock" \
		pyproject.toml -o requirements.lock
	echo "requirements.lock: $$(grep -c == requirements.lock) packages."

clean: ## remove what the others made here (models and compiled wheels stay in the cache)
	rm -rf .venv out build *.egg-info .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
