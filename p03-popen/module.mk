$(call library,mypopen,p03-popen,mypopen.c)
$(call program,test_mypopen,p03-popen,cmd/test_mypopen.c,mypopen)
$(call bench,p03-popen,bench/bench.c,mypopen)
$(call mechanism,mypopen,p03-popen/mypopen.h,mypopen)
TSAN_TESTS += p03/mypopen_test p03/failed_start_test p03/descriptors_test \
	p03/threads_test
TEST_LDFLAGS_p03/failed_start_test := -Wl,--wrap=child_spawn,--wrap=fdopen \
	-Wl,--wrap=fdio_set_cloexec,--wrap=malloc,--wrap=fclose
