/* ipc_benchmark - throughput and latency of the kernel's own mechanisms. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/outfile.h"
#include "lib/cmd/progress.h"
#include "lib/cmd/stop.h"
#include "lib/measure/results.h"
#include "lib/measure/session.h"
#include "lib/tick.h"
#include "p06-bench/cmd/print.h"
#include "p06-bench/cmd/request.h"
#include "p06-bench/table.h"

/* Before anything is measured, so that a bad file costs no time. */
static void read_earlier(const char *path, struct results *earlier)
{
	char why[RESULTS_WHY];
	int r = results_read(path, earlier, why);

	if (r == -EBADMSG)
		die_usage("--compare: cannot use '%s': %s; accepted: what "
			  "--format=json wrote",
			  path, why);
	if (r < 0)
		die("--compare: cannot read '%s': %s", path, why);
}

static void show_progress(void *arg, uint64_t done, uint64_t total,
			  const char *what)
{
	struct progress *progress = arg;

	progress->total = total;
	progress_update(progress, done, what);
}

static void measure(const struct request *request, struct results *results)
{
	static const enum measure_placement pinned[] = {MEASURE_TWO_CPUS,
							MEASURE_ONE_CPU};
	static const enum measure_placement free_to_go[] = {MEASURE_UNPINNED};
	struct progress progress;
	struct session_plan plan = {
		.mechanisms = request->mechanisms[0] ? request->mechanisms
						     : table_kernel,
		.sizes = &request->message_bytes,
		.n_sizes = 1,
		.placements = request->no_pin                     ? free_to_go
			      : request->placement == REQUEST_ONE ? &pinned[1]
								  : pinned,
		.n_placements = request->placement == REQUEST_BOTH ? 2 : 1,
		.options = request->options,
		.progress = show_progress,
		.arg = &progress,
	};
	int r;

	plan.options.stop_fd = stop_fd();
	if (request->deadline_ns)
		plan.options.deadline = tick_after(request->deadline_ns);
	progress_start(&progress, 1);
	r = session_run(&plan, results);
	progress_end(&progress);
	if (r == -EINTR)
		die_status(stop_exit_code(), "interrupted: no results");
	if (r == -ETIMEDOUT)
		die_status(DIE_TIMEOUT, "--deadline passed: no results");
	if (r < 0)
		die_errno(r, "cannot measure");
}

static int print_as(enum request_format format, const struct results *results,
		    FILE *to)
{
	switch (format) {
	case REQUEST_JSON:
		return out_json(results_to_json(results), to);
	case REQUEST_CSV:
		return print_csv(results, to);
	default:
		return print_results(results, to);
	}
}

static int print_to_file(const struct request *request,
			 const struct results *results)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	int r;

	if (!to)
		return -errno;
	r = print_as(request->format, results, to);
	if (fclose(to) == EOF && r == 0)
		r = -ENOMEM;
	if (r == 0)
		r = outfile_write(request->output, text, len);
	free(text);
	return r;
}

/* A row without figures has its reason in the table; no row at all with
 * figures is a failure. */
static bool has_figures(const struct results *results)
{
	for (size_t i = 0; i < results->n; i++)
		if (results_row_is_good(&results->row[i]))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct request request;
	struct results results, earlier = {0};
	int r;

	request_parse(&request, argc, argv);
	if (request.compare)
		read_earlier(request.compare, &earlier);
	r = stop_install();
	if (r < 0)
		die_errno(r, "cannot handle signals");

	measure(&request, &results);
	if (!request.output || request.format != REQUEST_TABLE)
		r = print_as(request.output ? REQUEST_TABLE : request.format,
			     &results, stdout);
	if (r == 0 && request.compare) {
		putchar('\n');
		r = print_comparison(&results, &earlier, stdout);
	}
	if (r < 0 && ferror(stdout))
		return DIE_FAILURE; /* said at exit, see lib/cmd/out */
	if (r < 0)
		die_errno(r, "cannot print the results");
	if (request.output)
		r = print_to_file(&request, &results);
	if (r < 0)
		die_errno(r, "--output: cannot write '%s'", request.output);
	int status = has_figures(&results) ? 0 : DIE_FAILURE;

	results_free(&earlier);
	results_free(&results);
	return status;
}
