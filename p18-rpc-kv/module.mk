# A part of the chapter: its library and its folder, of which all is in it.
KV := p18-rpc-kv
kv_part = $(if $(wildcard $(KV)/$(2)*.c),$(call library,$(1),$(KV),$(patsubst \
	$(KV)/%,%,$(wildcard $(KV)/$(2)*.c)),$(3),$(4)))

$(call library,kvwire,$(KV),kv_xdr.c kv_clnt.c,libtirpc,rpc)
$(call kv_part,raft,raft/)
$(call kv_part,kvdurable,durable/)
$(call kv_part,kvstate,state,libtirpc,kvwire)
$(call kv_part,kvcache,cache)
$(call kv_part,kvclient,kvclient,libtirpc,kvwire kvcache)
$(call kv_part,kvetcd,etcd/,libcurl jansson,kvwire)
$(call mechanism,kvclient,$(KV)/kvclient.h build/gen/$(KV)/kv.h,kvclient,libtirpc,rpc)
$(call mechanism,kvcache,$(KV)/cache.h,kvcache)
$(call mechanism,raft,$(KV)/raft/raft.h $(KV)/raft/members.h,raft)
# Apart, for a test that is a server itself.
$(call library,kvtable,$(KV),kv_svc.c,libtirpc,kvwire)
$(call library,kvserver,$(KV),node.c node_carry.c node_peers.c node_request.c \
	node_snapshot.c writer.c snapshots.c peer.c forward.c cluster.c \
	cluster_ask.c cluster_form.c service.c,libtirpc,kvstate kvdurable \
	raft kvcache kvtable kvwire)
$(call program,kv_client,$(KV),cmd/kv_client.c cmd/client.c cmd/writes.c \
	cmd/reads.c cmd/look.c cmd/load.c cmd/session.c cmd/text.c,kvclient rpccmd)
$(call program,kv_server,$(KV),cmd/kv_server.c cmd/members.c,kvserver kvetcd)

# What rpcgen alone makes of the textbook's own kv.x.
KV_TEXT := $(KV)/textbook
TEXT_SRC_$(KV_TEXT)/kv_server := textbook/kv_svc.c textbook/kv_clnt.c textbook/kv_xdr.c
TEXT_SRC_$(KV_TEXT)/kv_client := textbook/kv_clnt.c textbook/kv_xdr.c
TEXT_PKGS_$(KV_TEXT)/kv_server := libtirpc
TEXT_PKGS_$(KV_TEXT)/kv_client := libtirpc
FLAGS_APART += $(KV_TEXT)/kv_server.c $(KV_TEXT)/kv_client.c
KV_TEXT_MADE := $(patsubst %,build/gen/$(KV_TEXT)/kv%,.h _svc.c _clnt.c _xdr.c)
$(KV_TEXT_MADE) &: $(KV_TEXT)/kv.x
	@mkdir -p $(@D) && rm -f $(@D)/* && cp $< $(@D)
	$(call run,GEN ) (cd $(@D) && rpcgen kv.x && rm kv_svc.c && \
		rpcgen -m -o kv_svc.c kv.x)
$(patsubst %,$(B)/$(KV_TEXT)/kv_%.o,server client svc clnt xdr): $(KV_TEXT_MADE)
$(B)/$(KV_TEXT)/kv_server.o $(B)/$(KV_TEXT)/kv_client.o: \
	CPPFLAGS += -Ibuild/gen/$(KV_TEXT)

TEST_LDFLAGS_p18/state_test := -Wl,--wrap=malloc,--wrap=calloc

# The test's own CLOCK_BOOTTIME, and a look at the turnstile while a table is made.
TEST_LDFLAGS_p18/cache_test := -Wl,--wrap=clock_gettime,--wrap=cache_object_make
TEST_LDFLAGS_p18/wal_test := -Wl,--wrap=fallocate
TEST_LDFLAGS_p18/durable_faults_test := -Wl,--wrap=pread,--wrap=pwrite,--wrap=fdatasync,--wrap=fsync,--wrap=fallocate,--wrap=renameat,--wrap=unlinkat
TSAN_TESTS += p18/state_test p18/wal_test

# A cluster of Raft cores in one thread, and all that can go wrong with them.
$(call library,raftsim,tests/p18,$(filter-out %_test.c,$(notdir \
	$(wildcard tests/p18/sim*.c))),,raft)
TEST_LIBS_p18/sim_stress_test := raftsim
TEST_LDFLAGS_p18/raft_hostile_test := -Wl,--wrap=malloc,--wrap=calloc,--wrap=reallocarray
TEST_LDFLAGS_p18/cluster_test := -Wl,--wrap=cache_note
TSAN_TESTS += p18/cluster_test
# Faults that tests/crash must find.
TEST_LDFLAGS_crash/p18_worse_crash := -Wl,--wrap=crc32c,--wrap=crc32c_more,--wrap=file_sync
TSAN_TESTS += p18/cache_slot_test p18/etcd_test

# The checker of histories, for its own test and for the fault runs.
$(call library,kvlinear,tests/p18,linear.c)
TEST_LIBS_p18/linear_test := kvlinear
# Clients that write a history, for the fault runs: built with the other programs
# that tests start.
$(call declare,CRASH_PROGRAMS,$(B)/tests/p18/history,tests/p18,history.c,,kvlinear kvclient)

$(call bench,$(KV),bench/bench.c bench/nodes.c,kvetcd kvwire measure)
$(call helper,kv_driver,$(KV),bench/kv_driver.c,kvclient kvcache measure)
# It drives etcd by etcd's own client library, from Debian's packages.
KV_ETCD_DRIVER := $(B)/$(KV)/bench/etcd_driver
KV_GO := /usr/share/gocode
ifneq ($(and $(shell command -v go),$(wildcard $(KV_GO)/src/go.etcd.io/etcd)),)
$(KV_ETCD_DRIVER): $(KV)/bench/etcd_driver.go
	@mkdir -p $(@D)
	$(call run,GO  ) GO111MODULE=off GOPATH=$(KV_GO) \
		GOCACHE=$(CURDIR)/build/go-cache go build -o $@ $<
ifneq ($(if $(P),$(filter $(KV),$(DIRS)),all),)
benches: $(KV_ETCD_DRIVER)
endif
endif
# Three servers in one process, and a gateway with deadlines: valgrind takes half a
# minute for each, and shows nothing that ASan does not.
VALGRIND_SKIP += p18/cluster_test p18/etcd_test
