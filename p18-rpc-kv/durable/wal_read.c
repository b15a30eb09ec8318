/* wal_read.c - making a log, and finding in one what it says: see wal.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdio.h"
#include "p18-rpc-kv/durable/file.h"
#include "p18-rpc-kv/durable/wal_parts.h"

/* ---- which segments there are ------------------------------------------------ */

struct numbers {
	uint64_t *numbers; /* in their order */
	size_t n;
};

static int add_number(const char *name, void *arg)
{
	struct numbers *list = arg;
	const uint64_t number = file_number(name, SEGMENT_PREFIX);
	uint64_t *numbers;

	if (!number)
		return 0;
	numbers =
		realloc(list->numbers, (list->n + 1) * sizeof(*list->numbers));
	if (!numbers)
		return -ENOMEM;
	numbers[list->n++] = number;
	list->numbers = numbers;
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int list_numbers(int dir, struct numbers *list)
{
	int error = file_each(dir, add_number, list);

	if (!error && list->n)
		qsort(list->numbers, list->n, sizeof(*list->numbers),
		      compare_numbers);
	return error;
}

static int remove_segments(int dir, const uint64_t *numbers, size_t n)
{
	char name[SEGMENT_NAME_BYTES];
	int error = 0;

	for (size_t i = 0; i < n && !error; i++)
		error = file_remove(dir, segment_name(numbers[i], name));
	return !error && n ? file_sync(dir) : error;
}

/* ---- making a log ------------------------------------------------------------ */

static uint32_t check_bytes(uint32_t bytes)
{
	if (!bytes)
		return WAL_SEGMENT_BYTES;
	if (bytes < WAL_SEGMENT_MIN || bytes > WAL_SEGMENT_MAX ||
	    bytes % WAL_HEAD_BYTES)
		return 0;
	return bytes;
}

int wal_create(int dir, uint32_t segment_bytes)
{
	struct segment_head head = {.number = 1};
	struct numbers list = {0};
	int error = list_numbers(dir, &list), fd;

	head.bytes = check_bytes(segment_bytes);
	if (!error && !head.bytes)
		error = -EINVAL;
	if (!error)
		error = remove_segments(dir, list.numbers, list.n);
	free(list.numbers);
	if (error)
		return error;
	fd = wal_make_next(dir, head.bytes);
	if (fd < 0)
		return fd;
	error = wal_name_next(dir, fd, &head);
	fdio_close(&fd);
	return error;
}

/* ---- reading a segment ------------------------------------------------------- */

/* What the log says, as far as it was read. */
struct reading {
	struct wal *wal;
	struct wal_position snapshot;
	int (*visit)(const struct wal_entry *entry, void *arg);
	void *arg;
	struct damage *damage;
	/* The term of the entry that has the snapshot's index; has_it false: there
	 * is none. */
	uint64_t term;
	bool has_it;
};

static int blame(const struct reading *reading, uint64_t at, const char *what)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(reading->wal->head.number, name);
	return damage_note(reading->damage, name, at, what);
}

static int take_record(struct reading *reading, const uint8_t *bytes,
		       uint32_t at, const struct segment_record *record)
{
	struct wal *wal = reading->wal;
	const struct wal_entry entry = {
		.index = record->index,
		.term = record->term,
		.kind = record->kind,
		.len = record->len,
		.bytes = bytes + at + sizeof(*record),
	};

	if (entry.index > wal->last.index + 1)
		return blame(reading, at, "entries before this are missing");
	/* The first segment may begin by replacing entries of one that was dropped:
	 * then it does not go back to an entry that it could tell the term of. */
	if (entry.index <= wal->pieces[0].before.index)
		wal->pieces[0].before =
			(struct wal_position){entry.index - 1, 0};
	wal->last = (struct wal_position){entry.index, entry.term};
	if (entry.index <= reading->snapshot.index) {
		reading->has_it = entry.index == reading->snapshot.index;
		reading->term = entry.term;
	}
	return reading->visit(&entry, reading->arg);
}

