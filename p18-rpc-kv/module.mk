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

TEST_LDFLAGS_p18/state_test := -Wl,--wrap=malloc,--wrap=calloc
TEST_LDFLAGS_p18/wal_test := -Wl,--wrap=fallocate
TEST_LDFLAGS_p18/durable_faults_test := -Wl,--wrap=pwrite,--wrap=fdatasync,--wrap=fsync,--wrap=fallocate,--wrap=renameat,--wrap=unlinkat
TSAN_TESTS += p18/state_test p18/wal_test
# Faults that tests/crash must find.
TEST_LDFLAGS_crash/p18_worse_crash := -Wl,--wrap=crc32c,--wrap=crc32c_more,--wrap=file_sync
