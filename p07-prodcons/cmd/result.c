#include "p07-prodcons/cmd/result.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/cmd/out.h"
#include "lib/tick.h"

typedef unsigned long long number; /* for printf */

void result_print_title(const struct role_plan *plan, uint32_t buffer_size)
{
	printf("Producer-Consumer Simulation\n"
	       "Buffer size: %u, Producers: %u, Consumers: %u, Items: %llu\n",
	       buffer_size, plan->members[ROLE_PRODUCER],
	       plan->members[ROLE_CONSUMER], (number)plan->items);
	/* Members write past this buffer, and inherit it. */
	fflush(stdout);
}

int result_collect(struct result *result, struct crew *crew)
{
	int error;

	result->end_ns = tick_now();
	error = crew_reap(crew, &result->deaths);
	if (!error)
		error = bounded_look(&crew->buffer, &result->figures,
				     tick_after(TICK_S));
	/* The buffer may be the one thing that is broken. */
	if (error == -EBADMSG)
		error = 0;
	audit_judge(crew->audit, &result->deaths, &result->verdict);
	return error;
}

/* ---- who did not come to the end ---- */

static bool is_killed(const struct crew *crew, const struct crew_member *member)
{
	return crew->uses_processes && WIFSIGNALED(member->status);
}

/* Its error, or 0; of one that was killed, too. */
static int error_of(const struct crew_member *member)
{
	return atomic_load(&member->role.slot->error);
}

static const char *reason_of(const struct crew_member *member)
{
	int error = error_of(member);

	return error == -EBADMSG ? "the buffer is damaged" : strerror(-error);
}

static void print_fate(const struct crew *crew,
		       const struct crew_member *member)
{
	bool is_producer = member->role.kind == ROLE_PRODUCER;
	number done = atomic_load(&member->role.slot->done);
	char name[16], how[64];

	crew_name(member, name, sizeof(name));
	if (is_killed(crew, member))
		child_describe(member->status, how, sizeof(how));
	else if (error_of(member) == -EPIPE)
		snprintf(how, sizeof(how), "gave up: no consumer was left");
	else if (error_of(member))
		snprintf(how, sizeof(how), "failed: %s", reason_of(member));
	else
		return;
	if (is_producer)
		printf("%s %s; it had produced %llu of %llu items\n", name, how,
		       done,
		       (number)audit_share(crew->audit, member->role.number));
	else
		printf("%s %s; it had consumed %llu items\n", name, how, done);
}

/* ---- what is missing ---- */

static uint64_t lost(const struct audit_verdict *verdict)
{
	return verdict->unmade.count + verdict->unput.count +
	       verdict->gone.count;
}

static void print_loss(const struct audit_loss *loss, const char *how)
{
	uint64_t listed =
		loss->count < AUDIT_LISTED ? loss->count : AUDIT_LISTED;

	if (loss->count == 0)
		return;
	printf("Lost: %llu %s (item", (number)loss->count, how);
	for (uint64_t i = 0; i < listed; i++)
		printf("%s %llu", i ? "," : "", (number)loss->number[i]);
	printf("%s)\n", listed < loss->count ? ", …" : "");
}

/* A member that failed by itself, and not for want of a partner. */
static const struct crew_member *find_failed(const struct crew *crew)
{
	for (uint32_t i = 0; i < crew->members; i++) {
		int error = error_of(&crew->member[i]);

		if (error && error != -EPIPE &&
		    !is_killed(crew, &crew->member[i]))
			return &crew->member[i];
	}
	return NULL;
}

static uint32_t count_killed(const struct crew *crew)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < crew->members; i++)
		n += is_killed(crew, &crew->member[i]);
	return n;
}

/* In a line; whether it is a good one. Who was killed has not done its work,
 * even if the others made up for it. */
