#include "lib/measure/source.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void source_reject(struct source *source, const char *format, ...)
{
	va_list args;

	if (source->error)
		return;
	va_start(args, format);
	vsnprintf(source->why, source->why_size, format, args);
	va_end(args);
	source->error = -EBADMSG;
}

double source_number(struct source *source, const struct source_place *place,
		     const char *key, double max)
{
	const json_t *value = json_object_get(place->object, key);
	double number = json_number_value(value);

	if (!json_is_number(value)) {
		source_reject(source, "%s%s is not a number", place->name, key);
		return 0;
	}
	if (!isfinite(number) || number < 0 || number > max) {
		source_reject(source, "%s%s is out of range", place->name, key);
		return 0;
	}
	return number;
}

uint64_t source_count(struct source *source, const struct source_place *place,
		      const char *key, uint64_t max)
{
	const json_t *value = json_object_get(place->object, key);

	if (!json_is_integer(value)) {
		source_reject(source, "%s%s is not a whole number", place->name,
			      key);
		return 0;
	}
	if (json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max) {
		source_reject(source, "%s%s is out of range", place->name, key);
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

bool source_bool(struct source *source, const struct source_place *place,
		 const char *key)
{
	const json_t *value = json_object_get(place->object, key);

	if (!json_is_boolean(value))
		source_reject(source, "%s%s is not true or false", place->name,
			      key);
	return json_is_true(value);
}

/* C1 is U+0080 to U+009F, which is c2 80 to c2 9f in UTF-8. */
bool source_has_controls(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0))
			return true;
	return false;
}

void source_text(struct source *source, const struct source_place *place,
		 const char *key, char *text, size_t size)
{
	const char *value =
		json_string_value(json_object_get(place->object, key));

	text[0] = '\0';
	if (!value)
		source_reject(source, "%s%s is not a text", place->name, key);
	else if (strlen(value) >= size)
		source_reject(source, "%s%s is too long", place->name, key);
	else if (source_has_controls(value))
		source_reject(source, "%s%s has control characters",
			      place->name, key);
	else
		memcpy(text, value, strlen(value) + 1);
}

struct source_place source_object(struct source *source,
				  const struct source_place *place,
				  const char *key)
{
	struct source_place inner = {json_object_get(place->object, key), ""};

	if (!json_is_object(inner.object))
		source_reject(source, "%s%s is not an object", place->name,
			      key);
	snprintf(inner.name, sizeof(inner.name), "%.40s%s.", place->name, key);
	return inner;
}

const json_t *source_array(struct source *source,
			   const struct source_place *place, const char *key,
			   size_t max)
{
	const json_t *array = json_object_get(place->object, key);

	if (!json_is_array(array))
		source_reject(source, "%s%s is not an array", place->name, key);
	else if (json_array_size(array) > max)
		source_reject(source, "%s%s has over %zu elements", place->name,
			      key, max);
	return array;
}

struct source_place source_element(struct source *source,
				   const struct source_place *place,
				   const char *key, const json_t *array,
				   size_t i)
{
	struct source_place inner = {json_array_get(array, i), ""};

	if (!json_is_object(inner.object))
		source_reject(source, "%s%s[%zu] is not an object", place->name,
			      key, i);
	snprintf(inner.name, sizeof(inner.name), "%.30s%s[%zu].", place->name,
		 key, i);
	return inner;
}
