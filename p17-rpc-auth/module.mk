$(call library,rpcauth,p17-rpc-auth,dh.c netname.c keys.c authdh_cred.c \
	authdh_server.c authdh_client.c authsys.c policy.c service.c \
	sums_xdr.c sums_clnt.c,libtirpc nettle gmp,rpccore)
$(call program,calc_server_auth,p17-rpc-auth,calc_server_auth.c options.c,rpcauth rpcserve)
$(call program,calc_client_auth,p17-rpc-auth,calc_client_auth.c options.c,rpcauth)
$(call program,keygen,p17-rpc-auth,keygen.c options.c,rpcauth)
HEADERS += $(addprefix p17-rpc-auth/,dh.h netname.h keys.h authdh_cred.h \
	authdh_server.h authdh_client.h authsys.h policy.h)
TSAN_TESTS += p17_client_test p17_flavors_test
$(call bench,p17-rpc-auth,bench.c,rpcauth)
