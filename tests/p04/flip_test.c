/* Bits of the journal that a disk changes: whichever it is, no other command
 * runs, and no job goes without a word. */
#include "p04-posix-mq/durable/journal.h"

#include "tests/p04/fixture.h"

#include <errno.h>
#include <fcntl.h>

static struct fixture f;
static struct fixture_dispatcher d;
static int record, events;

static int setup(void **state)
{
	(void)state;
	fixture_make(&f);
	fixture_make_queue(&f);
	assert_int_equal(fixture_submit(&f, &f.journal, "echo one; exit 9", 5),
			 1);
	record = record_open(f.journal.dir, 1);
	assert_true(record >= 0);
	events = open(scratch_path(&f.scratch, "events"),
		      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	d = (struct fixture_dispatcher){
		.f = &f, .options = fixture_options, .events = events};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(events);
	close(record);
	fixture_remove(&f);
	return 0;
}

static off_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

/* Bit n of a file; the same again takes it back. */
static void flip(int fd, off_t n)
{
	unsigned char byte;

	assert_int_equal(pread(fd, &byte, 1, n / 8), 1);
	byte = (unsigned char)(byte ^ 1U << n % 8);
	assert_int_equal(pwrite(fd, &byte, 1, n / 8), 1);
}

static void any_bit_of_a_record_makes_it_unsound(void **state)
{
	struct record_head head;
	struct job *job;

	(void)state;
	for (off_t bit = 0; bit < 8 * size_of(record); bit++) {
		flip(record, bit);
		if (record_read(record, &head, NULL) != -EBADMSG)
			fail_msg("bit %d goes unnoticed", (int)bit);
		flip(record, bit);
	}
	assert_int_equal(record_read(record, &head, &job), 0);
	assert_string_equal(job->command, "echo one; exit 9");
	free(job);
}

static void nothing_is_noted_in_a_record_that_is_unsound(void **state)
{
	const struct identity_process leader = {.pid = 7};
	struct record_head head;

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(head); bit++) {
		flip(record, (off_t)bit);
		assert_int_equal(record_note_group(record, &leader), -EBADMSG);
		assert_int_equal(record_note_attempts(record, 2), -EBADMSG);
		assert_int_equal(record_note_outcome(record, RECORD_FAILED),
				 -EBADMSG);
		flip(record, (off_t)bit);
	}
	assert_int_equal(record_read(record, &head, NULL), 0);
	assert_int_equal(head.leader.pid, 0);
	assert_int_equal(head.outcome, RECORD_PENDING);
}

/* What a dispatcher has said of this journal, which it starts with. */
static void assert_set_aside(off_t bit)
{
	char text[64] = "";

	assert_int_equal(ftruncate(events, 0), 0);
	assert_int_equal(fixture_drain(&d, 60000), 0);
	assert_true(pread(events, text, sizeof(text) - 1, 0) >= 0);
	if (strcmp(text, "unsound 0 1\n") != 0)
		fail_msg("bit %d: the dispatcher says '%s'", (int)bit, text);
	assert_int_equal(
		renameat(f.journal.dir, "1.bad", f.journal.dir, "1.job"), 0);
}

static void a_job_with_any_byte_changed_is_set_aside_and_not_run(void **state)
{
	/* In valgrind each dispatcher takes a second. */
	const off_t step = support_is_valgrind() ? 8 * 7 : 8;
	off_t bit;

	(void)state;
	for (off_t byte = 0; byte < 8 * size_of(record); byte += step) {
		bit = byte + byte / 8 % 8;
		flip(record, bit);
		assert_set_aside(bit);
		flip(record, bit);
	}
}

static void any_bit_of_the_head_refuses_the_journal(void **state)
{
	struct journal journal;
	uint64_t id;
	int error;

	(void)state;
	for (off_t bit = 0; bit < 8 * size_of(f.journal.head); bit++) {
		flip(f.journal.head, bit);
		error = journal_open(&journal, f.path, true);
		if (error != -EBADMSG && error != -EPROTONOSUPPORT)
			fail_msg("bit %d of the head: %d", (int)bit, error);
		/* Also for who has opened it before. */
		assert_int_not_equal(journal_next_id(&f.journal, &id), 0);
		assert_int_not_equal(journal_last_id(&f.journal, &id), 0);
		flip(f.journal.head, bit);
	}
	assert_int_equal(journal_next_id(&f.journal, &id), 0);
	assert_int_equal(id, 2);
}

static void without_its_head_a_journal_goes_on_behind_its_jobs(void **state)
{
	struct journal journal;
	uint64_t id;

	(void)state;
	assert_int_equal(unlinkat(f.journal.dir, "head", 0), 0);
	scratch_write(&f.scratch, "journal/41.bad", "x", 1);
	assert_int_equal(journal_open(&journal, f.path, true), 0);
	assert_int_equal(journal_next_id(&journal, &id), 0);
	assert_int_equal(id, 42);
	journal_close(&journal);
	/* Its message says another journal; the record is what counts. */
	assert_int_equal(fixture_drain(&d, 60000), 0);
	assert_int_equal(fixture_jobs(&f), 0);
	assert_int_equal(fixture_count(&f, "events", "ended 1 9"), 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(any_bit_of_a_record_makes_it_unsound),
		CASE(nothing_is_noted_in_a_record_that_is_unsound),
		CASE(a_job_with_any_byte_changed_is_set_aside_and_not_run),
		CASE(any_bit_of_the_head_refuses_the_journal),
		CASE(without_its_head_a_journal_goes_on_behind_its_jobs),
	};
	return SUPPORT_MAIN(tests);
}
