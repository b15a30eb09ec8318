/* Results from a file that anybody may have written. */
#include "lib/measure/results.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/measure/source.h"
#include "lib/measure/trial.h"

/* ---- the parts of a file ------------------------------------------------------ */

static void read_machine(struct source *source, const struct source_place *file,
			 struct machine *machine)
{
	struct source_place place = source_object(source, file, "machine");
	struct source_place limits = source_object(source, &place, "limits");

	source_text(source, &place, "cpu", machine->cpu, sizeof(machine->cpu));
	source_text(source, &place, "kernel", machine->kernel,
		    sizeof(machine->kernel));
	machine->cpus = (int)source_count(source, &place, "cpus", 1 << 20);
	for (int i = 0; i < MACHINE_LIMITS; i++) {
		const char *key = machine_limit_name((enum machine_limit)i);

		machine->limit[i] =
			json_is_null(json_object_get(limits.object, key))
				? -1
				: (int64_t)source_count(source, &limits, key,
							INT64_MAX);
	}
}

static void read_options(struct source *source, const struct source_place *file,
			 struct measure_options *o)
{
	struct source_place place = source_object(source, file, "options");
	const json_t *cpus = source_array(source, &place, "cpus", 2);

	*o = (struct measure_options){
		.iterations =
			source_count(source, &place, "iterations", INT64_MAX),
		.warmup = source_count(source, &place, "warmup", INT64_MAX),
		.trials = (int)source_count(source, &place, "trials",
					    MEASURE_TRIALS_MAX),
		.max_ns = (int64_t)source_count(source, &place, "max_ns",
						INT64_MAX),
	};
	for (size_t i = 0; i < 2; i++) {
		const json_t *cpu = json_array_get(cpus, i);

		if (!json_is_integer(cpu) || json_integer_value(cpu) < 0 ||
		    json_integer_value(cpu) > 1 << 20)
			source_reject(source, "options.cpus is not two CPUs");
		else
			o->cpus[i] = (int)json_integer_value(cpu);
	}
}

static void read_line_rtt(struct source *source,
			  const struct source_place *file,
			  struct results *results)
{
	if (json_is_null(json_object_get(file->object, "line_rtt_ns")))
		return;

	struct source_place place = source_object(source, file, "line_rtt_ns");
	results->line_rtt_ns =
		source_number(source, &place, "median", HUGE_VAL);
	results->line_rtt_min_ns =
		source_number(source, &place, "min", HUGE_VAL);
	results->line_rtt_max_ns =
		source_number(source, &place, "max", HUGE_VAL);
}

static void read_trial(struct source *source, const struct source_place *place,
		       struct measure_trial *trial)
{
	for (size_t i = 0; i < TRIAL_FIELDS; i++)
		trial_set(trial, i,
			  source_number(source, place, trial_fields[i].name,
					trial_fields[i].is_count ? 1e18
								 : HUGE_VAL));
	trial->is_disturbed = source_bool(source, place, "is_disturbed");
}

static void read_trials(struct source *source, const struct source_place *row,
			struct measure_result *figures)
{
	const json_t *array =
		source_array(source, row, "trials", MEASURE_TRIALS_MAX);
	const size_t n = source->error ? 0 : json_array_size(array);

	figures->trial = calloc(n ? n : 1, sizeof(*figures->trial));
	if (!figures->trial) {
		source->error = -ENOMEM;
		return;
	}
	figures->trials = (int)n;
	for (size_t i = 0; i < n; i++) {
		struct source_place place =
			source_element(source, row, "trials", array, i);

		read_trial(source, &place, &figures->trial[i]);
	}
}

static void read_placement(struct source *source,
			   const struct source_place *row,
			   enum measure_placement *placement)
{
	char word[16];

	source_text(source, row, "placement", word, sizeof(word));
	for (int i = MEASURE_TWO_CPUS; i <= MEASURE_UNPINNED; i++) {
		*placement = (enum measure_placement)i;
		if (strcmp(word, results_placement_word(*placement)) == 0)
			return;
	}
	source_reject(source, "%splacement is none that is known", row->name);
}

static void read_error(struct source *source, const struct source_place *row,
		       struct measure_result *figures)
{
	if (json_is_null(json_object_get(row->object, "error")))
		return;

	struct source_place place = source_object(source, row, "error");
	figures->error = -(int)source_count(source, &place, "errno", 4095);
	source_text(source, &place, "why", figures->why, sizeof(figures->why));
	if (figures->error == 0)
		source_reject(source, "%serrno is out of range", place.name);
}

