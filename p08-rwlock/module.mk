$(call library,myrwlock,p08-rwlock,counted.c held.c myrwlock.c myrwlock_make.c turn.c)
$(call library,rwlock_crowd,p08-rwlock,crowd.c scene.c verdict.c,,myrwlock)
$(call program,test_myrwlock,p08-rwlock,test_myrwlock.c report.c,rwlock_crowd,jansson)
$(call bench,p08-rwlock,bench.c,myrwlock)
HEADERS += p08-rwlock/myrwlock.h p08-rwlock/pthread_shim.h
P08_TSAN_TESTS := p08_myrwlock_test p08_turn_test p08_bound_test p08_crowd_test \
	p08_stress_test
TSAN_TESTS += $(P08_TSAN_TESTS)
# See tests/p08_clocklock.h.
$(foreach t,$(P08_TSAN_TESTS),$(eval TEST_LDFLAGS_$(t) := -Wl,--wrap=pthread_mutex_clocklock))
