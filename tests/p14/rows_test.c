/* Records as text: what is printed comes back as it was, whatever bytes it has;
 * what is wrong is refused with its line. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rng.h"
#include "p14-mmapdb/cmd/rows.h"
#include "tests/support/support.h"

/* ---- reading and printing in memory ------------------------------------------ */

struct input {
	struct rows rows;
	struct row row;
};

static void open_input(struct input *input, enum rows_format format,
		       const void *text, size_t len)
{
	*input = (struct input){.rows = {.format = format}};
	/* fmemopen() refuses none at all. */
	input->rows.from = len ? fmemopen((void *)text, len, "r")
			       : fopen("/dev/null", "re");
	assert_non_null(input->rows.from);
}

static void close_input(struct input *input)
{
	fclose(input->rows.from);
	rows_free(&input->rows, &input->row);
}

static void assert_bytes(const struct bytes *bytes, const void *wanted,
			 size_t len)
{
	assert_int_equal(bytes->len, len);
	if (len)
		assert_memory_equal(bytes->data, wanted, len);
}

/* One record of that text, and nothing behind it. */
static void assert_reads(enum rows_format format, const char *text,
			 const char *key, const char *value)
{
	struct input input;

	open_input(&input, format, text, strlen(text));
	assert_int_equal(rows_next(&input.rows, &input.row), 1);
	assert_bytes(&input.row.key, key, strlen(key));
	assert_bytes(&input.row.value, value, strlen(value));
	assert_int_equal(rows_next(&input.rows, &input.row), 0);
	close_input(&input);
}

static void assert_refused(enum rows_format format, const char *text,
			   uint64_t line, const char *why)
{
	struct input input;
	int got;

	open_input(&input, format, text, strlen(text));
	while ((got = rows_next(&input.rows, &input.row)) == 1)
		;
	assert_int_equal(got, -EBADMSG);
	assert_int_equal(input.rows.line, line);
	if (!strstr(input.rows.why, why))
		fail_msg("%s: '%s' instead of '%s'", text, input.rows.why, why);
	close_input(&input);
}

/* ---- JSON lines -------------------------------------------------------------- */

static void json_is_read_in_every_spelling(void **state)
{
	(void)state;
	assert_reads(ROWS_JSON, "{\"key\": \"a\", \"value\": \"b\"}", "a", "b");
	assert_reads(ROWS_JSON, " {\"value\":\"b\",\t\"key\":\"a\"} \r\n", "a",
		     "b");
	assert_reads(ROWS_JSON,
		     "{\"key\":\"a\\n\\\"\\\\\\/\\u00e9\",\"value\":"
		     "\"\\ud83d\\ude00\"}\n",
		     "a\n\"\\/\xc3\xa9", "\xf0\x9f\x98\x80");
	assert_reads(ROWS_JSON, "{\"key_base64\":\"/w==\",\"value\":\"\"}",
		     "\xff", "");
	assert_reads(ROWS_JSON,
		     "{\"\\u006bey\":\"k\",\"value_base64\":\"AQI=\"}", "k",
		     "\x01\x02");
}

