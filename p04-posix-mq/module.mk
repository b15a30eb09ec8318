$(call library,jobs,p04-posix-mq,job.c jobqueue.c limits.c wake.c journal.c \
	record.c submission.c hand.c intake.c lines.c worker.c slot.c \
	dispatcher.c)
$(call program,job_dispatcher,p04-posix-mq,job_dispatcher.c target.c,jobs)
$(call program,submit_job,p04-posix-mq,submit_job.c target.c list.c,jobs,jansson)
$(call bench,p04-posix-mq,bench.c,jobs p06)
HEADERS += $(addprefix p04-posix-mq/,job.h jobqueue.h limits.h wake.h \
	journal.h record.h submission.h dispatcher.h)
TEST_LDFLAGS_p04_dispatcher_test := -Wl,--wrap=tick_after
TEST_LDFLAGS_p04_wake_test := -Wl,--wrap=mq_notify -Wl,--wrap=tick_after
TEST_LDFLAGS_p04_worker_test := -Wl,--wrap=record_note_group
# Eight hundred dispatchers and their workers take valgrind minutes.
VALGRIND_SKIP += p04_crash_test
