/* source.h - fields of JSON that anybody may have written.
 *
 * The first thing that is wrong is noted in struct source, and what is wrong
 * reads as zero: readers need no checks between the fields, only one at the
 * end.
 */
#ifndef UNIXIPC_LIB_MEASURE_SOURCE_H
#define UNIXIPC_LIB_MEASURE_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source {
	char *why; /* room for why_size bytes; one line when error is set */
	size_t why_size;
	int error; /* 0, -EBADMSG; readers may set others */
};

/* An object, and how a message calls it: "rows[3]." or "" for the whole. */
struct source_place {
	const json_t *object;
	char name[64];
};

void source_reject(struct source *source, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A number from 0 to max; a whole one; a boolean. */
double source_number(struct source *source, const struct source_place *place,
		     const char *key, double max);
uint64_t source_count(struct source *source, const struct source_place *place,
		      const char *key, uint64_t max);
bool source_bool(struct source *source, const struct source_place *place,
		 const char *key);

/* Text of less than size bytes without control characters. */
void source_text(struct source *source, const struct source_place *place,
		 const char *key, char *text, size_t size);

/* What lies deeper. A missing one is an object or array without anything. */
struct source_place source_object(struct source *source,
				  const struct source_place *place,
				  const char *key);
const json_t *source_array(struct source *source,
			   const struct source_place *place, const char *key,
			   size_t max);
struct source_place source_element(struct source *source,
				   const struct source_place *place,
				   const char *key, const json_t *array,
				   size_t i);

/* Whether there are controls of either kind (C0, C1): they would reach a
 * terminal. */
bool source_has_controls(const char *text);

#endif
