# The Makefile itself declares libutil.a (every lib/*.c) and libcmd.a (lib/cmd,
# for commands): all else needs them. What headers of mechanisms are about is
# for their users, too.
$(foreach m,tick identity park parse,$(call mechanism,$(m),lib/$(m).h,util))

# How mechanisms are measured.
$(call library,measure,lib,$(patsubst lib/%,%,$(wildcard \
	lib/measure/*.c)),jansson)

# The core of an ONC RPC server and client, and what commands that serve or call
# have in common.
$(call library,rpc,lib,$(patsubst lib/%,%,$(wildcard lib/rpc/*.c)),libtirpc)
$(call library,rpccmd,lib,cmd/serve.c cmd/call.c,,rpc)
$(call mechanism,rpc,$(patsubst %,lib/rpc/rpc_%.h,server client auth bind \
	budget buffer dispatch fault layer message),rpc,libtirpc)

# What rpcstub makes of the test's .x.
$(call library,shapes,tests/lib,shapes_xdr.c shapes_clnt.c shapes_svc.c,\
	libtirpc,rpc)
TEST_LIBS_lib/rpcstub_test := shapes
TSAN_TESTS += lib/rpcstub_test

# System calls that a test makes fail, or stand still.
TEST_LDFLAGS_lib/tick_test := -Wl,--wrap=clock_gettime
TEST_LDFLAGS_lib/fdio_test := -Wl,--wrap=read,--wrap=write,--wrap=close
TEST_LDFLAGS_lib/fdio_until_test := \
	-Wl,--wrap=preadv2,--wrap=pwritev2,--wrap=ppoll
TEST_LDFLAGS_lib/fdio_nowait_test := $(TEST_LDFLAGS_lib/fdio_until_test)
TEST_LDFLAGS_lib/out_table_test := \
	-Wl,--wrap=calloc,--wrap=reallocarray,--wrap=vasprintf
TEST_LDFLAGS_lib/mqlimit_test := -Wl,--wrap=getrlimit
TEST_LDFLAGS_lib/progress_test := -Wl,--wrap=tick_now
TEST_LDFLAGS_lib/rpc_lookup_test := -Wl,--wrap=tick_now,--wrap=pthread_join
TEST_LDFLAGS_lib/shmname_test := -Wl,--wrap=lstat
TEST_LDFLAGS_lib/sysv_test := -Wl,--wrap=tick_sleep_until,--wrap=semget
TEST_LDFLAGS_lib/stop_test := -Wl,--wrap=ppoll
TEST_LDFLAGS_lib/child_test := -Wl,--wrap=syscall
TEST_LDFLAGS_lib/child_spawn_test := -Wl,--wrap=dup2
# It knows neither pidfds nor clone3(2).
VALGRIND_SKIP += lib/identity_process_test lib/identity_group_test
TEST_LDFLAGS_lib/identity_group_test := \
	-Wl,--wrap=identity_proc_see,--wrap=readdir
TEST_LDFLAGS_lib/identity_process_test := -Wl,--wrap=open,--wrap=syscall
OBJNAME_WRAPS := -Wl,--wrap=open,--wrap=mkdir,--wrap=rmdir,--wrap=geteuid
TEST_LDFLAGS_lib/objname_test := $(OBJNAME_WRAPS),--wrap=readdir
TEST_LDFLAGS_lib/objname_owner_test := $(OBJNAME_WRAPS),--wrap=symlinkat
TEST_LDFLAGS_lib/objname_object_test := $(OBJNAME_WRAPS),--wrap=mq_open

TSAN_TESTS += lib/park_test lib/rig_test lib/fdio_until_test lib/fdio_nowait_test lib/frame_test \
	lib/child_test lib/rpc_async_test lib/rpc_client_flavor_test lib/rpc_lookup_test
# Where a fork stands in for vfork.
TSAN_TESTS += lib/child_spawn_test
# With a server and its clients in one process.
TSAN_TESTS += lib/rpc_server_test lib/rpc_server_limits_test \
	lib/rpc_client_test lib/rpc_client_reach_test lib/rpc_client_lost_test \
	lib/rpc_drc_test lib/rpc_hostile_test lib/rpc_hostile_stress_test \
	lib/rpc_memory_test lib/rpc_flavor_test lib/rpc_loop_test lib/rpc_udp_test \
	lib/rpc_layer_test
TEST_LDFLAGS_lib/rpc_loop_test := -Wl,--wrap=sched_getcpu,--wrap=getsockopt,--wrap=identity_processor
TEST_LDFLAGS_lib/rpc_server_limits_test := -Wl,--wrap=accept4,--wrap=shutdown
TEST_LDFLAGS_lib/rpc_listen_test := -Wl,--wrap=bind,--wrap=geteuid
TEST_LDFLAGS_lib/measure_disturb_test := -Wl,--wrap=pread
# The harness of the power-cut tests, which has no tests/ folder of its own.
TEST_LIBS_lib/crash_state_test := crashplay
