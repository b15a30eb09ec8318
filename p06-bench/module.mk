$(call library,p06,p06-bench,ends.c slots.c table.c \
	$(notdir $(wildcard p06-bench/mech_*.c)),,measure)
# How results are shown; ipc_suite shows its own so, too.
$(call library,p06_print,p06-bench,cmd/print.c cmd/print_csv.c \
	cmd/print_comparison.c,,p06)
$(call program,ipc_benchmark,p06-bench,cmd/ipc_benchmark.c cmd/request.c,\
	p06_print,jansson)
$(call bench,p06-bench,bench/bench.c bench/bare.c bench/bare_calls.c,p06,\
	jansson)

# System calls whose answer a test makes up.
TEST_LDFLAGS_p06/measure_test := -Wl,--wrap=getrusage,--wrap=pread
TEST_LDFLAGS_p06/measure_fault_test := $(TEST_LDFLAGS_p06/measure_test)
TEST_LDFLAGS_p06/channel_test := -Wl,--wrap=connect,--wrap=mkfifo \
	-Wl,--wrap=machine_limit_read,--wrap=mq_open,--wrap=mq_close
