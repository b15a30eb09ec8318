/* The half of syncs.h that writes and reads JSON. */
#include <errno.h>
#include <limits.h>

#include "lib/measure/results.h"
#include "lib/measure/source.h"
#include "suite/sync/syncs.h"

#define FIGURE_MAX 1e18

static json_t *figure_to_json(const struct syncs_figure *figure)
{
	return json_pack("{s:f, s:f, s:f, s:f}", "ops_per_s", figure->ops_per_s,
			 "spread", figure->spread, "cpu_ns", figure->cpu_ns,
			 "share", figure->share);
}

static json_t *error_to_json(const struct syncs_row *row)
{
	if (!row->error)
		return json_null();
	return json_pack("{s:i, s:s}", "errno", -row->error, "why", row->why);
}

json_t *syncs_to_json(const struct syncs *syncs)
{
	json_t *array = json_array();

	for (size_t i = 0; i < syncs->n; i++) {
		const struct syncs_row *row = &syncs->row[i];

		if (json_array_append_new(
			    array,
			    json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "name",
				      row->name, "title", row->title, "meets",
				      row->meets, "error", error_to_json(row),
				      "alone", figure_to_json(&row->alone),
				      "contended",
				      figure_to_json(&row->contended)))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static void read_figure(struct source *source, const struct source_place *row,
			const char *key, struct syncs_figure *figure)
{
	struct source_place place = source_object(source, row, key);

	figure->ops_per_s =
		source_number(source, &place, "ops_per_s", FIGURE_MAX);
	figure->spread = source_number(source, &place, "spread", FIGURE_MAX);
	figure->cpu_ns = source_number(source, &place, "cpu_ns", FIGURE_MAX);
	figure->share = source_number(source, &place, "share", 1);
}

static void read_row(struct source *source, const struct source_place *place,
		     struct syncs_row *row)
{
	struct source_place error;

	source_text(source, place, "name", row->name, sizeof(row->name));
	source_text(source, place, "title", row->title, sizeof(row->title));
	row->meets = source_bool(source, place, "meets");
	read_figure(source, place, "alone", &row->alone);
	read_figure(source, place, "contended", &row->contended);
	if (json_is_null(json_object_get(place->object, "error")))
		return;
	error = source_object(source, place, "error");
	row->error = -(int)source_count(source, &error, "errno", INT_MAX);
	source_text(source, &error, "why", row->why, sizeof(row->why));
	if (row->error == 0)
		source_reject(source, "%serror.errno is 0", place->name);
}

int syncs_from_json(const json_t *results, const struct syncs_kind *kind,
		    struct syncs *syncs, char *why)
{
	struct source source = {.why = why, .why_size = RESULTS_WHY};
	const struct source_place file = {results, ""};
	const json_t *array;

	*syncs = (struct syncs){0};
	if (!json_object_get(results, kind->key))
		return 0;
	array = source_array(&source, &file, kind->key, SYNCS_MAX);
	for (size_t i = 0; i < json_array_size(array) && !source.error; i++) {
		struct source_place place =
			source_element(&source, &file, kind->key, array, i);

		read_row(&source, &place, &syncs->row[i]);
		syncs->n = i + 1;
	}
	if (source.error)
		syncs->n = 0;
	return source.error;
}