static void json_that_is_wrong_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "'[' or '{' expected"},
		{"[]", "wanted is"},
		{"{\"key\":\"a\"}", "wanted is"},
		{"{\"key\":\"a\",\"value\":1}", "wanted is"},
		{"{\"key\":\"a\",\"key\":\"b\"}", "duplicate object key"},
		{"{\"key\":\"a\",\"key_base64\":\"YQ==\"}", "wanted is"},
		{"{\"key\":\"a\",\"value\":\"b\",\"more\":\"c\"}", "wanted is"},
		{"{\"key\":\"a\",\"value\":\"b\"} x", "end of file expected"},
		{"{\"key\":\"a\",\"value\":\"b", "premature end"},
		{"{\"key\":\"a\",\"value\":\"b\\", "invalid escape"},
		{"{\"key\":\"a\",\"value\":\"\\q\"}", "invalid escape"},
		{"{\"key\":\"a\",\"value\":\"\\u12g4\"}", "invalid escape"},
		{"{\"key\":\"a\",\"value\":\"\\ud800\"}", "invalid Unicode"},
		{"{\"key\":\"a\",\"value\":\"\\ude00\"}", "invalid Unicode"},
		{"{\"key\":\"a\",\"value\":\"\\ud800\\u0041\"}",
		 "invalid Unicode"},
		{"{\"key\":\"a\",\"value\":\"\x01\"}", "control character"},
		{"{\"key\":\"a\",\"value\":\"\xff\"}", "unable to decode byte"},
		{"{\"key\":\"a\",\"value\":\"\xc0\x80\"}",
		 "unable to decode byte"},
		{"{\"key\":\"a\",\"value\":\"\xed\xa0\x80\"}",
		 "unable to decode byte"},
		{"{\"key\":\"a\",\"value\":\"\xf4\x90\x80\x80\"}",
		 "unable to decode byte"},
		{"{\"key\":\"a\",\"value_base64\":\"A\"}", "base64"},
		{"{\"key\":\"a\",\"value_base64\":\"A===\"}", "base64"},
		{"{\"key\":\"a\",\"value_base64\":\"AB==\"}", "base64"},
		{"{\"key\":\"a\",\"value_base64\":\"AA==AA==\"}", "base64"},
		{"{\"key\":\"\",\"value\":\"b\"}", "the key is empty"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text),
			 "{\"key\":\"x\",\"value\":\"y\"}\n%s\n",
			 cases[i].text);
		assert_refused(ROWS_JSON, text, 2, cases[i].why);
	}
}

/* ---- CSV --------------------------------------------------------------------- */

static void csv_is_read_as_the_rfc_says(void **state)
{
	(void)state;
	assert_reads(ROWS_CSV, "key,value\na,b\n", "a", "b");
	assert_reads(ROWS_CSV, "key,value\r\na,b", "a", "b");
	assert_reads(ROWS_CSV, "\"key\",\"value\"\n\"a,\"\"\n\",\n", "a,\"\n",
		     "");
	assert_reads(ROWS_CSV, "key,value\r\na,\"\r\n\"\r\n", "a", "\r\n");
}

static void csv_that_is_wrong_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused(ROWS_CSV, "a,b\n", 1, "the first line");
	assert_refused(ROWS_CSV, "key,value\na,b\na\n", 3, "two fields");
	assert_refused(ROWS_CSV, "key,value\na,b,c\n", 2, "two fields");
	assert_refused(ROWS_CSV, "key,value\n\n", 2, "two fields");
	assert_refused(ROWS_CSV, "key,value\n,b\n", 2, "the key is empty");
	assert_refused(ROWS_CSV, "key,value\n\"a\n\n\",b\nc,\"d", 5,
		       "not closed");
	assert_refused(ROWS_CSV, "key,value\na,b\"c\n", 2, "a quote within");
	assert_refused(ROWS_CSV, "key,value\na,\"b\"c\n", 2, "text behind");
	assert_refused(ROWS_CSV, "key,value\na,b\rc\n", 2, "carriage return");
}

/* ---- batches ------------------------------------------------------------------ */

static void batch_is_puts_and_dels(void **state)
{
	static const char text[] = "put a b c\\n\nput \\x00\\x20 \ndel a\n";
	struct input input;

	(void)state;
	open_input(&input, ROWS_BATCH, text, strlen(text));
	assert_int_equal(rows_next(&input.rows, &input.row), 1);
	assert_bytes(&input.row.key, "a", 1);
	assert_bytes(&input.row.value, "b c\n", 4);
	assert_int_equal(rows_next(&input.rows, &input.row), 1);
	assert_bytes(&input.row.key, "\0 ", 2);
	assert_bytes(&input.row.value, "", 0);
	assert_false(input.row.is_deletion);
	assert_int_equal(rows_next(&input.rows, &input.row), 1);
	assert_bytes(&input.row.key, "a", 1);
	assert_true(input.row.is_deletion);
	assert_int_equal(rows_next(&input.rows, &input.row), 0);
	close_input(&input);
}

