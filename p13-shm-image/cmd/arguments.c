#include "p13-shm-image/cmd/arguments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/tick.h"

/* Of what the option is: the filter in front of it, or, in front of all, -1. */
static int owner_of(const struct arguments *a, const char *option,
		    const char *text, bool (*has_one)(enum filter_kind kind))
{
	int last = (int)a->job.filters - 1;

	if (last >= 0 && !has_one(a->job.kind[last]))
		die_usage("%s=%s: %s has none; it follows the filter that it "
			  "is for",
			  option, text, filter_words[a->job.kind[last]]);
	return last;
}

static bool has_sigma(enum filter_kind kind)
{
	return kind == FILTER_BLUR || kind == FILTER_SHARPEN;
}

static void take_sigma(const char *text, void *where)
{
	struct arguments *a = where;
	int last = owner_of(a, "--sigma", text, has_sigma);
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= GAUSS_SIGMA_MIN) ||
	    !(value <= GAUSS_SIGMA_MAX))
		die_usage("--sigma=%s: accepted is %g to %g", text,
			  GAUSS_SIGMA_MIN, GAUSS_SIGMA_MAX);
	*(last < 0 ? &a->sigma : &a->job.sigma[last]) = value;
}

static bool has_threshold(enum filter_kind kind)
{
	return kind == FILTER_THRESHOLD;
}

static void take_threshold(const char *text, void *where)
{
	struct arguments *a = where;
	int last = owner_of(a, "--threshold", text, has_threshold);
	int value = (int)cli_count("--threshold", text, 0, 256);

	*(last < 0 ? &a->threshold : &a->job.threshold[last]) = value;
}

static void add_filter(const char *text, void *where)
{
	struct arguments *a = where;
	struct job *job = &a->job;

	if (job->filters == JOB_FILTERS_MAX)
		die_usage("--filter=%s: accepted are %d filters at most", text,
			  JOB_FILTERS_MAX);
	job->kind[job->filters] =
		(enum filter_kind)cli_word("--filter", text, filter_words);
	job->sigma[job->filters] = a->sigma;
	job->threshold[job->filters++] = a->threshold;
}

/* What stands behind the dot of a name, or "". */
static const char *ending_of(const char *name)
{
	const char *slash = strrchr(name, '/'), *dot;

	name = slash ? slash + 1 : name;
	dot = strrchr(name, '.');
	return dot && dot > name ? dot + 1 : "";
}

/* A name that promises what we do not write is not taken. */
static void take_format(struct arguments *a)
{
	static const struct {
		const char *ending;
		enum job_format format;
	} KNOWN[] = {{"png", JOB_PNG},
		     {"pam", JOB_PAM},
		     {"ppm", JOB_PNM},
		     {"pgm", JOB_PNM},
		     {"pnm", JOB_PNM}};
	const char *ending = ending_of(a->output);

	if (a->format >= 0 || !*ending)
		return;
	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
		if (strcasecmp(ending, KNOWN[i].ending) != 0)
			continue;
		a->format = (int)KNOWN[i].format;
		a->ending = KNOWN[i].ending;
		return;
	}
	die_usage("%s: no .%s is written; accepted are .png, .pgm, .ppm, .pnm "
		  "and .pam, or say --format=NAME",
		  a->output, ending);
}

/* All of them are known: what fits together? */
static void check(const struct arguments *a)
{
	struct stat in, out;

	if (!a->output)
		die_usage("INPUT and OUTPUT are needed, as in "
			  "'shm_image_filter in.png out.png'");
	if (a->is_json && strcmp(a->output, "-") == 0)
		die_usage("--json and the picture cannot both go to standard "
			  "output");
	/* A device may be both, and so may the standard streams. */
	if (strcmp(a->input, "-") != 0 && strcmp(a->output, "-") != 0 &&
	    stat(a->input, &in) == 0 && stat(a->output, &out) == 0 &&
	    S_ISREG(in.st_mode) && in.st_dev == out.st_dev &&
	    in.st_ino == out.st_ino)
		die_usage("%s and %s are the same file", a->input, a->output);
	if (a->job.killed > a->pool.workers)
		die_usage("--kill=%u: accepted is 1 to %u, the number of "
			  "workers",
			  a->job.killed, a->pool.workers);
}

