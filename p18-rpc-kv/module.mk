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
$(call program,kv_client,$(KV),cmd/kv_client.c cmd/client.c cmd/writes.c \
	cmd/reads.c cmd/look.c cmd/load.c cmd/session.c cmd/text.c,kvremote rpccmd)
$(call kv_part,kvetcd,etcd/,libcurl jansson,kvwire)

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

# The checker of histories, for its own test and for the fault runs.
$(call library,kvlinear,tests/p18,linear.c)
TEST_LIBS_p18/linear_test := kvlinear
# A test that is a server itself needs the table alone.
$(call library,kvtable,$(KV),kv_svc.c,libtirpc,kvwire)
TEST_LIBS_p18/remote_test := kvtable
# Clients that write a history, for the fault runs: built with the other programs
# that tests start.
$(call declare,CRASH_PROGRAMS,$(B)/tests/p18/history,tests/p18,history.c,,kvlinear kvremote)