static void batch_that_is_wrong_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused(ROWS_BATCH, "put a b\n\n", 2, "an empty line");
	assert_refused(ROWS_BATCH, "get a\n", 1, "wanted is");
	assert_refused(ROWS_BATCH, "putt a b\n", 1, "wanted is");
	assert_refused(ROWS_BATCH, "put\n", 1, "the key is missing");
	assert_refused(ROWS_BATCH, "put a\n", 1, "the value is missing");
	assert_refused(ROWS_BATCH, "put  b\n", 1, "the key is empty");
	assert_refused(ROWS_BATCH, "del a b\n", 1, "nothing else");
	assert_refused(ROWS_BATCH, "put a \\q\n", 1, "a backslash");
	assert_refused(ROWS_BATCH, "put a \\x1\n", 1, "a backslash");
	assert_refused(ROWS_BATCH, "put a \\", 1, "a backslash");
}

/* ---- all ------------------------------------------------------------------------ */

static void too_long_is_refused(void **state)
{
	static const enum rows_format formats[] = {ROWS_JSON, ROWS_CSV};
	char *long_key = calloc(1, 1026);

	(void)state;
	memset(long_key, 'k', 1025);
	for (size_t i = 0; i < 2; i++) {
		struct input input;
		size_t len = 0;
		char *text = NULL;
		FILE *to = open_memstream(&text, &len);

		rows_print_header(formats[i], to);
		assert_int_equal(
			rows_print(formats[i], long_key, 1024, "", 0, to), 0);
		rows_print(formats[i], long_key, 1025, "", 0, to);
		fclose(to);
		open_input(&input, formats[i], text, len);
		assert_int_equal(rows_next(&input.rows, &input.row), 1);
		assert_int_equal(rows_next(&input.rows, &input.row), -EBADMSG);
		assert_non_null(strstr(input.rows.why, "1024"));
		close_input(&input);
		free(text);
	}
	free(long_key);
}

/* Short ones of few kinds of bytes meet the special ones often. */
static size_t make_bytes(struct rng *rng, char *bytes, size_t least)
{
	static const char few[] = "a,\"\n\r\\\t {}\x7f\xc3\xa9\xff\x01";
	size_t len = least + rng_below(rng, 9);

	for (size_t i = 0; i < len; i++)
		bytes[i] = rng_below(rng, 4) ? few[rng_below(rng, sizeof(few))]
					     : (char)rng_below(rng, 256);
	return len;
}

static void print_escaped_batch(const char *key, size_t key_len,
				const char *value, size_t value_len, FILE *to)
{
	fputs("put ", to);
	for (size_t i = 0; i < key_len; i++)
		if (key[i] == ' ')
			fputs("\\x20", to);
		else
			bytes_print_escaped(key + i, 1, to);
	putc(' ', to);
	bytes_print_escaped(value, value_len, to);
	putc('\n', to);
}

static void any_bytes_come_back_as_they_were(void **state)
{
	static const enum rows_format formats[] = {ROWS_JSON, ROWS_CSV,
						   ROWS_BATCH};
	const uint64_t seed = 14;
	struct rng rng;

	(void)state;
	rng_seed(&rng, seed);
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = support_is_valgrind() ? 5700 : 0; i < 6000; i++) {
		enum rows_format format = formats[i % 3];
		char key[16], value[16], *text = NULL;
		size_t key_len = make_bytes(&rng, key, 1);
		size_t value_len = make_bytes(&rng, value, 0), len = 0;
		FILE *to = open_memstream(&text, &len);
		struct input input;

		rows_print_header(format, to);
		if (format == ROWS_BATCH)
			print_escaped_batch(key, key_len, value, value_len, to);
		else
			assert_int_equal(rows_print(format, key, key_len, value,
						    value_len, to),
					 0);
		fclose(to);
		open_input(&input, format, text, len);
		assert_int_equal(rows_next(&input.rows, &input.row), 1);
		assert_bytes(&input.row.key, key, key_len);
		assert_bytes(&input.row.value, value, value_len);
		assert_int_equal(rows_next(&input.rows, &input.row), 0);
		close_input(&input);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_read_in_every_spelling),
		cmocka_unit_test(json_that_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(csv_is_read_as_the_rfc_says),
		cmocka_unit_test(csv_that_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(batch_is_puts_and_dels),
		cmocka_unit_test(batch_that_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(too_long_is_refused),
		cmocka_unit_test(any_bytes_come_back_as_they_were),
	};

	return SUPPORT_MAIN(tests);
}
