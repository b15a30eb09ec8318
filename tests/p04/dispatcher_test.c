/* The dispatcher as a library: which jobs it starts, and in which order. */
#include "p04-posix-mq/dispatcher.h"

#include "tests/p04/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>

static struct fixture f;
static struct fixture_dispatcher d;

static int setup(void **state)
{
	(void)state;
	fixture_make(&f);
	fixture_make_queue(&f);
	d = (struct fixture_dispatcher){
		.f = &f, .options = fixture_options, .events = -1};
	d.events = open(scratch_path(&f.scratch, "events"),
			O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(d.events);
	fixture_remove(&f);
	return 0;
}

static int64_t submit(const char *command, uint32_t priority)
{
	int64_t id = fixture_submit(&f, &f.journal, command, priority);

	assert_true(id > 0);
	return id;
}

/* All the events, "; " between them. */
static const char *events(void)
{
	static char text[1024];
	FILE *file = fopen(scratch_path(&f.scratch, "events"), "re");
	size_t n = fread(text, 1, sizeof(text) - 1, file);

	fclose(file);
	text[n] = '\0';
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ';';
	return text;
}

/* A message that no submitter sent. */
static void send_raw(const void *bytes, size_t n, unsigned int priority)
{
	mqd_t mq = mq_open(f.queue_name, O_WRONLY | O_CLOEXEC);

	assert_int_equal(mq_send(mq, bytes, n, priority), 0);
	mq_close(mq);
}

static void drop_messages(void)
{
	mqd_t mq = mq_open(f.queue_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char buf[1024];

	while (mq_receive(mq, buf, sizeof(buf), NULL) >= 0)
		;
	mq_close(mq);
}

static void drain(void)
{
	assert_int_equal(fixture_drain(&d, 20000), 0);
	assert_int_equal(fixture_jobs(&f), 0);
}

/* ---- cases ----------------------------------------------------------------------- */

static void waiting_jobs_are_started_by_priority(void **state)
{
	(void)state;
	submit("true", 0);
	submit("exit 2", 31);
	submit("true", 15);
	drain();
	assert_string_equal(events(), "found 0 3;started 2 0;ended 2 2;"
				      "started 3 0;ended 3 0;"
				      "started 1 0;ended 1 0;");
}

static void a_job_whose_message_is_gone_is_found_in_the_journal(void **state)
{
	(void)state;
	submit("true", 0);
	submit("true", 5);
	drop_messages();
	drain();
	assert_string_equal(events(), "found 0 2;started 2 0;ended 2 0;"
				      "started 1 0;ended 1 0;");
}

static void a_message_whose_job_has_ended_starts_nothing(void **state)
{
	(void)state;
	submit("true", 0);
	assert_int_equal(record_remove(f.journal.dir, 1), 0);
	submit("true", 0);
	drain();
	assert_string_equal(events(), "found 0 1;started 2 0;ended 2 0;");
}

static void a_message_that_came_twice_starts_one_job(void **state)
{
	char buf[1024];
	ssize_t n;
	mqd_t mq;

	(void)state;
	submit("true", 3);
	mq = mq_open(f.queue_name, O_RDONLY | O_CLOEXEC);
	n = mq_receive(mq, buf, sizeof(buf), NULL);
	mq_close(mq);
	assert_true(n > 0);
	send_raw(buf, (size_t)n, 3);
	send_raw(buf, (size_t)n, 3);
	drain();
	assert_string_equal(events(), "found 0 1;started 1 0;ended 1 0;");
}

static void messages_of_strangers_are_reported_and_dropped(void **state)
{
	struct job *job;

	(void)state;
	send_raw("hello", 5, 31);
	assert_int_equal(job_new("true", 7, &job), 0);
	job->id = 1;
	job->journal = f.journal.identity + 1;
	send_raw(job, job_bytes(job), 7);
	free(job);
	submit("true", 0);
	drain();
	assert_string_equal(events(), "found 0 1;stranger 0 0;stranger 0 0;"
				      "started 1 0;ended 1 0;");
}

static void a_job_that_is_being_submitted_is_not_touched(void **state)
{
	struct journal_submission submission;
	struct job *job;

	(void)state;
	assert_int_equal(job_new("true", 0, &job), 0);
	assert_int_equal(journal_submission_begin(&submission, &f.journal,
						  f.queue_name, job),
			 0);
	assert_int_equal(fixture_drain(&d, 20000), 0);
	assert_string_equal(events(), "");
	journal_submission_end(&submission); /* not sent: taken back */
	assert_int_equal(fixture_jobs(&f), 0);
	free(job);
}

/* As the kernel leaves a submitter that was killed in between. */
static void submit_without_message(const char *command, uint32_t priority)
{
	struct journal_submission submission;
	struct job *job;

	assert_int_equal(job_new(command, priority, &job), 0);
	assert_int_equal(journal_submission_begin(&submission, &f.journal,
						  f.queue_name, job),
			 0);
	close(submission.record);
	jobqueue_close(&submission.queue);
	journal_leave(&f.journal);
	free(job);
}

static void a_submitter_that_died_before_sending_has_submitted(void **state)
{
	(void)state;
	submit_without_message("true", 0);
	drain();
	assert_string_equal(events(), "found 0 1;started 1 0;ended 1 0;");
}

static int times(const char *event)
{
	const char *at = events();
	int n = 0;

	for (; (at = strstr(at, event)); at++)
		n++;
	return n;
}

static void wait_for_event(const char *event)
{
	int64_t deadline = tick_after(30 * TICK_S);

	while (!strstr(events(), event)) {
		if (tick_is_over(deadline))
			fail_msg("not in %s: %s", events(), event);
		tick_sleep_until(tick_after(TICK_MS));
	}
}

/* Nothing else happens that would make the dispatcher look. */
static void a_job_without_a_message_wakes_a_free_worker(void **state)
{
	char gate[256], read_gate[300];
	int status, fd;
	pid_t pid;

	(void)state;
	snprintf(gate, sizeof(gate), "%s", scratch_path(&f.scratch, "gate"));
	snprintf(read_gate, sizeof(read_gate), "read line <%s || :", gate);
	assert_int_equal(mkfifo(gate, 0600), 0);
	d.options.workers = 2;
	assert_int_equal(child_fork(fixture_dispatch, &d, &pid), 0);

	submit(read_gate, 0); /* one is busy, one is free */
	wait_for_event("started 1 0;");
	submit_without_message("true", 0);
	wait_for_event("ended 2 0;");
	fd = open(gate, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	wait_for_event("ended 1 0;");
	submit_without_message("true", 0); /* both are free */
	wait_for_event("ended 3 0;");
	assert_int_equal(child_end(pid, 0, &status), 0);
}

static void an_unsound_record_is_reported_and_set_aside(void **state)
{
	(void)state;
	scratch_write(&f.scratch, "journal/9.job", "garbage", 7);
	submit("true", 0);
	drain();
	assert_non_null(strstr(events(), "unsound 0 9;"));
	assert_non_null(strstr(events(), "ended 1 0;"));
	assert_int_equal(faccessat(f.journal.dir, "9.bad", F_OK, 0), 0);
}

static void a_record_under_the_name_of_another_is_not_run(void **state)
{
	(void)state;
	submit("true", 0);
	assert_int_equal(
		renameat(f.journal.dir, "1.job", f.journal.dir, "2.job"), 0);
	drain();
	assert_string_equal(events(), "unsound 0 2;");
}

static void a_job_that_ended_and_was_not_removed_does_not_run_again(
	void **state)
{
	int fd;

	(void)state;
	submit("true", 0);
	fd = record_open(f.journal.dir, 1);
	assert_int_equal(record_note_outcome(fd, RECORD_EXITED), 0);
	close(fd);
	drain();
	assert_string_equal(events(), "");
}

/* Whoever can write to the queue, what runs is what the journal says. */
static void what_runs_is_the_record_and_not_the_message(void **state)
{
	char gate[256], command[300];
	int status, fd;
	struct job *job;
	pid_t pid;

	(void)state;
	snprintf(gate, sizeof(gate), "%s", scratch_path(&f.scratch, "gate"));
	snprintf(command, sizeof(command), "read line <%s || :", gate);
	assert_int_equal(mkfifo(gate, 0600), 0);
	assert_int_equal(child_fork(fixture_dispatch, &d, &pid), 0);
	submit(command, 0);
	wait_for_event("started 1 0;");
	/* The one worker is busy: what comes now comes by its message. */
	submit("exit 2", 0);
	submit("exit 3", 0);
	drop_messages();
	assert_int_equal(job_new("exit 9", 0, &job), 0);
	job->journal = f.journal.identity;
	for (job->id = 2; job->id <= 3; job->id++)
		send_raw(job, job_bytes(job), 0);
	free(job);
	fd = record_open(f.journal.dir, 3);
	assert_int_equal(ftruncate(fd, 90), 0);
	close(fd);
	fd = open(gate, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	wait_for_event("ended 2 2;");
	wait_for_event("unsound 0 3;");
	assert_null(strstr(events(), "ended 2 9;"));
	assert_null(strstr(events(), "started 3"));
	assert_int_equal(child_end(pid, 0, &status), 0);
}

/* The command has run, and nobody can tell any more how it ended. */
static void a_record_that_is_damaged_while_its_job_runs_is_set_aside(
	void **state)
{
	char command[600];

	(void)state;
	snprintf(command, sizeof(command), "truncate -s 7 %s/1.job", f.path);
	submit(command, 0);
	submit("true", 0);
	drain();
	assert_non_null(strstr(events(), "unsound 0 1;"));
	assert_non_null(strstr(events(), "ended 2 0;"));
	assert_int_equal(faccessat(f.journal.dir, "1.bad", F_OK, 0), 0);
}

/* Whatever is reported: a stranger's message, a record that is not sound, jobs. */
static void only_a_negative_value_of_a_report_ends_the_run(void **state)
{
	int fd;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		submit("true", i);
	fd = record_open(f.journal.dir, 2);
	assert_int_equal(ftruncate(fd, 7), 0);
	close(fd);
	send_raw("hello", 5, 9);
	d.report = 1;
	assert_int_equal(fixture_drain(&d, 20000), 0);
	assert_int_equal(fixture_jobs(&f), 0);
	assert_non_null(strstr(events(), "unsound 0 2;"));
	assert_non_null(strstr(events(), "ended 1 0;"));
	assert_non_null(strstr(events(), "ended 3 0;"));
	submit("true", 0);
	d.report = -EPIPE;
	assert_int_equal(fixture_drain(&d, 20000), EPIPE);
	assert_int_equal(fixture_jobs(&f), 1);
}

static void workers_that_die_are_counted_up_to_the_limit(void **state)
{
	(void)state;
	submit("kill -KILL $PPID; sleep 60", 0);
	drain();
	assert_string_equal(events(),
			    "found 0 1;started 1 0;died 1 1;started 1 0;"
			    "died 1 2;started 1 0;failed 1 3;");
}

/* What a submitter has left that was killed in mid-write. */
static void half_a_record_is_removed_at_the_start(void **state)
{
	(void)state;
	scratch_write(&f.scratch, "journal/9.tmp", "half", 4);
	drain();
	assert_int_equal(faccessat(f.journal.dir, "9.tmp", F_OK, 0), -1);
}

static void deaths_are_counted_over_restarts(void **state)
{
	int fd;

	(void)state;
	submit("kill -KILL $PPID; sleep 60", 0);
	fd = record_open(f.journal.dir, 1);
	assert_int_equal(record_note_attempts(fd, 2), 0);
	close(fd);
	drain();
	assert_string_equal(events(), "found 0 1;started 1 0;failed 1 3;");
}

/* One waits a millisecond longer: less than 21 s, more than 21 us. */
static void aging_starts_an_old_job_before_an_urgent_one(void **state)
{
	static const char *const wanted[] = {
		"found 0 2;started 2 0;ended 2 0;started 1 0;ended 1 0;",
		"found 0 2;started 2 0;ended 2 0;started 1 0;ended 1 0;",
		"found 0 2;started 1 0;ended 1 0;started 2 0;ended 2 0;",
	};
	static const int64_t aging_ns[] = {0, TICK_S, TICK_US};

	(void)state;
	for (int i = 0; i < 3; i++) {
		teardown(state);
		setup(state);
		submit("true", 10);
		tick_sleep_until(tick_after(TICK_MS));
		submit("true", 31);
		d.options.aging_ns = aging_ns[i];
		drain();
		assert_string_equal(events(), wanted[i]);
	}
}

/* ---- lingering -------------------------------------------------------------------- */

#define LINGER_NS INT64_C(123456789) /* no other wait is as long */

int64_t __real_tick_after(int64_t timeout_ns);
int64_t __wrap_tick_after(int64_t timeout_ns);

static uint32_t lingers;
static bool is_hasty; /* what comes each second, or later, comes soon */
static bool is_lazy;  /* what comes each second does not */
static bool tells_lingers;

/* Each linger is short, and brings one more job, or is told of. */
int64_t __wrap_tick_after(int64_t timeout_ns)
{
	if (is_hasty &&
	    (timeout_ns == TICK_S || timeout_ns == DISPATCHER_HOLD_NS))
		return __real_tick_after(10 * TICK_MS);
	if (is_lazy && timeout_ns == TICK_S)
		return TICK_NEVER;
	if (timeout_ns != LINGER_NS)
		return __real_tick_after(timeout_ns);
	if (tells_lingers)
		dprintf(d.events, "linger\n");
	else
		fixture_submit(&f, &f.journal, "true", ++lingers);
	return __real_tick_after(20 * TICK_MS);
}

static void a_burst_is_waited_for_while_it_lasts_but_not_for_ever(void **state)
{
	const char *first = "found 0 1;started 6 0;ended 6 0;started 5 0;";

	(void)state;
	assert_int_equal(DISPATCHER_LINGERS, 5);
	submit("true", 0);
	d.options.linger_ns = LINGER_NS;
	drain();
	assert_int_equal(strncmp(events(), first, strlen(first)), 0);
}

/* ---- a busy queue ------------------------------------------------------------------ */

/* One worker that has job 1 until open_gate(). */
static pid_t start_at_gate(char gate[256])
{
	char read_gate[300];
	pid_t pid;

	snprintf(gate, 256, "%s", scratch_path(&f.scratch, "gate"));
	snprintf(read_gate, sizeof(read_gate), "read line <%s || :", gate);
	assert_int_equal(mkfifo(gate, 0600), 0);
	assert_int_equal(child_fork(fixture_dispatch, &d, &pid), 0);
	submit(read_gate, 0);
	wait_for_event("started 1 0;");
	return pid;
}

static void open_gate(const char *gate)
{
	int fd = open(gate, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
}

static void a_job_without_a_message_overtakes_those_that_are_less_urgent(
	void **state)
{
	char gate[256];
	int status;
	pid_t pid;

	(void)state;
	is_hasty = true;
	pid = start_at_gate(gate);
	is_hasty = false;
	for (int i = 2; i < 6; i++)
		submit("true", 15);
	submit_without_message("true", 31);
	submit_without_message("true", 7);
	/* The next look is due: each second, which comes soon. */
	tick_sleep_until(__real_tick_after(20 * TICK_MS));
	open_gate(gate);
	wait_for_event("ended 7 0;");
	assert_non_null(strstr(events(), "ended 1 0;started 6 0;ended 6 0;"
					 "started 2 0;"));
	assert_non_null(strstr(events(), "ended 5 0;started 7 0;"));
	assert_int_equal(child_end(pid, 20 * TICK_S, &status), 0);
}

/* Only who was idle waits for a burst. */
static void a_busy_dispatcher_does_not_linger(void **state)
{
	char gate[256];
	int status;
	pid_t pid;

	(void)state;
	d.options.linger_ns = LINGER_NS;
	tells_lingers = true;
	pid = start_at_gate(gate);
	tells_lingers = false;
	submit("true", 0);
	submit("true", 0);
	open_gate(gate);
	wait_for_event("ended 3 0;");
	assert_int_equal(times("linger"), 1);
	assert_int_equal(child_end(pid, 20 * TICK_S, &status), 0);
}

static atomic_uint
	*polls; /* so many times somebody waited; NULL: not counted */

int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	if (polls)
		atomic_fetch_add(polls, 1);
	return __real_poll(fds, n, timeout_ms);
}

/* It is readable all the time. */
static void a_queue_with_jobs_wakes_no_dispatcher_that_is_busy(void **state)
{
	char gate[256];
	int status;
	pid_t pid;

	(void)state;
	polls = mmap(NULL, sizeof(*polls), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(polls != MAP_FAILED);
	d.options.wake = WAKE_POLL;
	pid = start_at_gate(gate);
	submit("true", 0);
	atomic_store(polls, 0);
	tick_sleep_until(tick_after(50 * TICK_MS));
	assert_in_range(atomic_load(polls), 0, 10);
	open_gate(gate);
	wait_for_event("ended 2 0;");
	assert_int_equal(child_end(pid, 20 * TICK_S, &status), 0);
	munmap(polls, sizeof(*polls));
	polls = NULL;
}

/* That its worker has died then is our own doing. */
static void a_stop_is_no_death_of_a_worker(void **state)
{
	char gate[256];
	int status, stop[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	d.options.stop_fd = stop[0];
	pid = start_at_gate(gate);
	assert_int_equal(write(stop[1], "", 1), 1);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), 0);
	assert_string_equal(strstr(events(), "started"), "started 1 0;");
	assert_int_equal(fixture_jobs(&f), 1);
	close(stop[0]);
	close(stop[1]);
}

static int lead_a_group(void *arg)
{
	setpgid(0, 0);
	if (write(*(const int *)arg, "", 1) != 1)
		return 1;
	pause();
	return 1;
}

/* And not when its turn comes. */
static void what_last_runs_left_is_ended_at_the_start(void **state)
{
	struct identity_process leader;
	pid_t pid, left;
	char gate[256], read_gate[300];
	int status, ready, fd;

	(void)state;
	snprintf(gate, sizeof(gate), "%s", scratch_path(&f.scratch, "gate"));
	snprintf(read_gate, sizeof(read_gate), "read line <%s || :", gate);
	assert_int_equal(mkfifo(gate, 0600), 0);
	submit(read_gate, 31);
	submit("true", 0);
	left = support_start(lead_a_group, &ready, &ready, 20000);
	assert_int_equal(identity_of(left, &leader), 0);
	fd = record_open(f.journal.dir, 2);
	assert_int_equal(record_note_group(fd, &leader), 0);
	close(fd);
	assert_int_equal(child_fork(fixture_dispatch, &d, &pid), 0);
	wait_for_event("started 1 0;");
	assert_true(support_wait_until(support_has_ended, &left, 20000));
	support_kill(&left);
	open_gate(gate);
	wait_for_event("ended 2 0;");
	assert_int_equal(child_end(pid, 20 * TICK_S, &status), 0);
}

/* The kernel shows nobody what is not the first, and no second is over. */
static void aging_finds_an_old_job_deep_in_the_queue(void **state)
{
	char gate[256];
	int status;
	pid_t pid;

	(void)state;
	d.options.aging_ns = TICK_US;
	is_lazy = true;
	pid = start_at_gate(gate);
	is_lazy = false;
	submit("true", 0);
	tick_sleep_until(tick_after(TICK_MS));
	submit("true", 31);
	submit("true", 31);
	open_gate(gate);
	wait_for_event("ended 4 0;");
	assert_non_null(strstr(events(), "ended 1 0;started 2 0;"));
	assert_int_equal(child_end(pid, 20 * TICK_S, &status), 0);
}

/* ---- the queue's name ------------------------------------------------------------- */

static bool is_renewed(void *unused)
{
	(void)unused;
	return strstr(events(), "renewed") != NULL;
}

/* Each second it looks, which comes soon: so nothing more seldom keeps this. */
static void a_queue_that_was_removed_is_made_anew_within_a_second(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	submit("true", 0);
	is_hasty = true;
	assert_int_equal(child_fork(fixture_dispatch, &d, &pid), 0);
	wait_for_event("ended 1 0;");
	assert_int_equal(mq_unlink(f.queue_name), 0);
	support_wait_promised(is_renewed, NULL, TICK_S);
	is_hasty = false;
	submit("true", 0);
	wait_for_event("ended 2 0;");
	assert_int_equal(child_end(pid, 20 * TICK_S, &status), 0);
}

static void a_dispatcher_ends_within_a_second_when_another_has_its_name(
	void **state)
{
	int status;
	pid_t pid;
	mqd_t mq;

	(void)state;
	submit("true", 0);
	is_hasty = true;
	assert_int_equal(child_fork(fixture_dispatch, &d, &pid), 0);
	is_hasty = false;
	wait_for_event("ended 1 0;");
	/* It must not look in between. */
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_int_equal(mq_unlink(f.queue_name), 0);
	mq = mq_open(f.queue_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600,
		     NULL);
	assert_true(mq != (mqd_t)-1);
	assert_int_equal(kill(pid, SIGCONT), 0);
	support_wait_promised(support_has_ended, &pid, TICK_S);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(child_exit_code(status), EEXIST);
	mq_close(mq);
}

/* ---- what a last run has left ----------------------------------------------------- */

/* As one of the command's processes does; ours must not inherit it. */
static int hold_run(void *arg)
{
	struct identity_role role;
	int fd = record_open(f.journal.dir, 1);

	if (identity_role_open(&role, fd) ||
	    identity_role_take(&role, RECORD_RUN) ||
	    write(*(const int *)arg, "", 1) != 1)
		return 1;
	pause();
	return 1;
}

static void a_job_whose_last_run_has_not_ended_is_held_and_told_once(
	void **state)
{
	int status, ready;
	pid_t pid, holder;

	(void)state;
	submit("true", 0);
	submit("true", 0);
	holder = support_start(hold_run, &ready, &ready, 20000);
	assert_true(record_is_running(f.journal.dir, 1));
	is_hasty = true;
	/* It ends, and the other job has run. */
	assert_int_equal(fixture_drain(&d, 20000), 0);
	assert_int_equal(times("held 1 0;"), 1);
	assert_int_equal(times("ended 2 0;"), 1);
	assert_int_equal(fixture_jobs(&f), 1);

	d.options.drain = false;
	assert_int_equal(child_fork(fixture_dispatch, &d, &pid), 0);
	wait_for_event("ended 2 0;found 0 1;started 1 0;held 1 0;");
	/* It is asked again, and that is not told. */
	tick_sleep_until(__real_tick_after(50 * TICK_MS));
	assert_int_equal(times("held 1 0;"), 2);
	assert_int_equal(times("started 1 0;"), 2);
	support_kill(&holder);
	wait_for_event("ended 1 0;");
	is_hasty = false;
	assert_int_equal(times("died"), 0);
	assert_int_equal(child_end(pid, 20 * TICK_S, &status), 0);
}

/* ---- what there is too little of -------------------------------------------------- */

int __real_child_fork(int (*body)(void *arg), void *arg, pid_t *pid);
int __wrap_child_fork(int (*body)(void *arg), void *arg, pid_t *pid);

/* Of the forks beyond this process, by number, those that fail; shared by all. */
static atomic_uint *forks, *failing;

int __wrap_child_fork(int (*body)(void *arg), void *arg, pid_t *pid)
{
	if (forks && body != fixture_dispatch &&
	    atomic_load(failing) & 1u << atomic_fetch_add(forks, 1))
		return -EAGAIN;
	return __real_child_fork(body, arg, pid);
}

static void make_forks_fail(unsigned int which)
{
	forks = mmap(NULL, 2 * sizeof(*forks), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(forks != MAP_FAILED);
	failing = forks + 1;
	atomic_store(failing, which);
}

static void expect_after_failed_forks(unsigned int which, const char *wanted)
{
	submit("true", 0);
	make_forks_fail(which);
	is_hasty = true;
	drain();
	is_hasty = false;
	munmap(forks, 2 * sizeof(*forks));
	forks = NULL;
	assert_string_equal(events(), wanted);
}

static void a_worker_that_cannot_be_had_is_waited_for_and_told_once(
	void **state)
{
	(void)state;
	expect_after_failed_forks(3, "found 0 1;short 0 11;started 1 0;"
				     "ended 1 0;");
}

/* The second fork is the worker's own. */
static void a_worker_that_cannot_start_its_command_is_no_attempt(void **state)
{
	(void)state;
	d.options.max_attempts = 1;
	expect_after_failed_forks(2, "found 0 1;started 1 0;short 0 11;"
				     "started 1 0;ended 1 0;");
}

/* ---- errors ----------------------------------------------------------------------- */

static int refuse(enum dispatcher_event event, const struct job *job, long n,
		  void *arg)
{
	(void)event, (void)job, (void)n, (void)arg;
	return -ENOSPC;
}

static void a_report_that_fails_ends_the_run_and_keeps_the_job(void **state)
{
	struct jobqueue queue;
	bool is_new;

	(void)state;
	submit("true", 0);
	assert_int_equal(
		jobqueue_serve(&queue, f.queue_name, CAPACITY, 1024, &is_new),
		0);
	d.options.journal = &f.journal;
	d.options.queue = &queue;
	d.options.report = refuse;
	assert_int_equal(dispatcher_run(&d.options), -ENOSPC);
	assert_int_equal(fixture_jobs(&f), 1);
	jobqueue_close(&queue);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(waiting_jobs_are_started_by_priority),
		CASE(a_job_whose_message_is_gone_is_found_in_the_journal),
		CASE(a_message_whose_job_has_ended_starts_nothing),
		CASE(a_message_that_came_twice_starts_one_job),
		CASE(messages_of_strangers_are_reported_and_dropped),
		CASE(a_job_that_is_being_submitted_is_not_touched),
		CASE(a_submitter_that_died_before_sending_has_submitted),
		CASE(a_job_without_a_message_wakes_a_free_worker),
		CASE(a_job_without_a_message_overtakes_those_that_are_less_urgent),
		CASE(aging_finds_an_old_job_deep_in_the_queue),
		CASE(an_unsound_record_is_reported_and_set_aside),
		CASE(a_record_under_the_name_of_another_is_not_run),
		CASE(a_job_that_ended_and_was_not_removed_does_not_run_again),
		CASE(what_runs_is_the_record_and_not_the_message),
		CASE(a_record_that_is_damaged_while_its_job_runs_is_set_aside),
		CASE(only_a_negative_value_of_a_report_ends_the_run),
		CASE(workers_that_die_are_counted_up_to_the_limit),
		CASE(half_a_record_is_removed_at_the_start),
		CASE(a_busy_dispatcher_does_not_linger),
		CASE(a_queue_with_jobs_wakes_no_dispatcher_that_is_busy),
		CASE(a_stop_is_no_death_of_a_worker),
		CASE(what_last_runs_left_is_ended_at_the_start),
		CASE(deaths_are_counted_over_restarts),
		CASE(aging_starts_an_old_job_before_an_urgent_one),
		CASE(a_queue_that_was_removed_is_made_anew_within_a_second),
		CASE(a_dispatcher_ends_within_a_second_when_another_has_its_name),
		CASE(a_job_whose_last_run_has_not_ended_is_held_and_told_once),
		CASE(a_burst_is_waited_for_while_it_lasts_but_not_for_ever),
		CASE(a_worker_that_cannot_be_had_is_waited_for_and_told_once),
		CASE(a_worker_that_cannot_start_its_command_is_no_attempt),
		CASE(a_report_that_fails_ends_the_run_and_keeps_the_job),
	};
	return SUPPORT_MAIN(tests);
}
