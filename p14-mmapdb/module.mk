$(call library,mmapdb,p14-mmapdb,$(notdir $(wildcard p14-mmapdb/*.c)))
$(call mechanism,mmapdb,p14-mmapdb/mmapdb.h,mmapdb)
# Apart, for its fuzz target and its test.
$(call library,mmapdb_rows,p14-mmapdb,cmd/bytes.c cmd/rows.c cmd/rows_csv.c \
	cmd/rows_json.c,jansson)
$(call program,mmapdb,p14-mmapdb,cmd/mmapdb.c cmd/database.c \
	cmd/one_record.c cmd/many_records.c cmd/transaction.c cmd/file.c \
	cmd/stat.c,mmapdb mmapdb_rows)
# A process for each look-up, a half of whose time goes into loading libraries.
LD_p14-mmapdb/mmapdb := -static-pie

# The databases of others, each where its package is installed.
MMAPDB_PEERS := $(foreach p,lmdb sqlite3 tdb,$(if $(call \
	pkg,modversion,$(p)),$(p)))
MMAPDB_BDB := $(if $(wildcard /usr/include/db.h),bdb)
$(call bench,p14-mmapdb,bench/bench.c bench/ours.c bench/process.c \
	bench/records.c bench/stores.c bench/trial.c \
	$(patsubst %,bench/peer_%.c,$(subst \
	sqlite3,sqlite,$(MMAPDB_PEERS)) $(MMAPDB_BDB)),mmapdb measure,$(MMAPDB_PEERS))
ifneq ($(MMAPDB_BDB),)
LD_$(B)/p14-mmapdb/bench/bench := -Wl,--no-as-needed -ldb -Wl,--as-needed
endif

TEST_LDFLAGS_p14/faults_test := -Wl,--wrap=pwritev,--wrap=pwritev2,--wrap=fdatasync,--wrap=fsync,--wrap=fallocate,--wrap=linkat,--wrap=renameat
TEST_LDFLAGS_p14/steps_test := -Wl,--wrap=pwritev,--wrap=pwritev2,--wrap=fdatasync,--wrap=fsync,--wrap=linkat,--wrap=renameat
TEST_LDFLAGS_p14/log_test := -Wl,--wrap=pwritev,--wrap=pwritev2,--wrap=fdatasync,--wrap=fallocate,--wrap=log_wait
# Faults that tests/crash must find.
TEST_LDFLAGS_crash/p14_worse_crash := -Wl,--wrap=crc32c -Wl,--wrap=page_fault \
	-Wl,--wrap=meta_write -Wl,--wrap=tree_mark -Wl,--wrap=log_fault \
	-Wl,--wrap=shared_push
# In what a child leaves open when it ends, here a handle's 16 GB of addresses for
# dirty pages, valgrind looks for leaks: a minute each.
VALGRIND_SKIP += p14/steps_test p14/kill_stress_test p14/sharing_test \
	p14/faults_test p14/log_test
