/* A log of two segments with any bytes anywhere in it, its checksums made right
 * again or not: it is refused with a reason, or it can be read, goes on, and is the
 * same when it is read again.
 *
 * The input is a byte, odd for right checksums, and a list of patches: a segment
 * in the lowest bit of an offset of two bytes, a length of one, and so many
 * bytes. Seeds: tests/fuzz/p18_wal_fuzz. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "p18-rpc-kv/durable/segment.h"

enum { SEGMENT = WAL_SEGMENT_MIN, SEGMENTS = 2, ENTRY = 300 };

static uint8_t pristine[SEGMENTS][SEGMENT], segments[SEGMENTS][SEGMENT];
static char path[64];
static int dir = -1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static int open_segment(uint64_t number, int flags)
{
	char name[SEGMENT_NAME_BYTES];
	int fd = openat(dir, segment_name(number, name), flags | O_CLOEXEC,
			0600);

	must(fd >= 0);
	return fd;
}

static int ignore(const struct wal_entry *entry, void *arg)
{
	(void)entry;
	(void)arg;
	return 0;
}

static void make_pristine(void)
{
	static uint8_t bytes[ENTRY];
	struct wal_entry entry = {1, 1, 1, 0, bytes};
	struct wal *wal;

	snprintf(path, sizeof(path), "/tmp/ipc.fuzz.%d", (int)getpid());
	must(mkdir(path, 0700) == 0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(dir >= 0 && wal_create(dir, SEGMENT) == 0);
	must(wal_open(&wal, dir, SEGMENT, (struct wal_position){0, 0}, ignore,
		      NULL, NULL) == 0);
	for (; entry.index <= 32; entry.index++) {
		entry.len = (uint32_t)(entry.index * 9 % ENTRY);
		must(wal_append(wal, &entry, 1) == 0);
		must(entry.index % 3 || wal_sync(wal) == 0);
	}
	wal_close(wal);
	for (uint64_t i = 0; i < SEGMENTS; i++) {
		int fd = open_segment(i + 1, O_RDONLY);

		must(read(fd, pristine[i], SEGMENT) == SEGMENT);
		close(fd);
	}
}

static void patch(const uint8_t *data, size_t size)
{
	memcpy(segments, pristine, sizeof(segments));
	while (size >= 3) {
		const size_t where = (size_t)data[0] | (size_t)data[1] << 8;
		size_t at = where / SEGMENTS % SEGMENT, len = data[2];

		data += 3;
		size -= 3;
		for (; len > 0 && size > 0; len--, data++, size--)
			segments[where % SEGMENTS][at++ % SEGMENT] = *data;
	}
}

/* As segment_put() would have written it. */
static void mend_record(uint8_t *bytes, const struct segment_head *head,
			uint32_t at, const struct segment_record *record)
{
	static uint8_t payload[SEGMENT];

	memcpy(payload, bytes + at + sizeof(*record), record->len);
	segment_put(bytes + at, head->salt, at, record->durable,
		    &(struct wal_entry){record->index, record->term,
					record->kind, record->len, payload});
}

static void mend(uint8_t *bytes)
{
	struct segment_record record;
	struct segment_head head;

	memcpy(&head, bytes, sizeof(head));
	segment_seal(&head);
	memcpy(bytes, &head, sizeof(head));
	for (uint32_t at = WAL_HEAD_BYTES; at + sizeof(record) <= SEGMENT;
	     at += (uint32_t)segment_record_bytes(record.len)) {
		memcpy(&record, bytes + at, sizeof(record));
		if (!record.index || record.len > SEGMENT ||
		    at + segment_record_bytes(record.len) > SEGMENT)
			break;
		mend_record(bytes, &head, at, &record);
	}
}

struct seen {
	uint64_t index, sum, n;
};

static int see(const struct wal_entry *entry, void *arg)
{
	struct seen *seen = arg;

	must(entry->index > 0 && (!seen->n || entry->index <= seen->index + 1));
	seen->index = entry->index;
	seen->n++;
	seen->sum =
		seen->sum * 31 + crc32c(entry->bytes, entry->len) + entry->term;
	return 0;
}

static int open_log(struct wal **wal, struct wal_position snapshot,
		    struct seen *seen)
{
	struct damage damage;
	int error;

	*seen = (struct seen){0};
	error = wal_open(wal, dir, SEGMENT, snapshot, see, seen, &damage);
	must(!error || (error == -EBADMSG && damage.text[0]));
	return error;
}

static void go_on(struct wal_position snapshot)
{
	struct wal_entry entry = {.term = 7, .len = 9, .bytes = "some more"};
	struct seen seen, again;
	struct wal *wal;

	if (open_log(&wal, snapshot, &seen))
		return;
	wal_close(wal);
	/* What was cut stays so; what was void is not there. */
	must(open_log(&wal, snapshot, &again) == 0);
	must(wal_torn(wal) == 0);
	must(!again.n || seen.sum == again.sum);
	entry.index = wal_last(wal).index + 1;
	if (entry.index > wal_before(wal).index) {
		must(wal_append(wal, &entry, 1) == 0);
		must(wal_sync(wal) == 0);
		wal_close(wal);
		must(open_log(&wal, snapshot, &again) == 0);
		must(again.index == entry.index);
	}
	wal_close(wal);
}

static void write_segments(void)
{
	char name[SEGMENT_NAME_BYTES];

	for (uint64_t i = 0; i < SEGMENTS; i++) {
		int fd = open_segment(i + 1, O_WRONLY | O_CREAT | O_TRUNC);

		must(write(fd, segments[i], SEGMENT) == SEGMENT);
		close(fd);
	}
	for (uint64_t i = SEGMENTS + 1; i < SEGMENTS + 4; i++)
		unlinkat(dir, segment_name(i, name), 0);
}

static void remove_all(void)
{
	char name[SEGMENT_NAME_BYTES];

	for (uint64_t i = 1; i < SEGMENTS + 4; i++)
		unlinkat(dir, segment_name(i, name), 0);
	unlinkat(dir, SEGMENT_NEXT, 0);
	close(dir);
	rmdir(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (dir < 0) {
		make_pristine();
		atexit(remove_all);
	}
	if (!size)
		return 0;
	patch(data + 1, size - 1);
	for (int i = 0; i < SEGMENTS && data[0] % 2; i++)
		mend(segments[i]);
	write_segments();
	go_on((struct wal_position){0, 0});
	write_segments();
	go_on((struct wal_position){data[0] / 8, data[0] / 2 % 4});
	return 0;
}
