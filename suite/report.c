#include "suite/command.h"

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

struct request {
	const char *results, *output;
};

static void parse(struct request *request, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_TEXT("output", 'o', "FILE", &request->output,
			 "Where the page goes (default report.html; - is "
			 "standard output)"),
		{0},
	};
	const struct cli_command command = {
		.word = "report",
		.doc = doc,
		.operands = "RESULTS.json",
		.most = 1,
		.options = options,
	};

	cli_parse(&command, argc, argv);
	request->results = argv[1];
	if (!request->results)
		die_usage("report: give a file of results (see ipc_suite "
			  "report --help)");
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

int command_report(int argc, char **argv)
{
	struct request request = {.output = "report.html"};
	char why[RESULTS_WHY], *page;
	struct outcome outcome;
	const char *no_plots;
	int error;
	size_t len;

	parse(&request, argc, argv);
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
