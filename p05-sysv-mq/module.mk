$(call library,sysvmq,p05-sysv-mq,letter.c gate.c bell.c sweep.c backlog.c mqworker.c mqserver.c mqclient.c)
$(call program,sysv_server,p05-sysv-mq,sysv_server.c target.c,sysvmq)
$(call program,sysv_client,p05-sysv-mq,sysv_client.c target.c,sysvmq)
$(call bench,p05-sysv-mq,bench.c,sysvmq)
HEADERS += $(addprefix p05-sysv-mq/,letter.h gate.h sweep.h mqserver.h mqclient.h)
TSAN_TESTS += p05_threads_test
# Fifty clients or hundreds of kills take too long there; the same code runs in
# p05_server_test and p05_death_test.
VALGRIND_SKIP += p05_load_test p05_kill_stress_test
