$(call library,rpcauth,p17-rpc-auth,netname.c authsys.c policy.c service.c \
	authdh/dh.c authdh/keys.c authdh/floor.c authdh/authdh_cred.c \
	authdh/authdh_server.c authdh/authdh_client.c sums_xdr.c sums_clnt.c sums_svc.c,libtirpc nettle gmp,rpc)
$(call program,calc_server_auth,p17-rpc-auth,cmd/calc_server_auth.c \
	cmd/options.c,rpcauth rpccmd)
$(call program,calc_client_auth,p17-rpc-auth,cmd/calc_client_auth.c \
	cmd/options.c,rpcauth rpccmd)
$(call program,keygen,p17-rpc-auth,cmd/keygen.c cmd/options.c,rpcauth)
$(call mechanism,rpcauth,$(addprefix p17-rpc-auth/,authsys.h netname.h policy.h \
	authdh/authdh_server.h authdh/authdh_client.h authdh/dh.h \
	authdh/keys.h),rpcauth,libtirpc nettle gmp,rpc)
TEST_LDFLAGS_p17/floor_test := -Wl,--wrap=fdatasync,--wrap=fsync,--wrap=reallocarray
TEST_LDFLAGS_p17/keys_test := -Wl,--wrap=fsync
TEST_LDFLAGS_p17/secret_test := -Wl,--wrap=free,--wrap=reallocarray
TSAN_TESTS += p17/client_test p17/flavors_test
$(call bench,p17-rpc-auth,bench/bench.c,rpcauth)
