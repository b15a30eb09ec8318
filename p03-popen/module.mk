$(call library,mypopen,p03-popen,mypopen.c)
$(call program,test_mypopen,p03-popen,test_mypopen.c,mypopen)
$(call bench,p03-popen,bench.c,mypopen)
HEADERS += p03-popen/mypopen.h
TSAN_TESTS += p03_mypopen_test
TEST_LDFLAGS_p03_mypopen_test := -Wl,--wrap=child_spawn,--wrap=fdopen
