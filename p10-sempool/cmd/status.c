#include "p10-sempool/cmd/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "lib/cmd/out.h"
#include "lib/tick.h"

/* The moment of the monotonic clock on the wall clock, in ns. */
static int64_t wall_time(int64_t moment)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return tick_from_timespec(now) - (tick_now() - moment);
}

/* ---- for people ---- */

static const char *describe_state(const struct sempool_owner *owner)
{
	if (!owner->is_alive)
		return "dead";
	return owner->pid ? "alive" : "left";
}

static void add_row(struct out_table *table, const char *what,
		    const struct sempool_owner *owner)
{
	time_t since = (time_t)(wall_time(owner->since_ns) / TICK_S);
	char clock[32] = "?", age[32];
	struct tm tm;

	if (localtime_r(&since, &tm))
		strftime(clock, sizeof(clock), "%F %T", &tm);
	out_table_row(table);
	out_table_cell(table, "%s", what);
	if (owner->pid)
		out_table_cell(table, "%d", (int)owner->pid);
	else
		out_table_cell(table, "-");
	out_table_cell(table, "%s", describe_state(owner));
	out_table_cell(table, "%s", clock);
	out_table_cell(table, "%s",
		       out_duration((double)(tick_now() - owner->since_ns), age,
				    sizeof(age)));
}

static int print_table(const struct sempool *pool, unsigned int *waiters)
{
	static const struct out_column columns[] = {
		{"Connection", OUT_LEFT}, {"Process", OUT_RIGHT},
		{"State", OUT_LEFT},      {"Since", OUT_LEFT},
		{"For", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct sempool_owner owner;
	unsigned int rows = 0;
	char what[16];
	int error = 0;

	if (!table)
		return -ENOMEM;
	for (unsigned int i = 0; i < pool->slots + SEMPOOL_WAITERS; i++) {
		bool is_slot = i < pool->slots;

		if (!sempool_look_at(pool, i, &owner))
			continue;
		snprintf(what, sizeof(what), "%u", i + 1);
		/* Of dead waiters there is nothing to see. */
		if (is_slot || owner.is_alive) {
			add_row(table, is_slot ? what : "waits", &owner);
			rows++;
			*waiters += !is_slot;
		}
	}
	if (rows > 0)
		error = out_table_print(table, stdout);
	out_table_free(table);
	return error;
}

static int print_text(const struct sempool *pool)
{
	struct sempool_state state;
	unsigned int waiters = 0;
	int error;

	sempool_look(pool, &state);
	printf("Pool %s: %u of %u connections available, ", pool->name,
	       state.free, state.slots);
	if (state.manager)
		printf("managed by process %d\n", (int)state.manager);
	else
		printf("no manager is running\n");
	error = print_table(pool, &waiters);
	printf("Waiting: %u, lent: %" PRIu64 ", reclaimed: %" PRIu64 "\n",
	       waiters, state.lent, state.reclaimed);
	return error;
}

/* ---- for programs ---- */

static json_t *describe(const struct sempool_owner *owner)
{
	return json_pack("{s:o, s:b, s:f, s:f}", "pid",
			 owner->pid ? json_integer(owner->pid) : json_null(),
			 "alive", (int)owner->is_alive, "since",
			 (double)wall_time(owner->since_ns) / 1e9, "seconds",
			 (double)(tick_now() - owner->since_ns) / 1e9);
}

static int print_json(const struct sempool *pool)
{
	json_t *owners = json_array(), *waiters = json_array();
	struct sempool_owner owner;
	struct sempool_state state;

	sempool_look(pool, &state);
	for (unsigned int i = 0; i < pool->slots + SEMPOOL_WAITERS; i++) {
		json_t *row;

		if (!sempool_look_at(pool, i, &owner) ||
		    (i >= pool->slots && !owner.is_alive))
			continue;
		row = describe(&owner);
		if (i >= pool->slots) {
			json_array_append_new(waiters, row);
			continue;
		}
		json_object_set_new(row, "connection",
				    json_integer((json_int_t)i + 1));
		json_array_append_new(owners, row);
	}
	return out_json(
		json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:I, s:I, s:o, s:o}",
			  "schema", "unixipc-pool/1", "name", pool->name,
			  "connections", (int)state.slots, "available",
			  (int)state.free, "semaphore", (int)state.units,
			  "manager",
			  state.manager ? json_integer(state.manager)
					: json_null(),
			  "lent", (json_int_t)state.lent, "reclaimed",
			  (json_int_t)state.reclaimed, "holders", owners,
			  "waiters", waiters),
		stdout);
}

int status_print(const struct sempool *pool, bool as_json)
{
	return as_json ? print_json(pool) : print_text(pool);
}
