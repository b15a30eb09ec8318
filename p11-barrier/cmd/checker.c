#include "p11-barrier/cmd/checker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/out.h"
#include "p11-barrier/sysv_barrier.h"

int checker_init(struct checker *checker, unsigned int participants, FILE *out)
{
	*checker = (struct checker){
		.out = out, .participants = participants, .round = 1};
	checker->at = calloc(participants + 1, sizeof(*checker->at));
	checker->notified =
		calloc(participants + 1, sizeof(*checker->notified));
	checker->held = calloc(participants, sizeof(*checker->held));
	if (checker->at && checker->notified && checker->held)
		return 0;
	checker_fini(checker);
	return -ENOMEM;
}

void checker_fini(struct checker *checker)
{
	free(checker->at);
	free(checker->notified);
	free(checker->held);
}

static void __attribute__((format(printf, 2, 3)))
say(const struct checker *checker, const char *format, ...)
{
	va_list args;

	if (!checker->out)
		return;
	va_start(args, format);
	vfprintf(checker->out, format, args);
	va_end(args);
	fflush(checker->out);
}

static void __attribute__((format(printf, 2, 3)))
note_violation(struct checker *checker, const char *format, ...)
{
	va_list args;

	if (checker->wrong[0])
		return;
	va_start(args, format);
	vsnprintf(checker->wrong, sizeof(checker->wrong), format, args);
	va_end(args);
}

/* A participant that has not reached this round, or 0. */
static unsigned int find_behind(const struct checker *checker,
				unsigned int round)
{
	for (unsigned int i = 1; i <= checker->participants; i++)
		if (checker->at[i] < round)
			return i;
	return 0;
}

static void say_dying(struct checker *checker)
{
	say(checker, "[P%u] Killed %s barrier %u\n", checker->dying,
	    checker->is_inside ? "inside" : "before", checker->round);
	checker->dying = 0;
}

static void take_reached(struct checker *checker, unsigned int participant,
			 unsigned int round)
{
	unsigned int behind = find_behind(checker, round - 1);

	if (round != checker->at[participant] + 1)
		note_violation(checker,
			       "P%u reached barrier %u after barrier %u",
			       participant, round, checker->at[participant]);
	else if (behind)
		note_violation(
			checker,
			"P%u reached barrier %u before P%u reached barrier %u",
			participant, round, behind, round - 1);
	checker->at[participant] = round;
	/* It may be ahead of the news that the others have passed: its line
	 * comes after theirs. */
	if (round > checker->round && checker->n_held < checker->participants)
		checker->held[checker->n_held++] = participant;
	else
		say(checker, "[P%u] Reached barrier %u\n", participant, round);
}

static void end_round(struct checker *checker)
{
	say(checker, "--- All processes passed barrier %u ---\n",
	    checker->round);
	if (checker->serial != 1)
		note_violation(checker, "%u serial participants at barrier %u",
			       checker->serial, checker->round);
	checker->round++;
	checker->passed = 0;
	checker->serial = 0;
	for (unsigned int i = 0; i < checker->n_held; i++)
		say(checker, "[P%u] Reached barrier %u\n", checker->held[i],
		    checker->round);
	checker->n_held = 0;
	if (checker->dying)
		say_dying(checker);
}

static void take_passed(struct checker *checker, unsigned int participant,
			unsigned int round, bool is_serial)
{
	unsigned int behind = find_behind(checker, round);

	if (behind)
		note_violation(checker,
			       "P%u passed barrier %u before P%u reached it",
			       participant, round, behind);
	else if (round != checker->round)
		note_violation(checker,
			       "P%u passed barrier %u during barrier %u",
			       participant, round, checker->round);
	checker->passed++;
	checker->serial += is_serial;
	if (checker->passed == checker->participants)
		end_round(checker);
}

static void take_failed(struct checker *checker,
			const struct checker_record *record)
{
	char buf[16];
	int64_t span_ns = record->at_ns - checker->died_ns;

	checker->notified[record->participant] = true;
	if (record->error != SYSV_BARRIER_BROKEN) {
		checker->failed++;
		if (!checker->error)
			checker->error = record->error;
		return;
	}
	checker->broken++;
	if (checker->slowest_ns < span_ns)
		checker->slowest_ns = span_ns;
	if (checker->died_ns)
		say(checker, "[P%u] Barrier %u is BROKEN (after %s)\n",
		    record->participant, record->round,
		    out_duration((double)span_ns, buf, sizeof(buf)));
	else
		say(checker, "[P%u] Barrier %u is BROKEN\n",
		    record->participant, record->round);
}

int checker_take(struct checker *checker, const struct checker_record *record)
{
	if (record->participant < 1 ||
	    record->participant > checker->participants || record->round < 1)
		return -EBADMSG;
	switch (record->kind) {
	case CHECKER_REACHED:
		take_reached(checker, record->participant, record->round);
		return 0;
	case CHECKER_PASSED:
	case CHECKER_SERIAL:
		take_passed(checker, record->participant, record->round,
			    record->kind == CHECKER_SERIAL);
		return 0;
	case CHECKER_DYING:
	case CHECKER_DYING_INSIDE:
		checker->is_inside = record->kind == CHECKER_DYING_INSIDE;
		checker->died_ns = record->at_ns;
		checker->dying = record->participant;
		if (record->round == checker->round)
			say_dying(checker);
		return 0;
	case CHECKER_FAILED:
		take_failed(checker, record);
		return 0;
	default:
		return -EBADMSG;
	}
}

static unsigned int latest_round(const struct checker *checker)
{
	unsigned int round = 0;

	for (unsigned int i = 1; i <= checker->participants; i++)
		if (checker->at[i] > round)
			round = checker->at[i];
	return round;
}

bool checker_heard_all(const struct checker *checker)
{
	unsigned int round = latest_round(checker);

	for (unsigned int i = 1; i <= checker->participants; i++)
		if (checker->at[i] == round && !checker->notified[i])
			return false;
	return true;
}

/* "P1, P2", up to five of those who were told or were not. */
static void list_participants(const struct checker *checker, bool is_notified,
			      FILE *to)
{
	unsigned int n = 0;

	for (unsigned int i = 1; i <= checker->participants; i++) {
		if (checker->notified[i] != is_notified)
			continue;
		if (n < 5)
			fprintf(to, "%sP%u", n ? ", " : "", i);
		n++;
	}
	if (n > 5)
		fprintf(to, " and %u more", n - 5);
	if (n == 0)
		fputs("nobody", to);
}

const char *checker_describe(const struct checker *checker, char *buf,
			     size_t size)
{
	FILE *to = fmemopen(buf, size, "w");

	buf[0] = '\0';
	if (!to)
		return buf;
	list_participants(checker, true, to);
	fprintf(to, " waited at barrier %u for ", latest_round(checker));
	list_participants(checker, false, to);
	fclose(to);
	buf[size - 1] = '\0';
	return buf;
}
