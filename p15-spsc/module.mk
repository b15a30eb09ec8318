$(call library,spsc,p15-spsc,spsc.c spsc_name.c spsc_role.c spsc_wait.c)
$(call library,spsc_harness,p15-spsc,bench/ours.c bench/mutex_queue.c \
	bench/sem_queue.c bench/harness.c,,spsc measure)
$(call program,lockfree_bench,p15-spsc,cmd/lockfree_bench.c cmd/report.c,spsc_harness,\
	jansson)
$(call mechanism,spsc,p15-spsc/spsc.h p15-spsc/spsc_layout.h,spsc)

# The queues of others, each where its package is installed.
has_header = $(if $(wildcard $(addsuffix /$(1),/usr/include \
	/usr/include/dpdk /usr/local/include)),$(2))
SPSC_PEERS := $(call has_header,ck_ring.h,bench/peer_ck.c) \
	$(call has_header,boost/lockfree/spsc_queue.hpp,bench/peer_boost.cc) \
	$(call has_header,atomic_queue/atomic_queue.h,bench/peer_atomic_queue.cc) \
	$(call has_header,readerwriterqueue/readerwriterqueue.h,bench/peer_rwq.cc) \
	$(call has_header,rte_ring.h,bench/peer_dpdk.c)
$(call bench,p15-spsc,bench/bench.c bench/without.c \
	bench/without_padding.c $(SPSC_PEERS),spsc_harness p06)
# The layout without padding.
SPSC_PACKED := build/gen/p15-spsc/bench/packed_layout.h
$(SPSC_PACKED): p15-spsc/spsc_layout.h
	@mkdir -p $(@D)
	$(call run,GEN ) sed -e 's/^#define SPSC_LINE .*/#define SPSC_LINE 8/' \
		-e '/^static_assert(sizeof/d' $< >$@
$(B)/p15-spsc/bench/without_padding.o compile_commands.json: $(SPSC_PACKED)
# For peers alone, as theirs are: no assertions (rigtorp's, for one, reads the
# other side's index in one), and what DPDK's headers need.
$(patsubst %,$(B)/p15-spsc/%.o,$(basename $(SPSC_PEERS))): \
	CPPFLAGS += -DNDEBUG
FLAGS_APART += p15-spsc/bench/peer_dpdk.c
ifneq ($(filter bench/peer_dpdk.c,$(SPSC_PEERS)),)
$(B)/p15-spsc/bench/peer_dpdk.o: CPPFLAGS += \
	$(patsubst -I%,-isystem %,$(shell pkg-config --cflags libdpdk)) -w
LD_$(B)/p15-spsc/bench/bench := -Wl,--no-as-needed -lrte_ring -Wl,--as-needed
endif
TSAN_TESTS += p15/stress_test
TEST_LDFLAGS_p15/life_test := -Wl,--wrap=identity_role_give_up \
	-Wl,--wrap=posix_fallocate,--wrap=shmname_remove,--wrap=spsc_role_look \
	-Wl,--wrap=identity_word_judge,--wrap=shmname_enter
# It switches stacks by itself.
VALGRIND_SKIP += p15/steps_test