/* Behind the bad record at that place: is there a sound one that was written after
 * it had been durable? */
static bool was_durable(const uint8_t *bytes, const struct segment_head *head,
			uint32_t bad, uint32_t zeros)
{
	struct segment_record record;

	for (uint32_t at = bad + 8; at < zeros; at += 8)
		if (segment_get(bytes, head, at, &record) &&
		    record.durable > bad)
			return true;
	return false;
}

/* Zeros over a torn tail; and again what stands before it since the last sync that
 * the records tell of. Of a server that was killed that may be in memory
 * only, and if its last sync failed, the kernel may take it for written. */
static int cut_and_write_again(struct wal *wal, uint8_t *bytes, uint32_t zeros)
{
	int error;

	wal->torn = zeros - wal->end;
	memset(bytes + wal->end, 0, wal->torn);
	error = file_write(wal->fd, bytes + wal->durable, zeros - wal->durable,
			   wal->durable);
	if (!error)
		error = file_sync(wal->fd);
	wal->durable = wal->end;
	return error;
}

static int read_records(struct reading *reading, uint8_t *bytes, bool is_last)
{
	struct wal *wal = reading->wal;
	struct segment_record record;
	uint32_t zeros;
	int error = 0;

	wal->end = wal->durable = WAL_HEAD_BYTES;
	while (!error && segment_get(bytes, &wal->head, wal->end, &record)) {
		error = take_record(reading, bytes, wal->end, &record);
		wal->durable = record.durable;
		wal->end += (uint32_t)segment_record_bytes(record.len);
	}
	if (error)
		return error;
	zeros = segment_zeros(bytes, wal->head.bytes, wal->end);
	if (!is_last) {
		if (zeros > wal->end)
			return blame(reading, wal->end,
				     "a record is bad, with more behind it");
		return 0;
	}
	/* Whole records, when it comes to writing. */
	zeros = (zeros + 7) & ~UINT32_C(7);
	if (was_durable(bytes, &wal->head, wal->end, zeros))
		return blame(reading, wal->end,
			     "a record is bad that was durable when those "
			     "behind it were written");
	return cut_and_write_again(wal, bytes, zeros);
}

/* Its bytes, of which the head has been checked. The caller frees them. */
static int load(struct reading *reading, uint8_t **bytes)
{
	const struct wal *wal = reading->wal;
	uint64_t size;
	ssize_t n;
	int error = file_size(wal->fd, &size);

	*bytes = NULL;
	if (error)
		return error;
	if (size != wal->head.bytes)
		return blame(reading, size, "the file is too short or long");
	*bytes = malloc(size);
	if (!*bytes)
		return -ENOMEM;
	n = file_read(wal->fd, *bytes, size, 0);
	if (n < 0)
		return (int)n;
	return (uint64_t)n == size ? 0 : -EIO;
}

