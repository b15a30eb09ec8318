$(call library,sempool,p10-sempool,sempool.c sempool_manager.c sempool_reclaim.c \
	object.c entry.c grant.c)
$(call program,pool_manager,p10-sempool,cmd/pool_manager.c cmd/status.c \
	cmd/target.c,sempool,jansson)
$(call program,worker,p10-sempool,cmd/worker.c cmd/command.c cmd/target.c,sempool)
$(call bench,p10-sempool,bench/bench.c,sempool)
$(call mechanism,sempool,p10-sempool/sempool.h,sempool)
TSAN_TESTS += p10/threads_test
TEST_LDFLAGS_p10/make_test := -Wl,--wrap=geteuid,--wrap=identity_self \
	-Wl,--wrap=identity_role_take,--wrap=posix_fallocate
TEST_LDFLAGS_p10/grant_test := -Wl,--wrap=park_word_wake
TEST_LDFLAGS_p10/wait_test := -Wl,--wrap=sem_clockwait,--wrap=park_word_sleep
TEST_LDFLAGS_p10/reclaim_test := -Wl,--wrap=sem_getvalue
# To die between any two steps.
TEST_LDFLAGS_p10/crash_test := -Wl,--wrap=pwrite,--wrap=posix_fallocate \
	-Wl,--wrap=sem_init,--wrap=sem_trywait \
	-Wl,--wrap=sem_clockwait,--wrap=sem_post,--wrap=entry_take \
	-Wl,--wrap=entry_release,--wrap=shm_unlink
# Hundreds of short processes, which take minutes under valgrind.
VALGRIND_SKIP += p10/kill_test
