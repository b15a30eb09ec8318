/* out.h - results on standard output: aligned tables, JSON, CSV; and the two
 * standard streams, whose readers may be slow, or gone.
 *
 * For commands, and not for threads, unless a function says so. Cells are
 * UTF-8; their width is counted in characters.
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

/* ---- the streams themselves ---- */

/* Watch both; cli_parse() calls it. From then on, whatever is printed to stdout or
 * stderr, by any thread:
 *  - A reader that does not read is waited for, but not beyond a stop: then
 *    for 300 ms in all, and what is not written is lost.
 *  - What cannot be written to standard output (its reader has gone, a full
 *    disk, a limit of the size of files) ends the work: who has called
 *    stop_install() is asked to stop, as by a signal (stop_signal() is
 *    SIGPIPE), and others end at once. It is said in one line, unless die.h
 *    says what is wrong, and the status is 1.
 * What is written to descriptors 1 and 2 by other ways is not watched. Of
 * stdout and stderr fileno(3) is -1 then. */
void out_check_at_exit(void);

/* For services, once, before the first thread: both are a log from now on, and
 * nobody who reads it, or does not, holds us up. A reader that has stopped
 * reading is waited for once, for 100 ms; then lines are dropped until it reads
 * again, and a line says how many ("calc_server: 12 lines dropped: nobody read
 * them"). So flush whole lines. What cannot be written at all is as above.
 * Children inherit the descriptors as they were: O_NONBLOCK is set on none that
 * others have. Any thread may print. */
void out_as_log(void);

/* Whether output that fails so is no failure of ours: we were told to stop, and its
 * reader, or the terminal, has gone too, or does not read. For who writes to
 * descriptor 1 by other ways; what is printed is excused as it is. */
bool out_is_excused(int error);

/* Write a line to standard error, as die.h does: waiting as above. Any thread. */
void out_put_error(const char *line, size_t len);

#endif
