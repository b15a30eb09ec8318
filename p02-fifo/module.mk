$(call library,fifocalc,p02-fifo,expr.c message.c inbox.c fifo.c server.c client.c)
$(call program,calc_server,p02-fifo,cmd/calc_server.c,fifocalc)
$(call program,calc_client,p02-fifo,cmd/calc_client.c,fifocalc)
$(call bench,p02-fifo,bench/bench.c,fifocalc measure)
$(call mechanism,fifocalc,$(addprefix p02-fifo/,server.h client.h expr.h fifo.h),fifocalc)
TEST_LDFLAGS_p02/client_test := -Wl,--wrap=tick_after \
	-Wl,--wrap=inbox_fill
TEST_LDFLAGS_p02/fifo_test := -Wl,--wrap=flock -Wl,--wrap=fsetxattr \
	-Wl,--wrap=getrandom
TEST_LDFLAGS_p02/server_test := -Wl,--wrap=tick_after \
	-Wl,--wrap=fifo_create_new
