/* pool_manager - makes a pool of connections, or takes one over, looks after
 * dead workers, and removes the pool when it is told to stop. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p10-sempool/cmd/status.h"
#include "p10-sempool/cmd/target.h"
#include "p10-sempool/sempool.h"

/* So long nobody holds or waits until we say that all workers are done. */
#define QUIET_NS (300 * TICK_MS)

struct settings {
	const char *name;
	unsigned int slots; /* 0: none given */
	bool is_status, as_json;
};

enum { SLOTS = 5 };

static const char doc[] =
	"Lend a number of connections to workers, until SIGINT, SIGTERM or SIGHUP.\v"
	"Examples:\n"
	"  ./pool_manager --max-connections=5\n"
	"  ./pool_manager --status\n\n"
	"Exit status: 0 done, 1 failed, 2 usage.";

static void parse(struct settings *s, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_COUNT("max-connections", 'm', "N", &s->slots, 1,
			  SEMPOOL_MAX,
			  "How many there are: 1 to 1024 (default 5)"),
		TARGET_OPTION(&s->name),
		CLI_ON("status", 0, &s->is_status,
		       "Print who holds a connection and who waits, and end"),
		CLI_ON("json", 0, &s->as_json, "The same as JSON"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	target_check(s->name);
	s->is_status |= s->as_json;
}

/* ---- --status ---- */

static int print_status(const struct settings *s)
{
	struct sempool pool;
	int error = sempool_open(&pool, s->name, 0);

	if (error)
		target_die(s->name, error);
	error = status_print(&pool, s->as_json);
	if (error && !ferror(stdout)) /* that lib/cmd/out reports */
		die_errno(error, "cannot print the status of pool '%s'",
			  s->name);
	sempool_close(&pool);
	return EXIT_SUCCESS;
}

/* ---- the manager ---- */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* With its line in the ledger, which keeps one of ours that we could not use:
 * that is still to be removed. */
static int create(struct sempool *pool, const struct settings *s,
		  bool *is_taken_over)
{
	int error;

	objname_claim(OBJNAME_SHM, s->name); /* advice: it may fail */
	error = sempool_create(pool, s->name, s->slots ? s->slots : SLOTS,
			       is_taken_over);
	if (error == -ERANGE && !s->slots)
		error = sempool_create(pool, s->name, pool->slots,
				       is_taken_over);
	if (!error)
		objname_made(OBJNAME_SHM, s->name);
	else if (error != -ERANGE && error != -ENOTSUP)
		objname_release(OBJNAME_SHM, s->name);
	return error;
}

static int remove_pool(struct sempool *pool)
{
	int error = sempool_remove(pool);

	objname_release(OBJNAME_SHM, pool->name);
	return error;
}

static void make_pool(struct sempool *pool, const struct settings *s)
{
	bool is_taken_over = false;
	int error = create(pool, s, &is_taken_over);
	unsigned int free;

	if (error == -EBUSY)
		die("pool '%s' has a manager that is running", s->name);
	if (error == -ERANGE)
		die("pool '%s' has %u connection%s, not %u: say "
		    "--max-connections=%u, or remove it with ipc_suite clean",
		    s->name, pool->slots, plural(pool->slots), s->slots,
		    pool->slots);
	if (error == -ENOSPC)
		die("cannot make pool '%s': /dev/shm is full", s->name);
	if (error)
		target_die(s->name, error);
	free = sempool_count_free(pool);
	if (is_taken_over)
		printf("Pool manager took over (%u of %u connections "
		       "available)\n",
		       free, pool->slots);
	else
		printf("Pool manager started (%u connection%s available)\n",
		       free, plural(free));
	fflush(stdout);
}

/* What was printed last, and since when there is nothing to do. */
struct watch {
	uint64_t reclaimed, reclaimed_before; /* now, and as all began */
	uint64_t lent;                        /* when all was done last */
	int64_t idle_since;                   /* 0: not idle */
};

static void say_reclaimed(struct watch *watch,
			  const struct sempool_state *state)
{
	uint64_t n = state->reclaimed - watch->reclaimed;

	printf("Reclaimed %llu connection%s of dead workers (%u available)\n",
	       (unsigned long long)n, plural(n), state->free);
	fflush(stdout);
	watch->reclaimed = state->reclaimed;
}

static void say_all_done(struct watch *watch, const struct sempool_state *state)
{
	uint64_t n = state->reclaimed - watch->reclaimed_before;

	if (n == 0)
		printf("All workers completed successfully\n");
	else
		printf("All workers completed, but %llu died with a "
		       "connection\n",
		       (unsigned long long)n);
	fflush(stdout);
	watch->reclaimed_before = state->reclaimed;
	watch->lent = state->lent;
}

static void report(const struct sempool *pool, struct watch *watch)
{
	struct sempool_state state;

	sempool_look(pool, &state);
	if (state.reclaimed != watch->reclaimed)
		say_reclaimed(watch, &state);
	if (state.free < state.slots || state.waiters > 0) {
		watch->idle_since = 0;
		return;
	}
	if (!watch->idle_since)
		watch->idle_since = tick_now();
	if (state.lent != watch->lent &&
	    tick_now() - watch->idle_since >= QUIET_NS)
		say_all_done(watch, &state);
}

/* Until a stop, or the pool is gone. */
static void manage(struct sempool *pool, const struct settings *s)
{
	struct sempool_state state;
	struct watch watch = {0};
	int error = 0;

	sempool_look(pool, &state);
	watch.reclaimed = watch.reclaimed_before = state.reclaimed;
	watch.lent = state.lent - (state.slots - state.free);
	while (!error) {
		report(pool, &watch);
		if (stop_wait(-1, tick_after(SEMPOOL_RECLAIM_NS)) == -EINTR)
			return;
		error = sempool_reclaim(pool);
		if (!error)
			error = sempool_check(pool);
	}
	remove_pool(pool);
	if (error == -EBADMSG)
		die("pool '%s' is damaged: removed", s->name);
	if (error == -EIDRM)
		die("pool '%s': somebody removed it", s->name);
	die_errno(error, "cannot look after pool '%s'", s->name);
}

int main(int argc, char **argv)
{
	struct settings settings = {.name = TARGET_NAME};
	struct sempool pool;
	int error;

	parse(&settings, argc, argv);
	if (settings.is_status)
		return print_status(&settings);
	out_as_log();
	error = stop_install();
	if (error)
		die_errno(error, "cannot handle signals");
	make_pool(&pool, &settings);
	manage(&pool, &settings);
	error = remove_pool(&pool);
	if (error)
		die_errno(error, "cannot remove pool '%s'", settings.name);
	sempool_close(&pool);
	return EXIT_SUCCESS;
}
