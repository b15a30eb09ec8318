$(call library,calc,p16-rpc-calc,arith.c accumulator.c calc_service.c \
	calcclient.c calc_xdr.c calc_clnt.c calc_svc.c,libtirpc,rpc)
$(call program,calc_server,p16-rpc-calc,cmd/calc_server.c,calc rpccmd)
$(call program,calc_client,p16-rpc-calc,cmd/calc_client.c cmd/expression.c,calc rpccmd)
$(call bench,p16-rpc-calc,bench/bench.c bench/bench_socket.c \
	bench/bench_raw.c bench/bench_svc.c bench/bench_rpc.c,calc measure)
TSAN_TESTS += p16/accumulator_test p16/calc_test p16/once_test

# What rpcgen alone makes of the first calc.x is the textbook's.
P16_TEXT := p16-rpc-calc/textbook
TEXT_SRC_$(P16_TEXT)/calc_server := textbook/calc_svc.c textbook/calc_xdr.c
TEXT_SRC_$(P16_TEXT)/calc_client := textbook/calc_clnt.c textbook/calc_xdr.c
TEXT_PKGS_$(P16_TEXT)/calc_server := libtirpc
TEXT_PKGS_$(P16_TEXT)/calc_client := libtirpc
FLAGS_APART += $(P16_TEXT)/calc_server.c $(P16_TEXT)/calc_client.c
P16_TEXT_MADE := $(patsubst %,build/gen/$(P16_TEXT)/calc%,.h _svc.c _clnt.c _xdr.c)
$(P16_TEXT_MADE) &: $(P16_TEXT)/calc.x
	@mkdir -p $(@D) && rm -f $(@D)/* && cp $< $(@D)
	$(call run,GEN ) (cd $(@D) && rpcgen calc.x)
$(patsubst %,$(B)/$(P16_TEXT)/calc_%.o,server client svc clnt xdr): $(P16_TEXT_MADE)
$(B)/$(P16_TEXT)/calc_server.o $(B)/$(P16_TEXT)/calc_client.o: \
	CPPFLAGS += -Ibuild/gen/$(P16_TEXT)
