$(call library,calc,p16-rpc-calc,arith.c accumulator.c calc_service.c \
	remote.c calc_xdr.c calc_clnt.c calc_svc.c,libtirpc,rpc)
$(call program,calc_server,p16-rpc-calc,cmd/calc_server.c,calc rpcserve)
$(call program,calc_client,p16-rpc-calc,cmd/calc_client.c cmd/expression.c,calc)
$(call bench,p16-rpc-calc,bench/bench.c bench/bench_socket.c \
	bench/bench_raw.c bench/bench_svc.c bench/bench_rpc.c,calc)
HEADERS += p16-rpc-calc/arith.h p16-rpc-calc/accumulator.h
TSAN_TESTS += p16/accumulator_test p16/calc_test p16/once_test
