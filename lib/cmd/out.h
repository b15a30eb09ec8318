/* out.h - results on standard output: aligned tables, JSON, CSV.
 *
 * For commands, and not for threads. Cells are UTF-8; their width is counted
 * in characters. What could not be written (a full disk, a closed pipe) is
 * noticed at exit and makes the status 1.
 */
#ifndef UNIXIPC_LIB_CMD_OUT_H
#define UNIXIPC_LIB_CMD_OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum out_align { OUT_LEFT, OUT_RIGHT };

struct out_column {
	const char *title;
	enum out_align align;
};

struct out_table; /* opaque; owns copies of all cells */

/* NULL when memory is short, as with malloc. columns must outlive it. */
struct out_table *out_table_new(const struct out_column *columns, size_t n);
void out_table_free(struct out_table *table);

/* Begin a row, then add its cells from the left; missing ones are empty, a
 * cell beyond the last column is a bug (assert). Out of memory: the table is
 * marked, and printing it returns -ENOMEM. */
void out_table_row(struct out_table *table);
void out_table_cell(struct out_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A row that is one line of text across all columns ("queue limit: …"). */
void out_table_note(struct out_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Print: columns two blanks apart, a rule of U+2500 under the titles, '?' for
 * control characters. CSV per RFC 4180 (fields quoted where needed, LF line
 * ends), notes left out. Both flush. Return 0 or -errno. */
int out_table_print(const struct out_table *table, FILE *to);
int out_table_print_csv(const struct out_table *table, FILE *to);

/* Print the value, indented, keys in order of insertion, reals with 12 digits,
 * with a newline, and flush. Takes the reference. Returns 0 or -errno, -ENOMEM
 * for NULL: what jansson gives when it has no memory. */
int out_json(json_t *value, FILE *to);

/* Numbers for people: scaled by 1000 to three significant digits, "1.20 GB/s";
 * whole numbers below 1000 stay whole, "512 B/s"; what is no number is "-".
 * buf, of 16 bytes or more, is returned. */
const char *out_rate(double bytes_per_s, char *buf, size_t size);
const char *out_number(double value, char *buf, size_t size); /* 1.53M */
const char *out_duration(double ns, char *buf, size_t size);  /* 12.3 us */

/* Whether to write colours to this stream: a terminal, NO_COLOR unset or empty,
 * TERM set and not "dumb". */
bool out_has_colour(FILE *stream);

/* Check standard output at exit: cannot be written = a line and status 1.
 * cli_parse() calls it. */
void out_check_at_exit(void);

#endif
