# The Makefile itself declares libutil.a (every lib/*.c): all else needs it.
HEADERS += $(wildcard lib/*.h)

# System calls that a test makes fail, or stand still.
TEST_LDFLAGS_lib_tick_test := -Wl,--wrap=clock_gettime
TEST_LDFLAGS_lib_fdio_test := -Wl,--wrap=read,--wrap=write,--wrap=close
TEST_LDFLAGS_lib_fdio_until_test := \
	-Wl,--wrap=preadv2,--wrap=pwritev2,--wrap=ppoll
TEST_LDFLAGS_lib_fdio_nowait_test := $(TEST_LDFLAGS_lib_fdio_until_test)
TEST_LDFLAGS_lib_out_table_test := \
	-Wl,--wrap=calloc,--wrap=reallocarray,--wrap=vasprintf
TEST_LDFLAGS_lib_progress_test := -Wl,--wrap=tick_now
TEST_LDFLAGS_lib_sysv_test := -Wl,--wrap=tick_sleep_until,--wrap=semget
TEST_LDFLAGS_lib_stop_test := -Wl,--wrap=ppoll
TEST_LDFLAGS_lib_child_test := -Wl,--wrap=syscall
TEST_LDFLAGS_lib_child_spawn_test := -Wl,--wrap=dup2
TEST_LDFLAGS_lib_child_proc_test := -Wl,--wrap=open
TEST_LDFLAGS_lib_objname_test := \
	-Wl,--wrap=open,--wrap=mkdir,--wrap=rmdir,--wrap=geteuid
TEST_LDFLAGS_lib_objname_owner_test := \
	$(TEST_LDFLAGS_lib_objname_test),--wrap=symlinkat,--wrap=readlink
TEST_LDFLAGS_lib_objname_object_test := \
	$(TEST_LDFLAGS_lib_objname_test),--wrap=mq_open

TSAN_TESTS += lib_fdio_until_test lib_fdio_nowait_test lib_frame_test \
	lib_child_test
# Where a fork stands in for vfork.
TSAN_TESTS += lib_child_spawn_test
