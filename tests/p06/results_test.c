/* Results as JSON and back, what is rejected in it, results compared, and as
 * CSV. Files are in results_file_test.c. */
#include "lib/measure/results.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/measure/trial.h"
#include "p06-bench/cmd/print.h"
#include "tests/p06/results_fixture.h"

static struct results made;

static int make(void **state)
{
	(void)state;
	make_results(&made);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	results_free(&made);
	return 0;
}

/* ---- there and back ---------------------------------------------------------------- */

static void run_survives_json(void **state)
{
	json_t *json = results_to_json(&made), *again;
	struct results back;
	char why[RESULTS_WHY] = "";

	(void)state;
	assert_non_null(json);
	if (results_from_json(json, &back, why) < 0)
		fail_msg("%s", why);
	again = results_to_json(&back);
	assert_true(json_equal(json, again));
	assert_int_equal(back.created, made.created);
	assert_int_equal(back.row[0].figures.trials, 3);
	for (int t = 0; t < 3; t++)
		for (size_t field = 0; field < TRIAL_FIELDS; field++)
			assert_true(trial_get(&back.row[1].figures.trial[t],
					      field) ==
				    trial_get(&made.row[1].figures.trial[t],
					      field));
	assert_string_equal(back.row[2].figures.why, made.row[2].figures.why);
	assert_int_equal(back.row[2].figures.error, -EMSGSIZE);
	assert_null(back.row[0].figures.mechanism);
	json_decref(json);
	json_decref(again);
	results_free(&back);
}

static void schema_and_every_trial_are_in_the_json(void **state)
{
	json_t *json = results_to_json(&made);
	const json_t *row;

	(void)state;
	assert_string_equal(json_string_value(json_object_get(json, "schema")),
			    "unixipc-benchmark/1");
	row = json_array_get(json_object_get(json, "rows"), 0);
	assert_int_equal(json_array_size(json_object_get(row, "trials")), 3);
	row = json_array_get(json_object_get(json, "rows"), 2);
	assert_true(json_is_null(json_object_get(row, "median")));
	json_decref(json);
}

/* ---- what a file may not be --------------------------------------------------------- */

static void assert_rejected(const json_t *json, const char *what)
{
	struct results back;
	char why[RESULTS_WHY] = "";
	int r = results_from_json(json, &back, why);

	if (r != -EBADMSG)
		fail_msg("accepted: %s", what);
	assert_true(why[0] && !strchr(why, '\n'));
}

/* What is worked out again from the trials is not needed. */
static bool is_needed(const char *key)
{
	static const char *const not_needed[] = {
		"median", "spread_throughput", "spread_rtt", "unstable", NULL};

	for (size_t i = 0; not_needed[i]; i++)
		if (strcmp(key, not_needed[i]) == 0)
			return false;
	return true;
}

/* One value of an object inside json, in turn: an array in an array, a huge
 * number, a negative one, a control character, gone. */
static void spoil_value(json_t *json, json_t *object, const char *key)
{
	json_t *value = json_incref(json_object_get(object, key));
	json_t *spoilt[] = {json_pack("[[]]"), json_real(1e308),
			    json_integer(-1), json_string("\n")};

	for (size_t i = 0; i < 4; i++) {
		json_object_set_new(object, key, spoilt[i]);
		if (i != 1 || !json_is_real(value)) /* that is a number */
			assert_rejected(json, key);
	}
	json_object_del(object, key);
	if (strcmp(key, "line_rtt_ns") != 0)
		assert_rejected(json, key);
	json_object_set_new(object, key, value);
}

static void spoil_object(json_t *json, json_t *object)
{
	json_t *copy = json_copy(object), *value;
	const char *key;

	json_object_foreach(copy, key, value) if (is_needed(key))
		spoil_value(json, object, key);
	json_decref(copy);
}

static void every_spoilt_field_is_rejected(void **state)
{
	json_t *json = results_to_json(&made), *rows, *row, *error;
	struct results back;
	char why[RESULTS_WHY] = "";

	(void)state;
	rows = json_object_get(json, "rows");
	row = json_array_get(rows, 0);
	error = json_object_get(json_array_get(rows, 2), "error");
	spoil_object(json, json);
	spoil_object(json, json_object_get(json, "machine"));
	spoil_object(json, json_object_get(json, "options"));
	spoil_object(json, json_object_get(json, "line_rtt_ns"));
	spoil_object(json, row);
	spoil_object(json, json_object_get(row, "cost"));
	spoil_object(json, json_array_get(json_object_get(row, "trials"), 2));
	spoil_object(json, error);
	assert_int_equal(results_from_json(json, &back, why), 0);
	results_free(&back);
	json_decref(json);
}

static void message_says_where_the_flaw_is(void **state)
{
	json_t *json = results_to_json(&made), *trial;
	struct results back;
	char why[RESULTS_WHY] = "";

	(void)state;
	trial = json_array_get(
		json_object_get(
			json_array_get(json_object_get(json, "rows"), 1),
			"trials"),
		2);
	json_object_set_new(trial, "rtt_p50", json_string("fast"));
	assert_int_equal(results_from_json(json, &back, why), -EBADMSG);
	assert_string_equal(why, "rows[1].trials[2].rtt_p50 is not a number");
	json_decref(json);
}

