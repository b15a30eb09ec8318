$(call library,pipeline,p01-pipeline,pipeline.c words.c)
$(call program,mypipe,p01-pipeline,cmd/mypipe.c cmd/report.c cmd/watch.c \
	cmd/orphans.c,pipeline)
$(call bench,p01-pipeline,bench/bench.c,pipeline)

TEST_LDFLAGS_p01/failed_start_test := -Wl,--wrap=child_spawn,--wrap=fdio_pipe
TSAN_TESTS += p01/pipeline_test p01/descriptors_test p01/failed_start_test
$(call mechanism,pipeline,p01-pipeline/pipeline.h p01-pipeline/words.h,pipeline)
