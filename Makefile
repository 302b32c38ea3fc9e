# sluice: a short front to meson. `make help` lists the targets.
BUILD  ?= build
PREFIX ?= /usr/local
DESTDIR ?=

all: $(BUILD)/build.ninja
	ninja -C $(BUILD) product

$(BUILD)/build.ninja:
	-scripts/setup.sh build
	meson setup --prefix=$(PREFIX) $(BUILD)

run: all
	$(BUILD)/sluice bench .

check check-fast check-vm:
	scripts/check.sh $@ $(BUILD)

asan tsan:
	scripts/sanitize.sh $@

fuzz:
	scripts/fuzz.sh

tidy:
	scripts/tidy.sh

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

bench: all
	scripts/unpack-peer.sh $(BUILD) $$(sed 's/#.*//' scripts/packages/bench.txt)
	bench/run.sh $(BUILD)

man: $(BUILD)/build.ninja
	ninja -C $(BUILD) man

install: all
	meson configure --prefix=$(PREFIX) $(BUILD)
	ninja -C $(BUILD) product
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf build build-asan build-tsan build-tidy build-fuzz

help:
	@echo 'make              build $(BUILD)/sluice, $(BUILD)/libsluice.so and $(BUILD)/libsluice.a'
	@echo 'make run          install what is missing, build, benchmark the file system of this directory'
	@echo 'make check        install what is missing, build, run every test'
	@echo 'make check-fast   run what can run without installing more than the build needs'
	@echo 'make check-vm     the tests that need a virtual machine'
	@echo 'make asan, tsan   the tests under the address and thread sanitizers'
	@echo 'make fuzz         each parser of untrusted bytes five minutes under libFuzzer (scripts/fuzz.sh for more)'
	@echo 'make tidy         clang-tidy and cppcheck'
	@echo 'make format       let clang-format lay out every file'
	@echo 'make bench        the ratios against peers, with their spread'
	@echo 'make man          build the manual'
	@echo 'make install      honours DESTDIR= and PREFIX= (now $(PREFIX))'
	@echo 'make clean        remove the build directories'

.PHONY: all run check check-fast check-vm asan tsan fuzz tidy format bench man install clean help
