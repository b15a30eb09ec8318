/* A job as a message, the order of jobs, and those that are pending. */
#include "p04-posix-mq/job.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p04-posix-mq/scheduler.h"

static struct job *make(uint64_t id, uint32_t priority, int64_t submitted)
{
	struct job *job;

	assert_int_equal(job_new("true", priority, &job), 0);
	job->id = id;
	job->submitted = submitted;
	return job;
}

static void a_new_job_is_sound_once_it_has_an_id(void **state)
{
	struct job *job;

	(void)state;
	assert_int_equal(job_new("echo hello", 31, &job), 0);
	assert_int_equal(job_bytes(job), sizeof(*job) + 11);
	assert_int_equal(job_check(job, job_bytes(job)), -EBADMSG);
	job->id = 1;
	assert_int_equal(job_check(job, job_bytes(job)), 0);
	assert_true(job->submitted > INT64_C(1700000000000000000));
	free(job);
}

/* The message with another head is refused. */
static void refused_as(const struct job *job, const struct job *head)
{
	struct job *lie = job_copy(job);

	memcpy(lie, head, sizeof(*head));
	assert_int_equal(job_check(lie, job_bytes(job)), -EBADMSG);
	free(lie);
}

static void a_message_with_any_lie_in_it_is_refused(void **state)
{
	struct job *job = make(1, 0, 0), lie = *job;

	(void)state;
	assert_int_equal(job_check(job, job_bytes(job)), 0);
	lie.magic++;
	refused_as(job, &lie);
	lie = *job, lie.version++;
	refused_as(job, &lie);
	lie = *job, lie.id = 0;
	refused_as(job, &lie);
	lie = *job, lie.submitted = -1;
	refused_as(job, &lie);
	lie = *job, lie.priority = JOB_PRIORITIES;
	refused_as(job, &lie);
	for (uint32_t length = 0; length < 8; length++) {
		lie = *job, lie.length = length;
		if (length != job->length)
			refused_as(job, &lie);
	}
	lie.length = UINT32_MAX;
	refused_as(job, &lie);
	for (size_t n = 0; n < job_bytes(job); n++)
		assert_int_equal(job_check(job, n), -EBADMSG);
	free(job);
}

static void a_command_without_its_nul_or_without_text_is_refused(void **state)
{
	struct job *job = make(1, 0, 0);

	(void)state;
	job->command[4] = 'x';
	assert_int_equal(job_check(job, job_bytes(job)), -EBADMSG);
	job->command[4] = '\0';
	assert_int_equal(job_check(job, job_bytes(job)), 0);
	job->command[0] = '\0';
	assert_int_equal(job_check(job, job_bytes(job)), -EBADMSG);
	job->length = 1;
	assert_int_equal(job_check(job, job_bytes(job)), -EBADMSG);
	free(job);
}

static void a_command_of_a_megabyte_is_too_long(void **state)
{
	char *command = malloc(JOB_COMMAND_MAX + 1);
	struct job *job;

	(void)state;
	memset(command, 'x', JOB_COMMAND_MAX);
	command[JOB_COMMAND_MAX] = '\0';
	assert_int_equal(job_new(command, 0, &job), -EMSGSIZE);
	command[JOB_COMMAND_MAX - 1] = '\0';
	assert_int_equal(job_new(command, 0, &job), 0);
	free(job);
	free(command);
}

static void a_description_is_one_line_and_cut_to_fit(void **state)
{
	struct job *job;
	char text[12];

	(void)state;
	assert_int_equal(job_new("a\nb\033\177c", 0, &job), 0);
	assert_string_equal(job_describe(job, text, sizeof(text)), "a?b??c");
	free(job);
	assert_int_equal(job_new("exactly ele", 0, &job), 0);
	assert_string_equal(job_describe(job, text, sizeof(text)),
			    "exactly ele");
	free(job);
	assert_int_equal(job_new("one too many", 0, &job), 0);
	assert_string_equal(job_describe(job, text, sizeof(text)),
			    "one too ...");
	free(job);
	/* Of a letter that is cut nothing is left. */
	assert_int_equal(
		job_new("gr\xc3\xbc\xc3\x9f\x65 \xc3\xbc many", 0, &job), 0);
	assert_string_equal(job_describe(job, text, sizeof(text)),
			    "gr\xc3\xbc\xc3\x9f\x65 ...");
	assert_string_equal(job_describe(job, text, sizeof(text) - 3),
			    "gr\xc3\xbc?...");
	free(job);
}

/* ---- order ------------------------------------------------------------------- */