/* Medians and spreads follow from the trials, so they are worked out again
 * and what the file says of them is for other readers. */
static void read_row(struct source *source, const struct source_place *place,
		     const struct measure_options *options,
		     struct results_row *row)
{
	struct measure_result *figures = &row->figures;
	struct source_place cost = source_object(source, place, "cost");

	source_text(source, place, "mechanism", row->name, sizeof(row->name));
	source_text(source, place, "title", row->title, sizeof(row->title));
	row->spins = source_bool(source, place, "spins");
	row->cost = (struct mechanism_cost){
		.calls = (int)source_count(source, &cost, "calls", 1000),
		.names = (int)source_count(source, &cost, "names", 1000),
		.keeps_boundaries =
			source_bool(source, &cost, "keeps_boundaries"),
		.can_poll = source_bool(source, &cost, "can_poll")};
	figures->options = *options;
	figures->options.message_bytes = source_count(
		source, place, "message_bytes", MEASURE_MESSAGE_MAX);
	read_placement(source, place, &figures->options.placement);
	read_error(source, place, figures);
	read_trials(source, place, figures);
	if (!source->error && !figures->error && figures->trials == 0)
		source_reject(source, "%strials is empty", place->name);
	if (!source->error)
		measure_end(figures);
}

static void read_rows(struct source *source, const struct source_place *file,
		      struct results *results)
{
	const json_t *array =
		source_array(source, file, "rows", RESULTS_ROWS_MAX);
	const size_t n = source->error ? 0 : json_array_size(array);

	results->row = calloc(n ? n : 1, sizeof(*results->row));
	if (!results->row) {
		source->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < n && !source->error; i++) {
		struct source_place place =
			source_element(source, file, "rows", array, i);

		read_row(source, &place, &results->options,
			 &results->row[results->n++]);
	}
}

static void read_created(struct source *source, const struct source_place *file,
			 struct results *results)
{
	char when[32];
	struct tm tm = {0};
	const char *end;

	source_text(source, file, "created", when, sizeof(when));
	end = strptime(when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end)
		source_reject(source, "created is not a time");
	else
		results->created = (int64_t)timegm(&tm);
}

int results_from_json(const json_t *value, struct results *results, char *why)
{
	struct source source = {.why = why, .why_size = RESULTS_WHY};
	struct source_place file = {value, ""};
	const char *schema =
		json_string_value(json_object_get(value, "schema"));

	*results = (struct results){0};
	if (!schema)
		source_reject(&source,
			      "no results of a benchmark: no \"schema\"");
	else if (strcmp(schema, RESULTS_SCHEMA) != 0)
		source_reject(&source,
			      "another version: schema \"%.60s\", wanted %s",
			      source_has_controls(schema) ? "?" : schema,
			      RESULTS_SCHEMA);
	read_created(&source, &file, results);
	read_machine(&source, &file, &results->machine);
	read_options(&source, &file, &results->options);
	read_line_rtt(&source, &file, results);
	if (!source.error)
		read_rows(&source, &file, results);
	if (source.error)
		results_free(results);
	return source.error;
}

/* ---- the file ------------------------------------------------------------------ */

static int fail(int error, char *why)
{
	snprintf(why, RESULTS_WHY, "%s", strerror(-error));
	return error;
}

/* Without waiting for the writer of a FIFO. */
static int open_regular(const char *path, off_t *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (st.st_size > RESULTS_FILE_MAX)
		r = -EFBIG;
	if (r < 0) {
		close(fd);
		return r;
	}
	*size = st.st_size;
	return fdio_above_std(fd);
}

int results_read(const char *path, struct results *results, char *why)
{
	json_error_t error;
	json_t *value;
	off_t size = 0;
	int r, fd = open_regular(path, &size);

	if (fd < 0)
		return fail(fd, why);
	value = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
	fdio_close(&fd);
	if (!value) {
		bool is_short = json_error_code(&error) ==
				json_error_premature_end_of_input;

		snprintf(why, RESULTS_WHY, "%s (line %d)",
			 size == 0  ? "empty"
			 : is_short ? "JSON that is cut short"
				    : "not JSON",
			 error.line);
		return -EBADMSG;
	}
	r = results_from_json(value, results, why);
	json_decref(value);
	return r;
}
