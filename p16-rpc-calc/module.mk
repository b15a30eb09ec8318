# The core of an ONC RPC server and client; p17 builds on it too.
$(call library,rpccore,p16-rpc-calc,rpc_stub.c,libtirpc)
HEADERS += $(addprefix p16-rpc-calc/,rpc_buffer.h rpc_record.h rpc_call.h \
	rpc_auth.h rpc_dispatch.h rpc_replies.h rpc_server.h rpc_fault.h \
	rpc_client.h rpc_bind.h)
