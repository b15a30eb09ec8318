$(call library,sysv_barrier,p11-barrier,sysv_barrier.c sysv_barrier_make.c semset.c)
$(call library,barrier_watch,p11-barrier,cmd/participant.c cmd/checker.c,,sysv_barrier)
$(call program,barrier_test,p11-barrier,cmd/barrier_test.c cmd/barrier_key.c,barrier_watch)
$(call bench,p11-barrier,bench/bench.c,sysv_barrier measure)
$(call mechanism,sysv_barrier,p11-barrier/sysv_barrier.h,sysv_barrier)
TSAN_TESTS += p11/sysv_barrier_threads_test
TEST_LDFLAGS_p11/sysv_barrier_threads_test := -Wl,--wrap=semtimedop,--wrap=semget,--wrap=geteuid,--wrap=madvise
# A thousand short processes, which take a minute under valgrind; the threads test goes through the same code.
VALGRIND_SKIP += p11/sysv_barrier_test p11/barrier_stress_test
