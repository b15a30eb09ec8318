/* Linked with --wrap for what allocates, which can then be made to fail. */
#include "lib/cmd/out.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many more allocations succeed; negative: all. */
static int allocations_left = -1;

static bool may_allocate(void)
{
	if (allocations_left < 0)
		return true;
	return allocations_left-- > 0 || (allocations_left = 0);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return may_allocate() ? __real_reallocarray(old, n, size) : NULL;
}

int __real_vasprintf(char **text, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **text, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **text, const char *format, va_list args)
{
	if (may_allocate())
		return __real_vasprintf(text, format, args);
	*text = (char *)1; /* undefined, says the manual */
	return -1;
}

static const struct out_column columns[] = {
	{"Mechanism", OUT_LEFT},
	{"Rate", OUT_RIGHT},
	{"Remark", OUT_LEFT},
};

static struct out_table *new_table(void)
{
	struct out_table *table = out_table_new(columns, 3);

	assert_non_null(table);
	return table;
}

/* What print writes, allocated. */
static char *printed(const struct out_table *table,
		     int (*print)(const struct out_table *table, FILE *to))
{
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	assert_int_equal(print(table, to), 0);
	assert_int_equal(fclose(to), 0);
	return text;
}

static void assert_table(struct out_table *table, const char *wanted)
{
	char *text = printed(table, out_table_print);

	assert_string_equal(text, wanted);
	free(text);
	out_table_free(table);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	struct out_table *table = new_table();

	(void)state;
	out_table_row(table);
	out_table_cell(table, "pipe");
	out_table_cell(table, "%d", 123456);
	out_table_cell(table, "fast");
	out_table_row(table);
	out_table_cell(table, "a long mechanism");
	out_table_cell(table, "%d", 1);
	out_table_cell(table, "slow");
	assert_table(table, "Mechanism           Rate  Remark\n"
			    "────────────────────────────────\n"
			    "pipe              123456  fast\n"
			    "a long mechanism       1  slow\n");
}

static void width_counts_characters_and_not_bytes(void **state)
{
	struct out_table *table = new_table();

	(void)state;
	out_table_row(table);
	out_table_cell(table, "µs→ns äöü");
	out_table_cell(table, "é");
	out_table_cell(table, "x");
	assert_table(table, "Mechanism  Rate  Remark\n"
			    "───────────────────────\n"
			    "µs→ns äöü     é  x\n");
}

static void missing_cells_are_empty_and_no_line_ends_in_blanks(void **state)
{
	struct out_table *table = new_table();

	(void)state;
	out_table_row(table);
	out_table_row(table);
	out_table_cell(table, "pipe");
	out_table_row(table);
	out_table_cell(table, "%s", "");
	out_table_cell(table, "%s", "");
	out_table_cell(table, "x");
	assert_table(table, "Mechanism  Rate  Remark\n"
			    "───────────────────────\n"
			    "\n"
			    "pipe\n"
			    "                 x\n");
}

static void note_goes_across_all_columns(void **state)
{
	struct out_table *table = new_table();

	(void)state;
	out_table_note(table, "queue limit: %d bytes, a line longer than all",
		       8192);
	out_table_row(table);
	out_table_cell(table, "pipe");
	assert_table(table, "Mechanism  Rate  Remark\n"
			    "───────────────────────\n"
			    "queue limit: 8192 bytes, a line longer than all\n"
			    "pipe\n");
}

static void control_characters_do_not_reach_a_terminal(void **state)
{
	struct out_table *table = new_table();

	(void)state;
	out_table_row(table);
	out_table_cell(table, "a\033[2J\nb\177");
	out_table_note(table, "c\rd");
	assert_table(table, "Mechanism  Rate  Remark\n"
			    "───────────────────────\n"
			    "a?[2J?b?\n"
			    "c?d\n");
}

static void table_without_rows_is_its_titles(void **state)
{
	(void)state;
	assert_table(new_table(), "Mechanism  Rate  Remark\n"
				  "───────────────────────\n");
	out_table_free(NULL);
}

static void csv_quotes_what_needs_it_and_leaves_notes_out(void **state)
{
	struct out_table *table = new_table();
	char *text;

	(void)state;
	out_table_row(table);
	out_table_cell(table, "plain");
	out_table_cell(table, "1,5");
	out_table_cell(table, "say \"hi\"\nthere");
	out_table_note(table, "not for machines");
	out_table_row(table);
	text = printed(table, out_table_print_csv);
	assert_string_equal(text, "Mechanism,Rate,Remark\n"
				  "plain,\"1,5\",\"say \"\"hi\"\"\nthere\"\n"
				  ",,\n");
	free(text);
	out_table_free(table);
}

static void many_rows_stay_in_order(void **state)
{
	struct out_table *table = new_table();
	const char *line;
	char *text;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		out_table_row(table);
		out_table_cell(table, "%d", i);
	}
	text = printed(table, out_table_print_csv);
	line = text;
	for (int i = 0; i < 1000; i++) {
		line = strchr(line, '\n') + 1;
		assert_int_equal(strtol(line, NULL, 10), i);
	}
	free(text);
	out_table_free(table);
}

/* The table of one more allocation each time, until it had enough. */
static void short_memory_marks_the_table_and_crashes_nothing(void **state)
{
	FILE *null = fopen("/dev/null", "we");
	int error = -ENOMEM, tries = 0;

	(void)state;
	assert_non_null(null);
	for (; error == -ENOMEM && tries < 50; tries++) {
		struct out_table *table;

		allocations_left = tries;
		table = out_table_new(columns, 3);
		if (table) {
			out_table_row(table);
			out_table_cell(table, "a");
			out_table_note(table, "b");
			out_table_row(table);
			out_table_cell(table, "c");
			allocations_left = -1;
			error = out_table_print_csv(table, null);
			assert_int_equal(out_table_print(table, null), error);
			allocations_left = 0; /* for the widths */
			assert_int_equal(out_table_print(table, null), -ENOMEM);
			out_table_free(table);
		}
		allocations_left = -1;
	}
	fclose(null);
	assert_int_equal(error, 0);
	assert_int_equal(tries, 8); /* seven allocations: all have failed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(width_counts_characters_and_not_bytes),
		cmocka_unit_test(
			missing_cells_are_empty_and_no_line_ends_in_blanks),
		cmocka_unit_test(note_goes_across_all_columns),
		cmocka_unit_test(control_characters_do_not_reach_a_terminal),
		cmocka_unit_test(table_without_rows_is_its_titles),
		cmocka_unit_test(csv_quotes_what_needs_it_and_leaves_notes_out),
		cmocka_unit_test(many_rows_stay_in_order),
		cmocka_unit_test(
			short_memory_marks_the_table_and_crashes_nothing),
	};

	return SUPPORT_MAIN(tests);
}
