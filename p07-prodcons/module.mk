$(call library,bounded,p07-prodcons,bounded.c bounded_cond.c bounded_lock.c \
	bounded_shm.c)
$(call library,prodcons,p07-prodcons,audit.c crew.c crew_describe.c role.c,,bounded)
$(call program,producer_consumer,p07-prodcons,producer_consumer.c result.c,prodcons,jansson)
# GLib is a peer to measure, where it is installed.
$(call bench,p07-prodcons,bench.c textbook.c,bounded,$(if $(call \
	pkg,modversion,glib-2.0),glib-2.0))
HEADERS += p07-prodcons/bounded.h
TSAN_TESTS += p07_bounded_test p07_threads_test
TEST_LDFLAGS_p07_death_test := -Wl,--wrap=bounded_lock_drop \
	-Wl,--wrap=bounded_cond_wake -Wl,--wrap=bounded_cond_sleep
TEST_LDFLAGS_p07_bounded_shm_test := -Wl,--wrap=posix_fallocate
TEST_LDFLAGS_p07_crew_test := -Wl,--wrap=child_fork -Wl,--wrap=pthread_create
# Four hundred short processes, which take valgrind a minute; p07_death_test goes through the same code.
VALGRIND_SKIP += p07_kill_stress_test