static const char doc[] =
	"Filter a picture (PNG, PGM, PPM, PAM) by processes that share it in a "
	"System V segment. INPUT or OUTPUT may be - for a pipe.\v"
	"Example: ./shm_image_filter in.png out.png --filter=blur --workers=4\n"
	"Exit status: 0 done, 1 failed, 2 usage.";

static int parse(struct arguments *a, arguments_parser *parser, int argc,
		 char **argv)
{
	static const char *const schedules[] = {"dynamic", "static", NULL};
	static const char *const formats[] = {"png", "pnm", "pam", NULL};
	struct job *job = &a->job;
	struct pool_options *pool = &a->pool;
	const struct cli_option options[] = {
		CLI_CALL("filter", 'f', "NAME", add_filter, a,
			 "blur (default), sharpen, edge, grayscale, invert or "
			 "threshold; repeat it for several in a row"),
		CLI_COUNT("workers", 'w', "N", &pool->workers, 1,
			  POOL_WORKERS_MAX, "Processes (default 2)"),
		CLI_CALL("sigma", 's', "S", take_sigma, a,
			 "Of the blur or sharpen in front of it, in pixels "
			 "(default 2); in front of all, of all"),
		CLI_CALL("threshold", 0, "LEVEL", take_threshold, a,
			 "Of the threshold in front of it: from which level on "
			 "it is white (default 128)"),
		CLI_WORD("schedule", 0, "HOW", &pool->schedule, schedules,
			 "dynamic (default): who is ready takes rows of "
			 "others; or static"),
		CLI_COUNT("compression", 'c', "LEVEL", &job->level, 0, 9,
			  "Of PNG, 0 to 9 (default 1)"),
		CLI_WORD("format", 0, "NAME", &a->format, formats,
			 "png, pnm or pam (default: by the name, or as the "
			 "input)"),
		CLI_COUNT("max-pixels", 0, "N", &a->max_pixels, 1,
			  UINT64_C(1) << 40,
			  "Refuse larger pictures (default 268M)"),
		CLI_ON("best-effort", 0, &a->keeps_going,
		       "Of a damaged picture, take the rows that are there"),
		CLI_ON("compare-single", 0, &a->compares,
		       "Run it once more with one worker, to compare "
		       "(default)"),
		CLI_OFF("no-compare", 0, &a->compares, "Do not"),
		CLI_COUNT("kill", 0, "K", &job->killed, 1, POOL_WORKERS_MAX,
			  "Have worker K killed in its first rows, and see "
			  "them done again"),
		CLI_DURATION("stall-timeout", 0, "TIME", &pool->stall_ns,
			     TICK_S, 86400 * TICK_S,
			     "Replace a worker that is stopped, or at 64 rows "
			     "for so long (default 60s)"),
		CLI_ON("json", 0, &a->is_json, "Print the figures as JSON"),
		{0},
	};
	const struct cli_command command = {
		.doc = doc,
		.operands = "INPUT OUTPUT",
		.most = 2,
		.options = options,
	};

	return parser(&command, argc, argv);
}

int arguments_parse(struct arguments *arguments, arguments_parser *parser,
		    int argc, char **argv)
{
	struct pool_options *pool = &arguments->pool;
	int n;

	*arguments = (struct arguments){
		.job = {.level = 1},
		.sigma = 2,
		.threshold = 128,
		.pool = {.stall_ns = POOL_STALL_S * TICK_S},
		.format = -1,
		.max_pixels = UINT64_C(256) << 20,
		.compares = true,
	};
	n = parse(arguments, parser, argc, argv);
	if (n < 0)
		return n;
	arguments->input = argv[1];
	arguments->output = n > 1 ? argv[2] : NULL;
	arguments->has_workers = pool->workers || arguments->job.killed;
	if (!pool->workers)
		pool->workers = 2;
	if (arguments->job.filters == 0)
		add_filter("blur", arguments);
	check(arguments);
	take_format(arguments);
	return 0;
}
