$(call library,bounded,p07-prodcons,bounded.c bounded_shm.c)
$(call library,prodcons,p07-prodcons,cmd/audit.c cmd/crew.c \
	cmd/crew_describe.c cmd/role.c cmd/result.c,,bounded)
$(call program,producer_consumer,p07-prodcons,cmd/producer_consumer.c,\
	prodcons,jansson)
# GLib is a peer to measure, where it is installed.
$(call bench,p07-prodcons,bench/bench.c bench/textbook.c,bounded measure,$(if $(call \
	pkg,modversion,glib-2.0),glib-2.0))
$(call mechanism,bounded,p07-prodcons/bounded.h,bounded)
TSAN_TESTS += p07/bounded_test p07/threads_test
TEST_LDFLAGS_p07/death_test := -Wl,--wrap=pthread_mutex_unlock \
	-Wl,--wrap=park_wake -Wl,--wrap=park_sleep
TEST_LDFLAGS_p07/bounded_shm_test := -Wl,--wrap=posix_fallocate
TEST_LDFLAGS_p07/crew_test := -Wl,--wrap=child_fork \
	-Wl,--wrap=pthread_create -Wl,--wrap=poll
# Four hundred short processes, which take valgrind a minute; p07/death_test goes through the same code.
VALGRIND_SKIP += p07/kill_stress_test
