$(call library,pipeline,p01-pipeline,pipeline.c words.c)
$(call program,mypipe,p01-pipeline,mypipe.c report.c watch.c orphans.c,pipeline)
$(call bench,p01-pipeline,bench.c,pipeline)

TEST_LDFLAGS_p01_failed_start_test := -Wl,--wrap=child_spawn,--wrap=fdio_pipe
TSAN_TESTS += p01_pipeline_test p01_descriptors_test p01_failed_start_test
HEADERS += p01-pipeline/pipeline.h p01-pipeline/words.h