static bool conclude(const struct result *result, const struct crew *crew,
		     char *line, size_t size)
{
	const struct audit_verdict *verdict = &result->verdict;
	const struct crew_member *failed = find_failed(crew);
	uint32_t killed = count_killed(crew);
	number items = crew->plan.items;
	char name[16];

	if (verdict->wrong[0])
		snprintf(line, size, "%s", verdict->wrong);
	else if (failed)
		snprintf(line, size, "%s failed: %s",
			 crew_name(failed, name, sizeof(name)),
			 reason_of(failed));
	else if (!verdict->is_explained)
		snprintf(line, size,
			 "%llu of %llu items are missing, and no death "
			 "explains it",
			 (number)lost(verdict), items);
	else if (lost(verdict))
		snprintf(line, size, "%llu of %llu items were lost",
			 (number)lost(verdict), items);
	else if (killed)
		snprintf(line, size,
			 "%u of %u members were killed; no item was lost",
			 killed, crew->members);
	else {
		snprintf(line, size,
			 "All items produced and consumed correctly");
		return true;
	}
	return false;
}

/* ---- printing ---- */

bool result_print(const struct result *result, const struct crew *crew)
{
	const struct audit_verdict *verdict = &result->verdict;
	char line[256];
	bool is_right = conclude(result, crew, line, sizeof(line));

	printf("Statistics:\n"
	       "Total produced: %llu\n"
	       "Total consumed: %llu\n"
	       "Buffer empty waits: %llu\n"
	       "Buffer full waits: %llu\n",
	       (number)verdict->produced, (number)verdict->consumed,
	       (number)result->figures.empty_waits,
	       (number)result->figures.full_waits);
	for (uint32_t i = 0; i < crew->members; i++)
		print_fate(crew, &crew->member[i]);
	if (result->figures.mended)
		printf("Locks left by the dead, and mended: %llu\n",
		       (number)result->figures.mended);
	print_loss(&verdict->unmade, "not produced");
	print_loss(&verdict->unput, "being put into the buffer");
	print_loss(&verdict->gone, "put, but not consumed");
	printf("%s: %s\n", is_right ? "PASS" : "FAIL", line);
	return is_right;
}

/* Those who did not come to the end. */
static json_t *fates(const struct crew *crew)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < crew->members; i++) {
		const struct crew_member *member = &crew->member[i];
		bool is_signal = is_killed(crew, member);
		char name[16];

		if (!is_signal && !error_of(member))
			continue;
		json_array_append_new(
			list,
			json_pack("{s:s, s:i, s:i, s:I}", "member",
				  crew_name(member, name, sizeof(name)),
				  "signal",
				  is_signal ? WTERMSIG(member->status) : 0,
				  "errno", -error_of(member), "done",
				  (json_int_t)atomic_load(
					  &member->role.slot->done)));
	}
	return list;
}

bool result_print_json(const struct result *result, const struct crew *crew)
{
	const struct audit_verdict *verdict = &result->verdict;
	const struct bounded_figures *figures = &result->figures;
	const struct role_plan *plan = &crew->plan;
	char line[256];
	bool is_right = conclude(result, crew, line, sizeof(line));
	json_t *json = json_pack(
		"{s:s, s:b, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:f,"
		" s:{s:I, s:I, s:I}, s:o, s:b, s:s}",
		"schema", "unixipc-prodcons/1", "processes",
		crew->uses_processes, "producers",
		(int)plan->members[ROLE_PRODUCER], "consumers",
		(int)plan->members[ROLE_CONSUMER], "buffer_size",
		(int)crew->buffer.capacity, "items", (json_int_t)plan->items,
		"produced", (json_int_t)verdict->produced, "consumed",
		(json_int_t)verdict->consumed, "empty_waits",
		(json_int_t)figures->empty_waits, "full_waits",
		(json_int_t)figures->full_waits, "mended",
		(json_int_t)figures->mended, "seconds",
		(double)(result->end_ns - result->start_ns) / TICK_S, "lost",
		"not_produced", (json_int_t)verdict->unmade.count, "being_put",
		(json_int_t)verdict->unput.count, "not_consumed",
		(json_int_t)verdict->gone.count, "ended_early", fates(crew),
		"pass", is_right, "verdict", line);

	return out_json(json, stdout) == 0 && is_right;
}
