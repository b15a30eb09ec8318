# The calculator.
$(call library,calc,p16-rpc-calc,arith.c accumulator.c calc_service.c \
	remote.c calc_xdr.c calc_clnt.c,libtirpc,rpccore)
# Apart, as it ends the process, and is not installed.
$(call library,rpcserve,p16-rpc-calc,serve.c,,rpccore)
$(call program,calc_server,p16-rpc-calc,calc_server.c,calc rpcserve)
$(call program,calc_client,p16-rpc-calc,calc_client.c expression.c,calc)
$(call bench,p16-rpc-calc,bench.c bench_socket.c bench_raw.c bench_svc.c \
	bench_rpc.c,calc)
HEADERS += p16-rpc-calc/arith.h p16-rpc-calc/accumulator.h
TSAN_TESTS += p16_accumulator_test p16_calc_test p16_once_test

# The core of an ONC RPC server and client; p17 builds on it too.
$(call library,rpccore,p16-rpc-calc,rpc_buffer.c rpc_record.c rpc_call.c \
	rpc_auth.c rpc_dispatch.c rpc_replies.c rpc_listen.c rpc_conn.c \
	rpc_datagram.c rpc_server.c rpc_fault.c rpc_reply.c rpc_connect.c \
	rpc_exchange.c rpc_resend.c rpc_client.c rpc_handle.c rpc_bind.c \
	rpc_bind_lookup.c,libtirpc)
HEADERS += $(addprefix p16-rpc-calc/,rpc_buffer.h rpc_record.h rpc_call.h \
	rpc_auth.h rpc_dispatch.h rpc_replies.h rpc_server.h rpc_fault.h \
	rpc_client.h rpc_bind.h)
TEST_LDFLAGS_p16_server_limits_test := -Wl,--wrap=accept4
# With a server and its clients in one process.
TSAN_TESTS += p16_server_test p16_server_limits_test p16_client_test \
	p16_client_reach_test p16_client_lost_test p16_replies_test \
	p16_hostile_test p16_hostile_stress_test
