# A part of the chapter: its library and its folder, of which all is in it.
KV := p18-rpc-kv
kv_part = $(if $(wildcard $(KV)/$(2)*.c),$(call library,$(1),$(KV),$(patsubst \
	$(KV)/%,%,$(wildcard $(KV)/$(2)*.c)),$(3),$(4)))

$(call library,kvwire,$(KV),kv_xdr.c kv_clnt.c,libtirpc,rpc)
$(call kv_part,raft,raft/)
$(call kv_part,kvdurable,durable/)
$(call kv_part,kvstate,state,libtirpc,kvwire)
$(call kv_part,kvcache,cache)
$(call kv_part,kvremote,remote,libtirpc,kvwire kvcache)
$(call kv_part,kvetcd,etcd/,libcurl jansson,kvwire)

# The test's own CLOCK_BOOTTIME, and a look at the gate while a table is made.
TEST_LDFLAGS_p18/cache_test := -Wl,--wrap=clock_gettime,--wrap=cache_object_make
TSAN_TESTS += p18/cache_slot_test p18/etcd_test

$(call bench,$(KV),bench/bench.c bench/nodes.c,kvetcd kvwire measure)
$(call helper,kv_driver,$(KV),bench/kv_driver.c,kvremote kvcache)
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