static void without_aging_priority_decides_and_then_age(void **state)
{
	struct job *old = make(1, 0, 0);
	struct job *urgent = make(2, 31, TICK_S);
	struct job *same = make(3, 31, 0);

	(void)state;
	assert_true(job_precedes(urgent, old, 0));
	assert_false(job_precedes(old, urgent, 0));
	assert_true(job_precedes(urgent, same, 0));
	assert_false(job_precedes(urgent, urgent, 0));
	free(old);
	free(urgent);
	free(same);
}

static void with_aging_a_priority_is_worth_so_much_time(void **state)
{
	struct job *old = make(1, 0, 0);
	struct job *just = make(2, 31, 31 * TICK_S - 1);
	struct job *late = make(3, 31, 31 * TICK_S + 1);
	struct job *equal = make(4, 31, 31 * TICK_S);

	(void)state;
	/* Of equals the older. */
	assert_true(job_precedes(old, equal, TICK_S));
	assert_false(job_precedes(equal, old, TICK_S));
	assert_true(job_precedes(just, old, TICK_S));
	assert_true(job_precedes(old, late, TICK_S));
	assert_true(job_precedes(just, late, TICK_S));
	free(old);
	free(just);
	free(late);
	free(equal);
}

static void the_extremes_of_aging_do_not_overflow(void **state)
{
	struct job *first = make(1, JOB_PRIORITIES - 1, 0);
	struct job *last = make(2, 0, INT64_MAX);

	(void)state;
	assert_true(job_precedes(first, last, JOB_AGING_MAX_NS));
	assert_false(job_precedes(last, first, JOB_AGING_MAX_NS));
	free(first);
	free(last);
}

/* ---- pending -------------------------------------------------------------------- */

static void pending_jobs_start_in_their_order(void **state)
{
	static const uint32_t priorities[] = {3, 31, 0, 7, 31, 0, 3};
	static const uint64_t order[] = {2, 5, 4, 1, 7, 3, 6};
	struct scheduler s = {.n = 0};

	(void)state;
	for (uint64_t i = 0; i < 7; i++)
		assert_int_equal(
			scheduler_add(&s, make(i + 1, priorities[i], 0)), 0);
	for (int i = 0; i < 7; i++) {
		assert_int_equal(scheduler_ready(&s), 7 - i);
		assert_int_equal(scheduler_take(&s)->id, order[i]);
	}
	assert_null(scheduler_take(&s));
	assert_int_equal(s.n, 7); /* they run */
	scheduler_close(&s);
}

static void a_job_is_known_while_it_runs_and_forgotten_when_dropped(
	void **state)
{
	struct scheduler s = {.n = 0};

	(void)state;
	assert_int_equal(scheduler_find(&s, 1), SCHEDULER_NONE);
	for (uint64_t id = 1; id <= 40; id++)
		assert_int_equal(scheduler_add(&s, make(id, 0, 0)), 0);
	assert_int_equal(scheduler_find(&s, 1), SCHEDULER_WAITING);
	assert_int_equal(scheduler_take(&s)->id, 1);
	assert_int_equal(scheduler_find(&s, 1), SCHEDULER_RUNNING);
	scheduler_put_back(&s, 1);
	assert_int_equal(scheduler_find(&s, 1), SCHEDULER_WAITING);
	assert_int_equal(scheduler_ready(&s), 40);
	assert_int_equal(scheduler_take(&s)->id, 1);
	scheduler_drop(&s, 1);
	assert_int_equal(scheduler_find(&s, 1), SCHEDULER_NONE);
	scheduler_drop(&s, 1);
	assert_int_equal(s.n, 39);
	assert_int_equal(scheduler_ready(&s), 39);
	scheduler_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_job_is_sound_once_it_has_an_id),
		cmocka_unit_test(a_message_with_any_lie_in_it_is_refused),
		cmocka_unit_test(
			a_command_without_its_nul_or_without_text_is_refused),
		cmocka_unit_test(a_command_of_a_megabyte_is_too_long),
		cmocka_unit_test(a_description_is_one_line_and_cut_to_fit),
		cmocka_unit_test(without_aging_priority_decides_and_then_age),
		cmocka_unit_test(with_aging_a_priority_is_worth_so_much_time),
		cmocka_unit_test(the_extremes_of_aging_do_not_overflow),
		cmocka_unit_test(pending_jobs_start_in_their_order),
		cmocka_unit_test(
			a_job_is_known_while_it_runs_and_forgotten_when_dropped),
	};
	return SUPPORT_MAIN(tests);
}
