# SPDX-License-Identifier: Apache-2.0
#
# The door for users and packagers. `make` alone says what there is.
#
#   make build && make install DESTDIR=/tmp/stage PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
BASHDIR    ?= $(DATADIR)/bash-completion/completions
ZSHDIR     ?= $(DATADIR)/zsh/site-functions
FISHDIR    ?= $(DATADIR)/fish/vendor_completions.d
DESTDIR    ?=

CARGO   ?= cargo
INSTALL ?= install
OBJCOPY ?= objcopy

VERSION := $(shell sed -n '/^\[workspace.package\]/,/^$$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
SONAME  := libbrig.so.$(firstword $(subst ., ,$(VERSION)))
LIBRARY := libbrig.so.$(VERSION)
# What rustc says a Rust static library needs of the system (--print native-static-libs).
SYSTEM_LIBS := -lutil -lrt -lpthread -lm -ldl
EXPORTS  = $(shell sed -n 's/^ *\(brig_[a-z_]*\);$$/\1/p' abi/brig.map)

.DELETE_ON_ERROR:
.PHONY: help demo test test-vm picture soak spec-table compare fuzz bench build install uninstall documents header abi abi-baseline check clean deps deps-test deps-vm deps-check deps-bench FORCE

help: ## Says what there is (the default)
	@echo 'make TARGET, where TARGET is one of:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-13s%s\n", $$1, $$2 }'

demo: deps-test build ## Runs a real container through the C example and through the command
	@scripts/demo.sh

test: deps-test build ## Runs every test, then looks for what they left behind (as root)
	@scripts/test.sh

test-vm: deps-vm build/brig ## Runs tests in guests with systemd, cgroup v2, AppArmor, SELinux (TESTS=filter, VM_DIR=target/vm)
	@tests/vm/run.sh $(TESTS)

fuzz: deps-test ## Fuzzes what reads config.json for FUZZ_SECONDS (default 600)
	@scripts/fuzz.sh

picture: deps-test build ## Runs a session and draws docs/session.svg of it (as root)
	@. tests/lab/stage.sh && scripts/picture.py

soak: deps-test build ## Makes SOAK_ROUNDS containers (default 100000) in one program, which must not grow
	@tests/c/soak.sh $(or $(SOAK_ROUNDS),100000)

spec-table: deps-vm build/brig ## Writes into docs/spec.md what brig makes of each field, here and in the guests (as root)
	@tests/vm/run.sh --table
	@BRIG_TABLE=update BRIG_TABLE_GUESTS=$(or $(VM_DIR),target/vm)/results $(CARGO) test --quiet --package brig-cli --test table every_field_is_honoured

compare: deps-bench ## The same rows with runc and crun, into the columns beside it
	@BRIG_TABLE=compare $(CARGO) test --quiet --package brig-cli --test table every_field_is_honoured

bench: deps-bench build ## Measures against runc, crun and a hand-written C floor
	@benches/run.sh
	@benches/exec.sh

build: build/$(LIBRARY) build/$(SONAME) build/libbrig.so build/libbrig.a build/brig ## Builds library and command into build/

MAN1 := $(notdir $(wildcard docs/man/*.1))
MAN3 := $(notdir $(wildcard docs/man/*.3))

install: ## Installs what was built; knows DESTDIR, PREFIX, LIBDIR, INCLUDEDIR, BINDIR, MANDIR
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(INCLUDEDIR)' \
	    '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man3' \
	    '$(DESTDIR)$(BASHDIR)' '$(DESTDIR)$(ZSHDIR)' '$(DESTDIR)$(FISHDIR)'
	$(INSTALL) -m 755 build/brig '$(DESTDIR)$(BINDIR)/brig'
	$(INSTALL) -m 755 build/$(LIBRARY) '$(DESTDIR)$(LIBDIR)/$(LIBRARY)'
	ln -sf $(LIBRARY) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/libbrig.so'
	$(INSTALL) -m 644 build/libbrig.a '$(DESTDIR)$(LIBDIR)/libbrig.a'
	$(INSTALL) -m 644 include/brig.h '$(DESTDIR)$(INCLUDEDIR)/brig.h'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' -e 's|@SYSTEM_LIBS@|$(SYSTEM_LIBS)|' pkgconfig/brig.pc.in > '$(DESTDIR)$(LIBDIR)/pkgconfig/brig.pc'
	chmod 644 '$(DESTDIR)$(LIBDIR)/pkgconfig/brig.pc'
	$(INSTALL) -m 644 $(MAN1:%=docs/man/%) '$(DESTDIR)$(MANDIR)/man1'
	$(INSTALL) -m 644 $(MAN3:%=docs/man/%) '$(DESTDIR)$(MANDIR)/man3'
	$(INSTALL) -m 644 completions/brig.bash '$(DESTDIR)$(BASHDIR)/brig'
	$(INSTALL) -m 644 completions/_brig '$(DESTDIR)$(ZSHDIR)/_brig'
	$(INSTALL) -m 644 completions/brig.fish '$(DESTDIR)$(FISHDIR)/brig.fish'

uninstall: ## Removes what install put there
	rm -f '$(DESTDIR)$(BINDIR)/brig' '$(DESTDIR)$(LIBDIR)/$(LIBRARY)' '$(DESTDIR)$(LIBDIR)/$(SONAME)' \
	    '$(DESTDIR)$(LIBDIR)/libbrig.so' '$(DESTDIR)$(LIBDIR)/libbrig.a' '$(DESTDIR)$(INCLUDEDIR)/brig.h' \
	    '$(DESTDIR)$(LIBDIR)/pkgconfig/brig.pc' \
	    $(MAN1:%='$(DESTDIR)$(MANDIR)/man1/%') $(MAN3:%='$(DESTDIR)$(MANDIR)/man3/%') \
	    '$(DESTDIR)$(BASHDIR)/brig' '$(DESTDIR)$(ZSHDIR)/_brig' '$(DESTDIR)$(FISHDIR)/brig.fish'
	if [ -n '$(DESTDIR)' ] && [ -d '$(DESTDIR)' ]; then find '$(DESTDIR)' -mindepth 1 -depth -type d -empty -delete; fi

documents: ## Writes man pages and completions from the command's own tables
	BRIG_DOCUMENTS=update $(CARGO) test --quiet --package brig-cli --bin brig documents

header: ## Writes include/brig.h from src/ffi, and what is made from it
	$(CARGO) xtask header

abi: build ## Holds header, abi/brig.map and the library's exports against each other
	$(CARGO) xtask abi --check

abi-baseline: deps-test ## Promises the ABI as it is now, for a release: see docs/abi.md
	@tests/abi/promise.sh --write

check: deps-check build ## Format, lints, docs, header and exports: all that is not a test
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path init/Cargo.toml --check
	$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --quiet --workspace --no-deps --document-private-items
	mkdir -p target/doxygen && doxygen docs/Doxyfile
	$(CARGO) xtask header --check
	$(CARGO) xtask abi --check

clean: ## Removes all that was built
	rm -rf build target init/target
	@$(MAKE) --silent -C c-examples clean

deps: ## Installs what the build needs and is missing (apt-get)
	@scripts/deps.sh build

deps-test: ## The same for the tests and the demo
	@scripts/deps.sh build test

deps-vm: ## The same for the tests in a guest
	@scripts/deps.sh build test vm

deps-check: ## The same for the checks
	@scripts/deps.sh build check

deps-bench: ## The same for the benchmark
	@scripts/deps.sh build test bench

# Cargo knows best what is out of date. The two builds have directories of their own: one links
# libseccomp dynamically, the other statically, and plain `cargo build` mixes crate types, which costs LTO.

target/shared/release/libbrig.a: FORCE | deps
	@$(CARGO) rustc --quiet --package brig --lib --release --crate-type staticlib --target-dir target/shared

# The command is static: it starts without a dynamic linker, and runs in any root filesystem. It is at a fixed
# address, since 200 kB of relocations are a tenth of its start; `make COMMAND_FLAGS=` gives a position-independent
# one.
COMMAND_FLAGS ?= -C relocation-model=static

target/static/release/brig: FORCE | deps
	@LIBSECCOMP_LINK_TYPE=static LIBSECCOMP_LIB_PATH="$$(dirname "$$($(CC) -print-file-name=libseccomp.a)")" \
	    $(CARGO) rustc --quiet --package brig-cli --bin brig --release --target-dir target/static -- \
	    -C target-feature=+crt-static $(COMMAND_FLAGS)

build/brig: target/static/release/brig
	@mkdir -p $(@D)
	@cp $< $@

# Linked by cc, as rustc's own linker step has a version script of its own for a cdylib.
build/$(LIBRARY): target/shared/release/libbrig.a abi/brig.map Makefile
	@mkdir -p $(@D)
	@$(CC) -shared -o $@ -Wl,-soname,$(SONAME) -Wl,--version-script=abi/brig.map -Wl,--no-undefined-version \
	    -Wl,--no-undefined -Wl,--gc-sections -Wl,--strip-debug -Wl,-O1 -Wl,-z,relro,-z,now -Wl,--as-needed \
	    $(EXPORTS:%=-Wl,-u,%) $< -lseccomp $(SYSTEM_LIBS) $(LDFLAGS)

# One object in which only the ABI is global: no clash with another Rust library in the same program. What
# std has of bitcode goes, since LTO plugins of another LLVM would take the object for their own.
build/libbrig.a: target/shared/release/libbrig.a abi/brig.map Makefile
	@mkdir -p $(@D)
	@$(LD) -r --gc-sections $(EXPORTS:%=-u %) -o build/brig.o $<
	@$(OBJCOPY) --strip-debug --remove-section=.llvmbc --remove-section=.llvmcmd --wildcard --keep-global-symbol='brig_*' build/brig.o
	@rm -f $@ && $(AR) rcsD $@ build/brig.o && rm build/brig.o

build/$(SONAME): build/$(LIBRARY)
	@ln -sf $(LIBRARY) $@

build/libbrig.so: build/$(SONAME)
	@ln -sf $(SONAME) $@
