# Thin: CMake presets do the work (CMakePresets.json), tools/ the rest. Each target installs what it needs.
.PHONY: build demo test test-asan test-tsan bench check format clean packages test-packages

# Everything is compiled at most this often at once; RESULTS is where the test stages leave their counts.
JOBS ?= $(shell nproc)
RESULTS ?= build/results
PARTS ?= units e2e

build: packages
	cmake --preset release
	cmake --build --preset release -j $(JOBS) --target binaries

demo: build
	exec build/release/bin/plait demo

test: test-packages
	tools/test release $(RESULTS) $(PARTS)

# The whole suite with ASan and UBSan.
test-asan: test-packages
	tools/test asan $(RESULTS)

test-tsan: test-packages
	tools/test tsan $(RESULTS)

bench: build
	tools/install_packages bench
	cmake --build --preset release -j $(JOBS) --target bench_tools
	$$(tools/python_env) bench/run

check: test-packages
	tools/check $(RESULTS)

format: test-packages
	tools/check_format --fix

clean:
	rm -rf build

packages:
	@tools/install_packages

test-packages:
	@tools/install_packages test
