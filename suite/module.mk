# The suite is a library, which its tests link, and the command at the root.
SUITE_SOURCES := checkup_environment.c checkup_limits.c checkup_tools.c \
	inventory.c inventory_foreign.c inventory_keep.c openfiles.c \
	outcome.c pivot.c registry.c suggestion.c $(patsubst suite/%,%,$(wildcard \
	suite/adapters/*.c suite/sync/*.c suite/storage/*.c suite/html/*.c))

# The libraries of chapters that have adapters, a line each.
SUITE_USES := p06_print
SUITE_USES += bounded myrwlock sempool sysv_barrier
SUITE_USES += shm_ring_bench spsc
SUITE_USES += calc rpc
SUITE_USES += reclock mmapdb
SUITE_USES += kvclient kvserver

$(call library,suite,suite,$(SUITE_SOURCES),jansson libtirpc,$(SUITE_USES))
$(call program,ipc_suite,suite,main.c benchmark.c clean.c command.c \
	doctor.c list.c objects.c report.c,suite,jansson)

# The style sheet of reports, as the text of a C string.
REPORT_CSS := build/gen/suite/html/report.css.h
$(REPORT_CSS): suite/html/report.css
	@mkdir -p $(@D)
	$(call run,GEN ) sed 's/["\\]/\\&/g; s/.*/"&\\n"/' $< >$@
$(B)/suite/html/page.o compile_commands.json: $(REPORT_CSS)
TEST_LDFLAGS_suite/rpc_ends_test := -Wl,--wrap=listen
TEST_LDFLAGS_suite/limits_test := -Wl,--wrap=mqlimit_read
TEST_LDFLAGS_suite/inventory_test := -Wl,--wrap=opendir
# Members end with P14's handles open: see there.
VALGRIND_SKIP += suite/stores_test
