$(call library,myrwlock,p08-rwlock,held.c inner.c myrwlock.c \
	myrwlock_make.c roster.c turn.c)
$(call library,rwlock_crowd,p08-rwlock,cmd/crowd.c cmd/scene.c \
	cmd/verdict.c,,myrwlock)
$(call program,test_myrwlock,p08-rwlock,cmd/test_myrwlock.c cmd/report.c,\
	rwlock_crowd,jansson)
$(call bench,p08-rwlock,bench/bench.c,myrwlock)
$(call mechanism,myrwlock,p08-rwlock/myrwlock.h p08-rwlock/pthread_shim.h,myrwlock)
P08_TSAN_TESTS := p08/myrwlock_test p08/turn_test p08/bound_test p08/crowd_test \
	p08/plain_test p08/stress_test
TSAN_TESTS += $(P08_TSAN_TESTS)
TEST_LDFLAGS_p08/elsewhere_test := -Wl,--wrap=identity_start_time
# See tests/p08/clocklock.h.
$(foreach t,$(P08_TSAN_TESTS) p08/inner_test,$(eval TEST_LDFLAGS_$(t) := -Wl,--wrap=pthread_mutex_clocklock))
