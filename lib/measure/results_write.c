/* Results as JSON. */
#include "lib/measure/results.h"

#include <string.h>
#include <time.h>

#include "lib/measure/trial.h"

/* json_pack() gives NULL when one of the values it is given is NULL, so that
 * one check at the end sees a shortage of memory anywhere. */

static json_t *pack_limits(const struct machine *machine)
{
	json_t *limits = json_object();

	for (int i = 0; i < MACHINE_LIMITS; i++) {
		const int64_t value = machine->limit[i];
		json_t *number = value < 0 ? json_null() : json_integer(value);

		if (json_object_set_new(
			    limits, machine_limit_name((enum machine_limit)i),
			    number) < 0) {
			json_decref(limits);
			return NULL;
		}
	}
	return limits;
}

static json_t *pack_machine(const struct machine *machine)
{
	return json_pack("{s:s, s:i, s:s, s:o}", "cpu", machine->cpu, "cpus",
			 machine->cpus, "kernel", machine->kernel, "limits",
			 pack_limits(machine));
}

static json_t *pack_options(const struct measure_options *o)
{
	return json_pack("{s:I, s:I, s:i, s:[i,i], s:I}", "iterations",
			 (json_int_t)o->iterations, "warmup",
			 (json_int_t)o->warmup, "trials", o->trials, "cpus",
			 o->cpus[0], o->cpus[1], "max_ns",
			 (json_int_t)o->max_ns);
}

static json_t *pack_line(const struct results *results)
{
	if (results->line_rtt_ns <= 0)
		return json_null();
	return json_pack("{s:f, s:f, s:f}", "median", results->line_rtt_ns,
			 "min", results->line_rtt_min_ns, "max",
			 results->line_rtt_max_ns);
}

static json_t *pack_trial(const struct measure_trial *trial)
{
	json_t *object = json_object();
	int r = 0;

	for (size_t i = 0; i < TRIAL_FIELDS; i++) {
		double value = trial_get(trial, i);

		r |= json_object_set_new(
			object, trial_fields[i].name,
			trial_fields[i].is_count
				? json_integer((json_int_t)value)
				: json_real(value));
	}
	r |= json_object_set_new(object, "is_disturbed",
				 json_boolean(trial->is_disturbed));
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *pack_trials(const struct measure_result *figures)
{
	json_t *array = json_array();

	for (int i = 0; i < figures->trials; i++)
		if (json_array_append_new(array,
					  pack_trial(&figures->trial[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *pack_error(const struct measure_result *figures)
{
	if (!figures->error)
		return json_null();
	return json_pack("{s:i, s:s}", "errno", -figures->error, "why",
			 figures->why);
}

static json_t *pack_cost(const struct mechanism_cost *cost)
{
	return json_pack("{s:i, s:i, s:b, s:b}", "calls", cost->calls, "names",
			 cost->names, "keeps_boundaries",
			 (int)cost->keeps_boundaries, "can_poll",
			 (int)cost->can_poll);
}

static json_t *pack_row(const struct results_row *row)
{
	const struct measure_result *f = &row->figures;
	const bool is_good = results_row_is_good(row);

	return json_pack(
		"{s:s, s:s, s:b, s:o, s:I, s:s, s:o, s:o, s:f, s:f, s:b, s:o}",
		"mechanism", row->name, "title", row->title, "spins",
		(int)row->spins, "cost", pack_cost(&row->cost), "message_bytes",
		(json_int_t)f->options.message_bytes, "placement",
		results_placement_word(f->options.placement), "error",
		pack_error(f), "median",
		is_good ? pack_trial(&f->median) : json_null(),
		"spread_throughput", f->spread_throughput, "spread_rtt",
		f->spread_rtt, "unstable", (int)f->is_unstable, "trials",
		pack_trials(f));
}

json_t *results_to_json(const struct results *results)
{
	json_t *rows = json_array();
	time_t created = (time_t)results->created;
	struct tm tm;
	char when[32] = "";

	for (size_t i = 0; i < results->n; i++)
		if (json_array_append_new(rows, pack_row(&results->row[i])) <
		    0) {
			json_decref(rows);
			return NULL;
		}
	if (gmtime_r(&created, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "schema",
			 RESULTS_SCHEMA, "created", when, "machine",
			 pack_machine(&results->machine), "options",
			 pack_options(&results->options), "line_rtt_ns",
			 pack_line(results), "rows", rows);
}
