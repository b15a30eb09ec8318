$(call library,jobs,p04-posix-mq,job.c jobqueue.c wake.c \
	scheduler.c outlet.c line_buffer.c worker.c slot.c dispatcher.c durable/journal.c \
	durable/record.c)
$(call program,job_dispatcher,p04-posix-mq,cmd/job_dispatcher.c cmd/target.c,jobs)
$(call program,submit_job,p04-posix-mq,cmd/submit_job.c cmd/target.c cmd/list.c,jobs,jansson)
$(call bench,p04-posix-mq,bench/bench.c,jobs p06)
$(call mechanism,jobs,$(addprefix p04-posix-mq/,dispatcher.h job.h jobqueue.h \
	outlet.h wake.h durable/journal.h),jobs)
TEST_LDFLAGS_p04/dispatcher_test := -Wl,--wrap=tick_after \
	-Wl,--wrap=child_fork -Wl,--wrap=poll
TEST_LDFLAGS_p04/jobqueue_test := -Wl,--wrap=geteuid \
	-Wl,--wrap=mq_timedsend -Wl,--wrap=mq_timedreceive
TEST_LDFLAGS_p04/line_buffer_test := -Wl,--wrap=fdio_write_some
TEST_LDFLAGS_p04/journal_test := -Wl,--wrap=tick_after \
	-Wl,--wrap=fsync -Wl,--wrap=fdatasync -Wl,--wrap=readdir
TEST_LDFLAGS_p04/wake_test := -Wl,--wrap=mq_notify -Wl,--wrap=tick_after
TEST_LDFLAGS_p04/worker_test := -Wl,--wrap=record_note_group \
	-Wl,--wrap=tick_after
# Eight hundred dispatchers and their workers take valgrind minutes.
VALGRIND_SKIP += p04/crash_test