static void another_version_is_named(void **state)
{
	json_t *json = results_to_json(&made);
	struct results back;
	char why[RESULTS_WHY] = "";

	(void)state;
	json_object_set_new(json, "schema", json_string("unixipc-benchmark/2"));
	assert_int_equal(results_from_json(json, &back, why), -EBADMSG);
	assert_string_equal(
		why, "another version: schema \"unixipc-benchmark/2\", wanted "
		     "unixipc-benchmark/1");
	json_decref(json);
}

static void any_other_json_is_rejected(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{}",
		"null",
		"3",
		"\"x\"",
		"{\"schema\": 1}",
		"{\"schema\": \"unixipc-benchmark/1\"}",
		"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		assert_non_null(json);
		assert_rejected(json, texts[i]);
		json_decref(json);
	}
}

static void escapes_for_a_terminal_are_rejected(void **state)
{
	static const char *const titles[] = {"\x1b[2J", "a\tb", "\x7f",
					     "\xc2\x9b[2J", NULL};
	json_t *json = results_to_json(&made), *row;

	(void)state;
	row = json_array_get(json_object_get(json, "rows"), 0);
	for (size_t i = 0; titles[i]; i++) {
		json_object_set_new(row, "title", json_string(titles[i]));
		assert_rejected(json, titles[i]);
	}
	json_decref(json);
}

/* ---- comparing -------------------------------------------------------------------------- */

static void change_within_the_spreads_is_not_marked(void **state)
{
	struct measure_options o = MEASURE_OPTIONS_INIT;
	struct results_comparison c;
	struct results now;

	(void)state;
	results_init(&now, &o);
	add_figures(&now, &mech_shm_sem, 1024, 2.8e9 * 1.25, 0.1);
	add_figures(&now, &mech_shm_sem, 2048, 1e9, 0.1);

	results_compare(&now.row[0], &made, &c); /* 25 % of 20 + 10 */
	assert_ptr_equal(c.earlier, &made.row[1]);
	assert_true(c.throughput.ratio > 1.24 && c.throughput.ratio < 1.26);
	assert_false(c.throughput.is_marked);
	assert_true(c.rtt_p50.ratio == 1);
	assert_false(c.rtt_p50.is_marked);

	results_compare(&now.row[1], &made, &c); /* no such size then */
	assert_null(c.earlier);
	assert_true(c.throughput.ratio == 0);
	results_free(&now);
}

static void change_beyond_the_spreads_is_marked_either_way(void **state)
{
	struct measure_options o = MEASURE_OPTIONS_INIT;
	struct results_comparison c;
	struct results now;

	(void)state;
	results_init(&now, &o);
	add_figures(&now, &mech_pipe, 1024, 1.2e9 * 1.06, 0.02);
	add_figures(&now, &mech_pipe, 1024, 1.2e9 / 1.06, 0.02);
	for (size_t i = 0; i < 2; i++) { /* 6 % of 2 + 2 */
		results_compare(&now.row[i], &made, &c);
		assert_true(c.throughput.is_marked);
	}
	results_free(&now);
}

static void row_without_figures_is_not_compared(void **state)
{
	struct results_comparison c;

	(void)state;
	results_compare(&made.row[2], &made, &c);
	assert_ptr_equal(c.earlier, &made.row[2]);
	assert_true(c.throughput.ratio == 0 && !c.throughput.is_marked);
}

/* ---- CSV ---------------------------------------------------------------------------------- */

static void csv_has_a_line_for_each_row_and_quotes(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	/* The last three columns: unstable, is_disturbed, error. */
	made.row[0].figures.is_unstable = true;
	made.row[1].figures.is_unstable = false;
	made.row[1].figures.median.is_disturbed = true;
	assert_int_equal(print_csv(&made, to), 0);
	fclose(to);
	assert_non_null(strstr(text, ",yes,no,\nshm-sem,"));
	assert_non_null(strstr(text, ",no,yes,\nposix-mq,"));
	assert_int_equal(
		strncmp(text, "mechanism,msg_size,throughput,latency,", 38), 0);
	assert_non_null(strstr(text, "\npipe,1024,1200000000,60000.0,two,"));
	assert_non_null(strstr(text, "\nposix-mq,1024,,,two,"));
	assert_non_null(strstr(text, ",\"message limit 512 bytes; raise: "
				     "\"\"sysctl\"\", please\"\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(run_survives_json, make,
						unmake),
		cmocka_unit_test_setup_teardown(
			schema_and_every_trial_are_in_the_json, make, unmake),
		cmocka_unit_test_setup_teardown(every_spoilt_field_is_rejected,
						make, unmake),
		cmocka_unit_test_setup_teardown(message_says_where_the_flaw_is,
						make, unmake),
		cmocka_unit_test_setup_teardown(another_version_is_named, make,
						unmake),
		cmocka_unit_test_setup_teardown(any_other_json_is_rejected,
						make, unmake),
		cmocka_unit_test_setup_teardown(
			escapes_for_a_terminal_are_rejected, make, unmake),
		cmocka_unit_test_setup_teardown(
			change_within_the_spreads_is_not_marked, make, unmake),
		cmocka_unit_test_setup_teardown(
			change_beyond_the_spreads_is_marked_either_way, make,
			unmake),
		cmocka_unit_test_setup_teardown(
			row_without_figures_is_not_compared, make, unmake),
		cmocka_unit_test_setup_teardown(
			csv_has_a_line_for_each_row_and_quotes, make, unmake),
	};

	return SUPPORT_MAIN(tests);
}
