$(call library,reclock,p09-reclock,check.c store.c layout.c wholefile.c \
	rangelock.c rebuild.c reclock.c reclock_lock.c reclock_open.c item.c \
	waitfor.c)
$(call mechanism,reclock,p09-reclock/reclock.h,reclock)
$(call program,kvstore,p09-reclock,cmd/kvstore.c cmd/arguments.c cmd/batch.c \
	cmd/lock_test.c cmd/ring.c cmd/text.c,reclock)

# The stores of others, each where its package is installed.
RECLOCK_PEERS := $(if $(call pkg,modversion,tdb),tdb) \
	$(if $(call pkg,modversion,lmdb),lmdb)
$(call bench,p09-reclock,bench/bench.c bench/engine_reclock.c \
	$(patsubst %,bench/peer_%.c,$(RECLOCK_PEERS)),reclock measure,$(RECLOCK_PEERS))
# Without the dynamic linker's work, which is a third of `kvstore get`.
LD_p09-reclock/kvstore := -static-pie
# To die, or to fail, between any two steps.
TEST_LDFLAGS_p09/crash_test := -Wl,--wrap=pwrite,--wrap=fsync \
	-Wl,--wrap=fdatasync,--wrap=linkat,--wrap=renameat,--wrap=fchmod \
	-Wl,--wrap=openat
# Hundreds of short processes.
VALGRIND_SKIP += p09/kill_stress_test
