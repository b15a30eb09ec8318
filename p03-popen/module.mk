$(call library,mypopen,p03-popen,mypopen.c)
$(call program,test_mypopen,p03-popen,test_mypopen.c,mypopen)
$(call bench,p03-popen,bench.c,mypopen)
HEADERS += p03-popen/mypopen.h
TSAN_TESTS += p03_mypopen_test p03_failed_start_test p03_descriptors_test \
	p03_threads_test
TEST_LDFLAGS_p03_failed_start_test := -Wl,--wrap=child_spawn,--wrap=fdopen
