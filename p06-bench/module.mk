BENCH_SOURCES := machine.c payload.c ends.c slots.c table.c trial.c disturb.c \
	line.c copy.c side.c lead.c serve.c pair.c measure.c session.c \
	results.c results_write.c source.c results_read.c \
	print.c print_csv.c print_comparison.c $(notdir $(wildcard p06-bench/mech_*.c))

$(call library,p06,p06-bench,$(BENCH_SOURCES),jansson)
$(call program,ipc_benchmark,p06-bench,ipc_benchmark.c request.c,\
	p06,jansson)
HEADERS += p06-bench/mechanism.h
$(call bench,p06-bench,bench.c bare.c bare_calls.c,p06,jansson)

# System calls whose answer a test makes up.
TEST_LDFLAGS_p06_measure_test := -Wl,--wrap=getrusage,--wrap=pread
TEST_LDFLAGS_p06_measure_fault_test := $(TEST_LDFLAGS_p06_measure_test)
TEST_LDFLAGS_p06_disturb_test := -Wl,--wrap=pread
