#include "lib/cmd/out.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- tables --------------------------------------------------------------- */

struct row {
	char *note;   /* not NULL: the row is this line and has no cells */
	char **cells; /* one a column; NULL is empty */
	size_t n_cells;
};

struct out_table {
	const struct out_column *columns;
	size_t n_columns;
	struct row *rows;
	size_t n_rows, room;
	bool is_broken; /* something is missing: memory was short */
};

struct out_table *out_table_new(const struct out_column *columns, size_t n)
{
	struct out_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->n_columns = n;
	return table;
}

void out_table_free(struct out_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_rows; i++) {
		struct row *row = &table->rows[i];

		for (size_t c = 0; c < row->n_cells; c++)
			free(row->cells[c]);
		free(row->cells);
		free(row->note);
	}
	free(table->rows);
	free(table);
}

/* A new, empty row at the end, or NULL with the table marked. */
static struct row *add_row(struct out_table *table)
{
	if (table->n_rows == table->room) {
		size_t room = table->room ? 2 * table->room : 16;
		struct row *rows =
			reallocarray(table->rows, room, sizeof(*rows));

		if (!rows) {
			table->is_broken = true;
			return NULL;
		}
		table->rows = rows;
		table->room = room;
	}
	table->rows[table->n_rows] = (struct row){0};
	return &table->rows[table->n_rows++];
}

void out_table_row(struct out_table *table)
{
	struct row *row = add_row(table);

	if (!row)
		return;
	row->cells = calloc(table->n_columns, sizeof(*row->cells));
	if (!row->cells)
		table->is_broken = true;
}

void out_table_cell(struct out_table *table, const char *format, ...)
{
	struct row *row;
	va_list args;
	char *text;
	int len;

	if (table->is_broken)
		return;
	assert(table->n_rows > 0);
	row = &table->rows[table->n_rows - 1];
	assert(!row->note && row->n_cells < table->n_columns);

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		table->is_broken = true;
	else
		row->cells[row->n_cells++] = text;
}

void out_table_note(struct out_table *table, const char *format, ...)
{
	struct row *row = add_row(table);
	va_list args;
	int len;

	if (!row)
		return;
	va_start(args, format);
	len = vasprintf(&row->note, format, args);
	va_end(args);
	if (len < 0) {
		row->note = NULL;
		table->is_broken = true;
	}
}

/* Characters, not bytes: all but the second and later bytes of UTF-8. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static const char *cell_at(const struct row *row, size_t column)
{
	return column < row->n_cells ? row->cells[column] : "";
}

static size_t column_width(const struct out_table *table, size_t column)
{
	size_t widest = width_of(table->columns[column].title);

	for (size_t i = 0; i < table->n_rows; i++) {
		size_t width = width_of(cell_at(&table->rows[i], column));

		if (width > widest)
			widest = width;
	}
	return widest;
}

/* What a cell holds may come from elsewhere: no line breaks, no escape
 * sequences. */
static void put_text(const char *text, FILE *to)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text,
		     to);
}

/* *blanks are owed to the line: they are paid when text follows, so that no
 * line ends in them. */
static void put_cell(const char *text, size_t width, enum out_align align,
		     size_t *blanks, FILE *to)
{
	size_t pad = width - width_of(text);

	if (align == OUT_RIGHT)
		*blanks += pad;
	if (*text) {
		fprintf(to, "%*s", (int)*blanks, "");
		*blanks = 0;
		put_text(text, to);
	}
	if (align == OUT_LEFT)
		*blanks += pad;
}

/* The titles, where row is NULL. */
static void put_row(const struct out_table *table, const struct row *row,
		    const size_t *widths, FILE *to)
{
	size_t blanks = 0;

	if (row && row->note) {
		put_text(row->note, to);
	} else {
		for (size_t c = 0; c < table->n_columns; c++) {
			const struct out_column *column = &table->columns[c];

			put_cell(row ? cell_at(row, c) : column->title,
				 widths[c], column->align, &blanks, to);
			blanks += 2;
		}
	}
	putc('\n', to);
}

/* What stdio has noticed so far; the caller's writes are checked at once. */
static int written(FILE *to)
{
	errno = 0;
	if (fflush(to) == 0 && !ferror(to))
		return 0;
	return errno ? -errno : -EIO;
}

int out_table_print(const struct out_table *table, FILE *to)
{
	size_t *widths, total = 0;

	if (table->is_broken)
		return -ENOMEM;
	widths = calloc(table->n_columns, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	for (size_t c = 0; c < table->n_columns; c++) {
		widths[c] = column_width(table, c);
		total += widths[c] + (c > 0 ? 2 : 0);
	}
	put_row(table, NULL, widths, to);
	while (total-- > 0)
		fputs("─", to);
	putc('\n', to);
	for (size_t i = 0; i < table->n_rows; i++)
		put_row(table, &table->rows[i], widths, to);
	free(widths);
	return written(to);
}

static void put_csv_field(const char *text, FILE *to)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, to);
		return;
	}
	putc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', to);
		putc(*text, to);
	}
	putc('"', to);
}

static void put_csv_row(const struct out_table *table, const struct row *row,
			FILE *to)
{
	for (size_t c = 0; c < table->n_columns; c++) {
		if (c > 0)
			putc(',', to);
		put_csv_field(row ? cell_at(row, c) : table->columns[c].title,
			      to);
	}
	putc('\n', to);
}

int out_table_print_csv(const struct out_table *table, FILE *to)
{
	if (table->is_broken)
		return -ENOMEM;
	put_csv_row(table, NULL, to);
	for (size_t i = 0; i < table->n_rows; i++)
		if (!table->rows[i].note)
			put_csv_row(table, &table->rows[i], to);
	return written(to);
}

/* ---- numbers for people --------------------------------------------------------- */

/* Scale by 1000 to one of units and print three digits of it. Unscaled whole
 * numbers stay whole. */
static const char *scaled(double value, const char *const *units, size_t n,
			  char *buf, size_t size)
{
	size_t unit = 0;
	double shown = fabs(value);

	if (!isfinite(value)) {
		snprintf(buf, size, "-");
		return buf;
	}
	/* 999.5 would be printed as 1000. */
	while (shown >= 999.5 && unit + 1 < n) {
		shown /= 1000;
		unit++;
	}
	if (unit == 0 && shown == floor(shown))
		snprintf(buf, size, "%.0f%s", value, units[0]);
	else
		snprintf(buf, size, "%s%.*f%s", value < 0 ? "-" : "",
			 shown >= 99.95   ? 0
			 : shown >= 9.995 ? 1
					  : 2,
			 shown, units[unit]);
	return buf;
}

#define SCALED(value, units, buf, size) \
	scaled(value, units, sizeof(units) / sizeof((units)[0]), buf, size)

const char *out_rate(double bytes_per_s, char *buf, size_t size)
{
	static const char *const units[] = {" B/s", " kB/s", " MB/s", " GB/s",
					    " TB/s"};

	return SCALED(bytes_per_s, units, buf, size);
}

const char *out_number(double value, char *buf, size_t size)
{
	static const char *const units[] = {"", "k", "M", "G", "T"};

	return SCALED(value, units, buf, size);
}

const char *out_duration(double ns, char *buf, size_t size)
{
	static const char *const units[] = {" ns", " us", " ms", " s"};

	return SCALED(ns, units, buf, size);
}

bool out_has_colour(FILE *stream)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	/* Ours are no files to stdio: out_stream.c. */
	int fd = stream == stdout   ? STDOUT_FILENO
		 : stream == stderr ? STDERR_FILENO
				    : fileno(stream);

	return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}
