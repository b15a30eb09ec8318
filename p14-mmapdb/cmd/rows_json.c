/* rows_json.c - a record as a JSON object. JSON holds text alone: other bytes go
 * as base64, under another name, so that none can be taken for the other. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "p14-mmapdb/cmd/rows.h"

static const char no_record[] = "wanted is {\"key\": \"...\", \"value\": "
				"\"...\"}";

/* ---- reading ---------------------------------------------------------------- */

static int bad_json(struct rows *rows, const json_error_t *why)
{
	const char *near;
	size_t len;

	if (json_error_code(why) == json_error_out_of_memory)
		return -ENOMEM;
	/* Behind that stand bytes of the file, which are not for a terminal. */
	near = strstr(why->text, " near ");
	len = near ? (size_t)(near - why->text) : strlen(why->text);
	snprintf(rows->said, sizeof(rows->said), "%.*s", (int)len, why->text);
	return rows_bad(rows, rows->said);
}

/* A member of that name, or of the name of its base64, but not both. */
static int take_member(struct rows *rows, const json_t *object,
		       const char *name, const char *coded_name,
		       struct bytes *to)
{
	const json_t *text = json_object_get(object, name);
	const json_t *coded = json_object_get(object, coded_name);
	int error;

	if (!json_is_string(text) + !json_is_string(coded) != 1)
		return rows_bad(rows, no_record);
	if (text)
		return bytes_add(to, json_string_value(text),
				 json_string_length(text));
	error = bytes_add_from_base64(to, json_string_value(coded),
				      json_string_length(coded));
	return error == -EINVAL ? rows_bad(rows, "this is no base64") : error;
}

int rows_next_json(struct rows *rows, struct row *row)
{
	json_error_t why;
	json_t *object;
	int got = rows_next_line(rows), error;

	if (got <= 0)
		return got;
	/* Of an empty line there may be no memory at all. */
	object = json_loadb(rows->text.len ? rows->text.data : "",
			    rows->text.len,
			    JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	if (!object)
		return bad_json(rows, &why);
	error = json_object_size(object) == 2 ? 0 : rows_bad(rows, no_record);
	if (!error)
		error = take_member(rows, object, "key", "key_base64",
				    &row->key);
	if (!error)
		error = take_member(rows, object, "value", "value_base64",
				    &row->value);
	json_decref(object);
	return error ? error : 1;
}

/* ---- writing ---------------------------------------------------------------- */

/* As text where it is text: jansson takes no other. */
static int add_member(json_t *object, const char *name, const char *coded_name,
		      const void *data, size_t len)
{
	struct bytes coded = {0};
	int error;

	if (json_object_set_new(object, name, json_stringn(data, len)) == 0)
		return 0;
	error = bytes_add_base64(&coded, data, len);
	if (!error && json_object_set_new(object, coded_name,
					  json_stringn(coded.data, coded.len)))
		error = -ENOMEM;
	bytes_free(&coded);
	return error;
}

int rows_print_json(const void *key, size_t key_len, const void *value,
		    size_t value_len, FILE *to)
{
	json_t *object = json_object();
	int error = object ? 0 : -ENOMEM;

	if (!error)
		error = add_member(object, "key", "key_base64", key, key_len);
	if (!error && value)
		error = add_member(object, "value", "value_base64", value,
				   value_len);
	if (!error)
		json_dumpf(object, to, 0);
	json_decref(object);
	return error;
}
