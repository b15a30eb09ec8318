$(call library,sysvmq,p05-sysv-mq,letter.c gate.c doorbell.c sweep.c outbox.c mqworker.c mqserver.c mqclient.c)
$(call program,sysv_server,p05-sysv-mq,cmd/sysv_server.c cmd/target.c,sysvmq)
$(call program,sysv_client,p05-sysv-mq,cmd/sysv_client.c cmd/target.c,sysvmq)
$(call bench,p05-sysv-mq,bench/bench.c,sysvmq measure)
$(call mechanism,sysvmq,$(addprefix p05-sysv-mq/,mqserver.h mqclient.h gate.h \
	letter.h sweep.h),sysvmq)
TEST_LDFLAGS_p05/gate_test := -Wl,--wrap=tick_after,--wrap=semctl
TEST_LDFLAGS_p05/doorbell_test := -Wl,--wrap=letter_ring
TEST_LDFLAGS_p05/death_test := -Wl,--wrap=tick_after,--wrap=msgctl
TSAN_TESTS += p05/threads_test
# Fifty clients or hundreds of kills take too long there; the same code runs in
# p05/server_test and p05/death_test.
VALGRIND_SKIP += p05/load_test p05/kill_stress_test
