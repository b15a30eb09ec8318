/* What every engine promises, over our own: a cluster of one. Over three it is
 * cluster_test.c's. */
#include "tests/support/support.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p18-rpc-kv/cluster.h"
#include "tests/p18/engine_cases.h"
#include "tests/support/scratch.h"

static void note(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static void give_up(const char *why, void *arg)
{
	(void)arg;
	fprintf(stderr, "the server has failed: %s\n", why);
	_exit(1);
}

static void over_raft_everything_means_what_it_means_over_etcd(void **state)
{
	const struct folder_member one = {.id = 1,
					  .address = "localhost:21301"};
	struct cluster_options options = {.id = 1,
					  .members = &one,
					  .n = 1,
					  .port = 21301,
					  .election_ns = 100 * TICK_MS,
					  .heartbeat_ns = 20 * TICK_MS,
					  .slow_ns = TICK_S,
					  .snapshot_entries = 100,
					  .note = note,
					  .fail = give_up};
	char why[CLUSTER_WHY] = "";
	struct cluster *cluster;
	struct scratch scratch;
	struct engine *engine;

	(void)state;
	scratch_make(&scratch);
	options.data = scratch_path(&scratch, "data");
	if (cluster_open(&cluster, &options, why))
		fail_msg("%s", why);
	engine = cluster_engine(cluster);
	engine_cases(engine);
	engine->calls->shut(engine);
	engine->calls->close(engine);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			over_raft_everything_means_what_it_means_over_etcd),
	};

	return SUPPORT_MAIN(tests);
}
