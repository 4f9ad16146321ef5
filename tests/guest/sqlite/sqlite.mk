# SQLite from Debian's source package (tools/sources.mk), as programs of the SDK: the bank of
# tests/vm/test_sqlite.py, and SQLite's speedtest1. Included by the Makefile at the top.

SQLITE := $(BUILD)/src/sqlite
SQLITE_C := $(BUILD)/sqlite/sqlite3.c
SQLITE_OBJ := $(OUT)/sqlite/sqlite3.o $(OUT)/sqlite/speedtest1.o
SQLITE_PROGRAMS := $(OUT)/sqlite/bank $(OUT)/sqlite/speed
SQLITE_HERE := tests/guest/sqlite
SQLITE_VFS := $(addprefix $(SQLITE_HERE)/,dirvfs.c dirvfs_io.c dirvfs_lock.c dirvfs_map.c dirvfs_shm.c mutex.c)
SQLITE_CFLAGS := -Os -I$(BUILD)/sqlite -I$(SQLITE)/src -DSQLITE_OS_OTHER=1 -DSQLITE_THREADSAFE=1 -DSQLITE_TEMP_STORE=3 \
  -DSQLITE_MAX_MMAP_SIZE=0x7fff0000 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_ENABLE_RTREE

$(SQLITE)/.fetched: tools/sources.mk
	@echo "  FETCH   sqlite3 $(SQLITE_VERSION)"
	$(Q)BUILD=$(BUILD) tools/fetch-source sqlite3 $(SQLITE_VERSION) $(SQLITE_SHA256) $(SQLITE)
	$(Q)touch $@

# One file of all its sources, as its own makefile puts them together.
$(SQLITE_C): $(SQLITE)/.fetched | $(PACKAGES)
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(MAKE) -s -C $(@D) -f $(CURDIR)/$(SQLITE)/main.mk TOP=$(CURDIR)/$(SQLITE) BCC="clang -w" NAWK=awk EXE= BEXE= \
	  sqlite3.c > $(@D)/log 2>&1 || { cat $(@D)/log >&2; false; }

$(OUT)/sqlite/sqlite3.o: $(SQLITE_C) $(SQLITE_HERE)/sqlite.mk $(SDK_CC) $(SDK_MUSL_HEADERS)
	$(call say,APPCC,$@ (half a minute))
	$(Q)mkdir -p $(@D)
	$(Q)$(SDK_CC) $(SQLITE_CFLAGS) -w -c -o $@ $<

$(OUT)/sqlite/speedtest1.o: $(SQLITE_C) $(SQLITE_HERE)/sqlite.mk $(SDK_CC) $(SDK_MUSL_HEADERS)
	$(Q)mkdir -p $(@D)
	$(Q)$(SDK_CC) $(SQLITE_CFLAGS) -w -Dmain=speedtest_main -c -o $@ $(SQLITE)/test/speedtest1.c

$(SQLITE_PROGRAMS): $(OUT)/sqlite/%: $(SQLITE_HERE)/%.c $(SQLITE_VFS) $(wildcard $(SQLITE_HERE)/*.h) $(SQLITE_OBJ) $(SDK_FILES)
	$(call say,APPCC,$@)
	$(Q)$(SDK_CC) $(SQLITE_CFLAGS) -Wall -Wextra -Werror -Wno-unused-parameter -o $@ $(filter %.c,$^) \
	  $(if $(filter speed,$*),$(SQLITE_OBJ),$(OUT)/sqlite/sqlite3.o)
