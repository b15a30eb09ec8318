#include "suite/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/outfile.h"
#include "suite/html/page.h"
#include "suite/outcome.h"

static const char doc[] =
	"Turn results of `ipc_suite benchmark --format=json` (or of "
	"ipc_benchmark) into one HTML page that needs nothing else.\v"
	"Example: ipc_suite report results.json -o report.html\n\n"
	"The curves are drawn by gnuplot; without it the page has the tables "
	"and says so.";

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0,
	 "Where the page goes (default report.html; - is standard output)", 0},
	{0},
};

struct request {
	const char *results, *output;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case 'o':
		request->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (request->results)
			return ARGP_ERR_UNKNOWN;
		request->results = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The page as text, to be freed. */
static char *make_page(const struct outcome *outcome, size_t *len,
		       const char **no_plots)
{
	char *page = NULL;
	FILE *to = open_memstream(&page, len);
	int error;

	if (!to)
		die_errno(errno, "cannot make the page");
	error = page_write(outcome, no_plots, to);
	if (fclose(to) == EOF && !error)
		error = -ENOMEM;
	if (error)
		die_errno(error, "cannot make the page");
	return page;
}

int report_command(int argc, char **argv)
{
	static const struct argp argp = {.options = options,
					 .parser = parse,
					 .args_doc = "RESULTS.json",
					 .doc = doc};
	struct request request = {.output = "report.html"};
	char why[RESULTS_WHY], *page;
	struct outcome outcome;
	const char *no_plots;
	int error;
	size_t len;

	cli_parse_command(&argp, "report", argc, argv, &request);
	if (!request.results)
		die_usage("report: give a file of results (see ipc_suite "
			  "report --help)");
	error = outcome_read(request.results, &outcome, why);
	if (error == -EBADMSG)
		die_usage("cannot use '%s': %s; accepted is what benchmark "
			  "--format=json wrote",
			  request.results, why);
	if (error)
		die("cannot read '%s': %s", request.results, why);
	page = make_page(&outcome, &len, &no_plots);
	outcome_free(&outcome);
	if (no_plots)
		die_warn("no plots in the page: %s", no_plots);
	if (strcmp(request.output, "-") == 0) {
		fwrite(page, 1, len, stdout);
	} else {
		error = outfile_write(request.output, page, len);
		if (error)
			die_errno(error, "cannot write '%s'", request.output);
	}
	free(page);
	return 0;
}
