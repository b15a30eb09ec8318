/* Any bytes, as JSON lines, CSV or a batch (the first byte says which). What is
 * taken for a record must be printed and read again as the same. Seeds:
 * tests/fuzz/p14_rows_fuzz. */
#include "p14-mmapdb/cmd/rows.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static void must_be_same(const struct bytes *a, const struct bytes *b)
{
	must(a->len == b->len);
	must(!a->len ||
	     (a->data && b->data && !memcmp(a->data, b->data, a->len)));
}

/* Where a batch says something that records cannot (a deletion), JSON. */
static void must_come_back(enum rows_format format, const struct row *row)
{
	struct rows again = {.format = format};
	struct row other = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	must(to != NULL);
	rows_print_header(format, to);
	must(!rows_print(format, row->key.data, row->key.len,
			 row->value.data ? row->value.data : "", row->value.len,
			 to));
	fclose(to);
	again.from = fmemopen(text, len, "r");
	must(again.from != NULL);
	must(rows_next(&again, &other) == 1);
	must_be_same(&row->key, &other.key);
	must_be_same(&row->value, &other.value);
	must(rows_next(&again, &other) == 0);
	fclose(again.from);
	rows_free(&again, &other);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rows rows = {0};
	struct row row = {0};
	uint64_t last = 0;
	int got;

	if (size < 2)
		return 0;
	rows.format = data[0] % 3;
	rows.from = fmemopen((void *)(data + 1), size - 1, "r");
	must(rows.from != NULL);
	while ((got = rows_next(&rows, &row)) == 1) {
		must(rows.line > last);
		last = rows.line;
		must(row.key.len >= 1 && row.key.len <= ROWS_KEY_MAX);
		must_come_back(rows.format == ROWS_CSV ? ROWS_CSV : ROWS_JSON,
			       &row);
	}
	must(got == 0 || (got == -EBADMSG && rows.why));
	fclose(rows.from);
	rows_free(&rows, &row);
	return 0;
}
