# The suite is a library, which its tests link, and the command at the root.
SUITE_SOURCES := contend.c figures.c grid.c holders.c html.c inventory.c \
	inventory_keep.c limits.c nearest.c outcome.c page.c plot.c registry.c rows.c rpc.c \
	rpc_ends.c shm_ring.c \
	site.c spsc.c syncs.c syncs_json.c tools.c \
	$(notdir $(wildcard suite/syncop*.c))

# The libraries of chapters that have adapters, a line each.
SUITE_USES := p06
SUITE_USES += bounded myrwlock sempool sysv_barrier
SUITE_USES += shm_ring_bench spsc
SUITE_USES += calc rpccore

$(call library,suite,suite,$(SUITE_SOURCES),jansson libtirpc,$(SUITE_USES))
$(call program,ipc_suite,suite,main.c benchmark.c clean.c doctor.c \
	json_option.c list.c objects.c report.c,suite,jansson)

# The style sheet of reports, as the text of a C string.
REPORT_CSS := build/gen/suite/report.css.h
$(REPORT_CSS): suite/report.css
	@mkdir -p $(@D)
	$(call run,GEN ) sed 's/["\\]/\\&/g; s/.*/"&\\n"/' $< >$@
$(B)/suite/page.o compile_commands.json: $(REPORT_CSS)
