#include "p14-mmapdb/bench/process.h"

#include <sys/types.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/stats.h"
#include "lib/tick.h"

enum { RUNS = 100 };

static double run_once(char *const argv[])
{
	struct child_spec spec = CHILD_SPEC_INIT;
	int64_t start = tick_now();
	int error, status = 0;
	pid_t pid;

	spec.argv = argv;
	spec.in = -1;
	spec.out = -1;
	error = child_spawn(&spec, &pid);
	if (!error)
		error = child_wait(pid, tick_after(60 * TICK_S), &status);
	if (error)
		die_errno(error, "cannot run %s", argv[0]);
	if (child_exit_code(status))
		die("%s has failed", argv[0]);
	return (double)(tick_now() - start);
}

static double run_many(char *const argv[])
{
	double ns[RUNS];

	for (int i = 0; i < RUNS; i++)
		ns[i] = run_once(argv);
	return stats_median(ns, RUNS);
}

void process_measure(char *const *const programs[PROCESS_PROGRAMS],
		     size_t trials,
		     struct process_times times[PROCESS_PROGRAMS])
{
	for (size_t t = 0; t < trials; t++)
		for (int i = 0; i < PROCESS_PROGRAMS; i++) {
			times[i].ns[t] = run_many(programs[i]);
			times[i].ratio[t] = times[0].ns[t] / times[i].ns[t];
		}
}
