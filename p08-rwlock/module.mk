$(call library,myrwlock,p08-rwlock,held.c inner.c myrwlock.c \
	myrwlock_make.c queue.c roster.c)
$(call library,rwlock_load,p08-rwlock,cmd/exclusion.c cmd/load.c \
	cmd/starvation.c,,myrwlock)
$(call program,test_myrwlock,p08-rwlock,cmd/test_myrwlock.c cmd/report.c,\
	rwlock_load,jansson)
$(call bench,p08-rwlock,bench/bench.c,myrwlock measure)
$(call mechanism,myrwlock,p08-rwlock/myrwlock.h p08-rwlock/pthread_shim.h,myrwlock)
P08_TSAN_TESTS := p08/myrwlock_test p08/queue_test p08/bound_test p08/load_test \
	p08/plain_test p08/stress_test
TSAN_TESTS += $(P08_TSAN_TESTS)
TEST_LDFLAGS_p08/elsewhere_test := -Wl,--wrap=identity_start_time
# See tests/p08/clocklock.h.
$(foreach t,$(P08_TSAN_TESTS) p08/inner_test,$(eval TEST_LDFLAGS_$(t) := -Wl,--wrap=pthread_mutex_clocklock))
