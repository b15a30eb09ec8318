#include "p11-barrier/cmd/referee.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/out.h"
#include "p11-barrier/sysv_barrier.h"

int referee_init(struct referee *referee, unsigned int members, FILE *out)
{
	*referee = (struct referee){.out = out, .members = members, .round = 1};
	referee->at = calloc(members + 1, sizeof(*referee->at));
	referee->told = calloc(members + 1, sizeof(*referee->told));
	referee->held = calloc(members, sizeof(*referee->held));
	if (referee->at && referee->told && referee->held)
		return 0;
	referee_fini(referee);
	return -ENOMEM;
}

void referee_fini(struct referee *referee)
{
	free(referee->at);
	free(referee->told);
	free(referee->held);
}

static void __attribute__((format(printf, 2, 3)))
say(const struct referee *referee, const char *format, ...)
{
	va_list args;

	if (!referee->out)
		return;
	va_start(args, format);
	vfprintf(referee->out, format, args);
	va_end(args);
	fflush(referee->out);
}

static void __attribute__((format(printf, 2, 3)))
object(struct referee *referee, const char *format, ...)
{
	va_list args;

	if (referee->wrong[0])
		return;
	va_start(args, format);
	vsnprintf(referee->wrong, sizeof(referee->wrong), format, args);
	va_end(args);
}

/* Somebody who has not reached this round, or 0. */
static unsigned int find_behind(const struct referee *referee,
				unsigned int round)
{
	for (unsigned int i = 1; i <= referee->members; i++)
		if (referee->at[i] < round)
			return i;
	return 0;
}

static void say_dying(struct referee *referee)
{
	say(referee, "[P%u] Killed %s barrier %u\n", referee->dying,
	    referee->is_inside ? "inside" : "before", referee->round);
	referee->dying = 0;
}

static void take_reached(struct referee *referee, unsigned int member,
			 unsigned int round)
{
	unsigned int behind = find_behind(referee, round - 1);

	if (round != referee->at[member] + 1)
		object(referee, "P%u reached barrier %u after barrier %u",
		       member, round, referee->at[member]);
	else if (behind)
		object(referee,
		       "P%u reached barrier %u before P%u reached barrier %u",
		       member, round, behind, round - 1);
	referee->at[member] = round;
	/* It may be ahead of the news that the others have passed: its line
	 * comes after theirs. */
	if (round > referee->round && referee->n_held < referee->members)
		referee->held[referee->n_held++] = member;
	else
		say(referee, "[P%u] Reached barrier %u\n", member, round);
}

static void end_round(struct referee *referee)
{
	say(referee, "--- All processes passed barrier %u ---\n",
	    referee->round);
	if (referee->serial != 1)
		object(referee, "%u serial members at barrier %u",
		       referee->serial, referee->round);
	referee->round++;
	referee->passed = 0;
	referee->serial = 0;
	for (unsigned int i = 0; i < referee->n_held; i++)
		say(referee, "[P%u] Reached barrier %u\n", referee->held[i],
		    referee->round);
	referee->n_held = 0;
	if (referee->dying)
		say_dying(referee);
}

static void take_passed(struct referee *referee, unsigned int member,
			unsigned int round, bool is_serial)
{
	unsigned int behind = find_behind(referee, round);

	if (behind)
		object(referee, "P%u passed barrier %u before P%u reached it",
		       member, round, behind);
	else if (round != referee->round)
		object(referee, "P%u passed barrier %u during barrier %u",
		       member, round, referee->round);
	referee->passed++;
	referee->serial += is_serial;
	if (referee->passed == referee->members)
		end_round(referee);
}

static void take_failed(struct referee *referee,
			const struct referee_record *record)
{
	char buf[16];
	int64_t span_ns = record->at_ns - referee->died_ns;

	referee->told[record->member] = true;
	if (record->error != SYSV_BARRIER_BROKEN) {
		referee->failed++;
		if (!referee->error)
			referee->error = record->error;
		return;
	}
	referee->broken++;
	if (referee->slowest_ns < span_ns)
		referee->slowest_ns = span_ns;
	if (referee->died_ns)
		say(referee, "[P%u] Barrier %u is BROKEN (after %s)\n",
		    record->member, record->round,
		    out_duration((double)span_ns, buf, sizeof(buf)));
	else
		say(referee, "[P%u] Barrier %u is BROKEN\n", record->member,
		    record->round);
}

int referee_take(struct referee *referee, const struct referee_record *record)
{
	if (record->member < 1 || record->member > referee->members ||
	    record->round < 1)
		return -EBADMSG;
	switch (record->kind) {
	case REFEREE_REACHED:
		take_reached(referee, record->member, record->round);
		return 0;
	case REFEREE_PASSED:
	case REFEREE_SERIAL:
		take_passed(referee, record->member, record->round,
			    record->kind == REFEREE_SERIAL);
		return 0;
	case REFEREE_DYING:
	case REFEREE_DYING_INSIDE:
		referee->is_inside = record->kind == REFEREE_DYING_INSIDE;
		referee->died_ns = record->at_ns;
		referee->dying = record->member;
		if (record->round == referee->round)
			say_dying(referee);
		return 0;
	case REFEREE_FAILED:
		take_failed(referee, record);
		return 0;
	default:
		return -EBADMSG;
	}
}

static unsigned int latest_round(const struct referee *referee)
{
	unsigned int round = 0;

	for (unsigned int i = 1; i <= referee->members; i++)
		if (referee->at[i] > round)
			round = referee->at[i];
	return round;
}

bool referee_heard_all(const struct referee *referee)
{
	unsigned int round = latest_round(referee);

	for (unsigned int i = 1; i <= referee->members; i++)
		if (referee->at[i] == round && !referee->told[i])
			return false;
	return true;
}

/* "P1, P2", up to five of those who were told or were not. */
static void list_members(const struct referee *referee, bool is_told, FILE *to)
{
	unsigned int n = 0;

	for (unsigned int i = 1; i <= referee->members; i++) {
		if (referee->told[i] != is_told)
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

const char *referee_describe(const struct referee *referee, char *buf,
			     size_t size)
{
	FILE *to = fmemopen(buf, size, "w");

	buf[0] = '\0';
	if (!to)
		return buf;
	list_members(referee, true, to);
	fprintf(to, " waited at barrier %u for ", latest_round(referee));
	list_members(referee, false, to);
	fclose(to);
	buf[size - 1] = '\0';
	return buf;
}
