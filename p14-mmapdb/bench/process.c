#include "p14-mmapdb/bench/process.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/child.h"
#include "lib/stats.h"
#include "lib/tick.h"

static int run_once(char *const argv[], double *ns)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	int64_t start = tick_now();
	int error, status = 0;
	pid_t pid;

	spec.argv = argv;
	spec.in = -1;
	spec.out = -1;
	error = child_spawn(&spec, &pid);
	if (error)
		return error;
	error = child_wait(pid, tick_after(60 * TICK_S), &status);
	if (error) {
		child_end(pid, 0, &status);
		return error;
	}
	*ns = (double)(tick_now() - start);
	return child_exit_code(status) ? -EIO : 0;
}

int process_time(char *const argv[], size_t n, double *ns)
{
	double *times = calloc(n, sizeof(*times));
	int error = times ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < n; i++)
		error = run_once(argv, &times[i]);
	if (!error)
		*ns = stats_median(times, n);
	free(times);
	return error;
}
