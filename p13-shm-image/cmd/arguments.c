#include "p13-shm-image/cmd/arguments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/tick.h"

enum {
	NO_COMPARE = 256,
	COMPARE,
	SCHEDULE,
	THRESHOLD,
	MAX_PIXELS,
	BEST_EFFORT,
	KILL,
	STALL,
	FORMAT,
	JSON
};

static const struct argp_option options[] = {
	{"filter", 'f', "NAME", 0,
	 "blur (default), sharpen, edge, grayscale, invert or threshold; "
	 "repeat it for several in a row",
	 0},
	{"workers", 'w', "N", 0, "Processes (default 2)", 0},
	{"sigma", 's', "S", 0, "Of blur and sharpen, in pixels (default 2)", 0},
	{"threshold", THRESHOLD, "LEVEL", 0,
	 "From which level on it is white (default 128)", 0},
	{"schedule", SCHEDULE, "HOW", 0,
	 "dynamic (default): who is ready takes rows of others; or static", 0},
	{"compression", 'c', "LEVEL", 0, "Of PNG, 0 to 9 (default 1)", 0},
	{"format", FORMAT, "NAME", 0,
	 "png, pnm or pam (default: by the name, or as the input)", 0},
	{"max-pixels", MAX_PIXELS, "N", 0,
	 "Refuse larger pictures (default 268M)", 0},
	{"best-effort", BEST_EFFORT, NULL, 0,
	 "Of a damaged picture, take the rows that are there", 0},
	{"compare-single", COMPARE, NULL, 0,
	 "Run it once more with one worker, to compare (default)", 0},
	{"no-compare", NO_COMPARE, NULL, 0, "Do not", 0},
	{"kill", KILL, "K", 0,
	 "Have worker K killed in its first rows, and see them done again", 0},
	{"stall-timeout", STALL, "TIME", 0,
	 "Replace a worker that is stopped, or at 64 rows for so long "
	 "(default 60s)",
	 0},
	{"json", JSON, NULL, 0, "Print the figures as JSON", 0},
	{0},
};

static double parse_sigma(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= GAUSS_SIGMA_MIN) ||
	    !(value <= GAUSS_SIGMA_MAX))
		die_usage("--sigma=%s: accepted is %g to %g", text,
			  GAUSS_SIGMA_MIN, GAUSS_SIGMA_MAX);
	return value;
}

static void add_filter(struct job *job, const char *text)
{
	if (job->filters == JOB_FILTERS_MAX)
		die_usage("--filter=%s: accepted are %d filters at most", text,
			  JOB_FILTERS_MAX);
	job->kind[job->filters++] =
		(enum filter_kind)cli_word("--filter", text, filter_words);
}

static void check_operands(struct arguments *arguments)
{
	struct stat in, out;

	if (!arguments->output)
		die_usage("INPUT and OUTPUT are needed, as in "
			  "'shm_image_filter in.png out.png'");
	if (arguments->is_json && strcmp(arguments->output, "-") == 0)
		die_usage("--json and the picture cannot both go to standard "
			  "output");
	/* A device may be both, and so may the standard streams. */
	if (strcmp(arguments->input, "-") != 0 &&
	    strcmp(arguments->output, "-") != 0 &&
	    stat(arguments->input, &in) == 0 &&
	    stat(arguments->output, &out) == 0 && S_ISREG(in.st_mode) &&
	    in.st_dev == out.st_dev && in.st_ino == out.st_ino)
		die_usage("%s and %s are the same file", arguments->input,
			  arguments->output);
	if (arguments->crew.killed > arguments->crew.workers)
		die_usage("--kill=%u: accepted is 1 to %u, the number of "
			  "workers",
			  arguments->crew.killed, arguments->crew.workers);
	if (arguments->job.filters == 0)
		add_filter(&arguments->job, "blur");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const schedules[] = {"dynamic", "static", NULL};
	static const char *const formats[] = {"png", "pnm", "pam", NULL};
	struct arguments *arguments = state->input;
	struct job *job = &arguments->job;
	struct crew_job *crew = &arguments->crew;

	switch (key) {
	case 'f':
		add_filter(job, arg);
		return 0;
	case 'w':
		crew->workers = (unsigned int)cli_count("--workers", arg, 1,
							CREW_WORKERS_MAX);
		arguments->has_workers = true;
		return 0;
	case 's':
		job->sigma = parse_sigma(arg);
		return 0;
	case THRESHOLD:
		job->threshold = (int)cli_count("--threshold", arg, 0, 256);
		return 0;
	case SCHEDULE:
		crew->schedule = (enum crew_schedule)cli_word("--schedule", arg,
							      schedules);
		return 0;
	case 'c':
		job->level = (int)cli_count("--compression", arg, 0, 9);
		return 0;
	case FORMAT:
		job->format =
			(enum job_format)cli_word("--format", arg, formats);
		arguments->has_format = true;
		return 0;
	case MAX_PIXELS:
		arguments->max_pixels =
			cli_count("--max-pixels", arg, 1, UINT64_C(1) << 40);
		return 0;
	case BEST_EFFORT:
		arguments->keeps_going = true;
		return 0;
	case COMPARE:
	case NO_COMPARE:
		arguments->compares = key == COMPARE;
		return 0;
	case KILL:
		crew->killed = (unsigned int)cli_count("--kill", arg, 1,
						       CREW_WORKERS_MAX);
		arguments->has_workers = true;
		return 0;
	case STALL:
		crew->stall_ns = cli_duration("--stall-timeout", arg, TICK_S,
					      86400 * TICK_S);
		return 0;
	case JSON:
		arguments->is_json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			return ARGP_ERR_UNKNOWN;
		*(state->arg_num ? &arguments->output : &arguments->input) =
			arg;
		return 0;
	case ARGP_KEY_END:
		check_operands(arguments);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp arguments_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "INPUT OUTPUT",
	.doc = "Filter a picture (PNG, PGM, PPM, PAM) by processes "
	       "that share it in a System V segment. INPUT or OUTPUT "
	       "may be - for a pipe.\v"
	       "Example: ./shm_image_filter in.png out.png "
	       "--filter=blur --workers=4\n"
	       "Exit status: 0 done, 1 failed, 2 usage.",
};

void arguments_init(struct arguments *arguments)
{
	*arguments = (struct arguments){
		.job = {.sigma = 2, .threshold = 128, .level = 1},
		.crew = {.workers = 2, .stall_ns = CREW_STALL_S * TICK_S},
		.max_pixels = UINT64_C(256) << 20,
		.compares = true,
	};
}

void arguments_parse(struct arguments *arguments, int argc, char **argv)
{
	arguments_init(arguments);
	cli_parse_argp(&arguments_argp, argc, argv, arguments);
}