/* Of the segment wal->head.number: its file and its head. */
static int open_segment(struct reading *reading)
{
	struct wal *wal = reading->wal;
	const uint64_t number = wal->head.number;
	char name[SEGMENT_NAME_BYTES];
	uint8_t bytes[WAL_HEAD_BYTES];
	const char *fault;
	ssize_t n;

	fdio_close(&wal->fd);
	wal->fd = file_open(wal->dir, segment_name(number, name));
	if (wal->fd == -ENOENT)
		return blame(reading, 0, "it is missing");
	if (wal->fd < 0)
		return damage_of_open(reading->damage, name, wal->fd);
	n = file_read(wal->fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return (int)n;
	fault = n == sizeof(bytes) ? segment_head_fault(bytes, number)
				   : "it is too short";
	if (fault)
		return blame(reading, 0, fault);
	memcpy(&wal->head, bytes, sizeof(wal->head));
	return 0;
}

/* ---- reading all of them ----------------------------------------------------- */

/* From which on they count: the last one that begins anew, or the first one there
 * is. Those before it are what wal_reset() was about to remove. */
static int find_first(struct reading *reading, const struct numbers *list,
		      size_t *first)
{
	struct wal *wal = reading->wal;
	int error;

	for (*first = list->n; *first > 0;) {
		const uint64_t number = list->numbers[--*first];

		if (*first + 1 < list->n &&
		    number + 1 != list->numbers[*first + 1]) {
			wal->head.number = number + 1;
			return blame(reading, 0, "it is missing");
		}
		wal->head.number = number;
		error = open_segment(reading);
		if (error)
			return error;
		if (wal->head.is_anew)
			break;
	}
	return 0;
}

static int read_segment(struct reading *reading, struct wal_piece *piece,
			bool is_first, bool is_last)
{
	struct wal *wal = reading->wal;
	uint8_t *bytes;
	int error;

	wal->head.number = piece->number;
	error = open_segment(reading);
	if (error)
		return error;
	piece->before = (struct wal_position){wal->head.before_index,
					      wal->head.before_term};
	if (is_first) {
		wal->last = piece->before;
		reading->has_it = wal->last.index == reading->snapshot.index;
		reading->term = wal->last.term;
		if (wal->last.index > reading->snapshot.index)
			return blame(
				reading, 0,
				"entries between the snapshot and this are "
				"missing");
	}
	if (piece->before.index != wal->last.index ||
	    piece->before.term != wal->last.term)
		return blame(reading, 0, "entries before this are missing");
	error = load(reading, &bytes);
	if (!error)
		error = read_records(reading, bytes, is_last);
	free(bytes);
	return error;
}

/* Raft, section 7: a log with the snapshot's last entry goes on after it, any
 * other has nothing to say. */
static int fit_to_snapshot(struct reading *reading)
{
	struct wal *wal = reading->wal;

	if (wal->last.index >= reading->snapshot.index && reading->has_it &&
	    reading->term == reading->snapshot.term)
		return 0;
	return wal_reset(wal, reading->snapshot);
}

static int read_segments(struct reading *reading, const struct numbers *list,
			 size_t first)
{
	struct wal *wal = reading->wal;
	const size_t n = list->n - first;
	int error = 0;

	wal->pieces = calloc(n, sizeof(*wal->pieces));
	if (!wal->pieces)
		return -ENOMEM;
	wal->n_pieces = n;
	for (size_t i = 0; i < n && !error; i++) {
		wal->pieces[i].number = list->numbers[first + i];
		error = read_segment(reading, &wal->pieces[i], i == 0,
				     i + 1 == n);
	}
	return error;
}

static int read_log(struct reading *reading, const struct numbers *list)
{
	struct wal *wal = reading->wal;
	size_t first = 0;
	int error;

	if (!list->n) {
		wal->head.number = 1;
		return blame(reading, 0, "there is no log");
	}
	error = find_first(reading, list, &first);
	if (!error)
		error = read_segments(reading, list, first);
	if (!error)
		error = remove_segments(wal->dir, list->numbers, first);
	if (!error)
		error = file_remove(wal->dir, SEGMENT_NEXT);
	return error ? error : fit_to_snapshot(reading);
}

int wal_open(struct wal **wal, int dir, uint32_t segment_bytes,
	     struct wal_position snapshot,
	     int (*visit)(const struct wal_entry *entry, void *arg), void *arg,
	     struct damage *damage)
{
	struct wal *new = calloc(1, sizeof(*new));
	struct reading reading = {.wal = new,
				  .snapshot = snapshot,
				  .visit = visit,
				  .arg = arg,
				  .damage = damage};
	struct numbers list = {0};
	int error;

	*wal = NULL;
	if (damage)
		damage->text[0] = '\0';
	if (!new)
		return -ENOMEM;
	new->fd = new->next = -1;
	new->dir = dir;
	new->segment_bytes = check_bytes(segment_bytes);
	pthread_mutex_init(&new->making, NULL);
	error = new->segment_bytes ? list_numbers(dir, &list) : -EINVAL;
	if (!error)
		error = read_log(&reading, &list);
	free(list.numbers);
	if (error)
		wal_close(new);
	else
		*wal = new;
	return error;
}
