/* A database file with any bytes anywhere in it, its checksums made right again:
 * it is refused, or it can be read, written, checked and compacted as far as it
 * makes sense, and nothing outside of it is touched.
 *
 * The input is a list of patches: a page, an offset of two bytes, a length of
 * one, and so many bytes. The file is one of each kind of page, small: metas and
 * seal, the tree, and, as the last, the first page of the log. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "p14-mmapdb/log.h"
#include "p14-mmapdb/mmapdb.h"
#include "p14-mmapdb/page.h"

enum { PAGES_MAX = 64, RECORDS = 120, FIRST = LAYOUT_LOG };

static unsigned char pristine[PAGES_MAX][LAYOUT_PAGE];
static unsigned char file[PAGES_MAX][LAYOUT_PAGE];
static size_t n_pages;
static char path[64], lock_path[72];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static struct mmapdb_bytes key_of(int i)
{
	static char key[32];

	snprintf(key, sizeof(key), "key of number %d", i * 7919 % 1000);
	return (struct mmapdb_bytes){key, strlen(key)};
}

/* Where one of the pages stands. */
static off_t offset_of(size_t page)
{
	if (page + 1 == n_pages)
		page = LAYOUT_LOG;
	else if (page >= FIRST)
		page += LAYOUT_FIRST - FIRST;
	return (off_t)(page * LAYOUT_PAGE);
}

static void log_some(void)
{
	struct mmapdb *db;

	must(mmapdb_open(path, 0, &db) == 0);
	for (int i = 0; i < 4; i++) {
		must(mmapdb_begin_write(db, INT64_MAX) == 0);
		must(mmapdb_put(db, key_of(i), key_of(i + 1), NULL) == 0);
		must(mmapdb_del(db, key_of(i + 20)) == 0);
		must(mmapdb_commit(db) == 0);
	}
	mmapdb_close(db);
}

static void make_pristine(void)
{
	static const unsigned char value[6000];
	struct mmapdb *db;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/tmp/ipc.fuzz.%d", (int)getpid());
	snprintf(lock_path, sizeof(lock_path), "%s-lock", path);
	must(mmapdb_create(path, 0, 2 << 20, 0600) == 0);
	must(mmapdb_open(path, MMAPDB_NO_SYNC, &db) == 0);
	must(mmapdb_begin_write(db, INT64_MAX) == 0);
	for (int i = 0; i < RECORDS; i++) {
		const struct mmapdb_bytes bytes = {
			value, (size_t)(i % 50 ? i * 2 : 6000)};

		must(mmapdb_put(db, key_of(i), bytes, NULL) == 0);
	}
	must(mmapdb_commit(db) == 0);
	must(mmapdb_compact(db, INT64_MAX) == 0);
	mmapdb_close(db);
	must(stat(path, &st) == 0);
	/* Of the tree that the log begins behind. */
	n_pages = (size_t)st.st_size / LAYOUT_PAGE - LAYOUT_LOG_PAGES + 1;
	must(n_pages <= PAGES_MAX);
	log_some();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	for (size_t i = 0; i < n_pages; i++)
		must(pread(fd, pristine[i], LAYOUT_PAGE, offset_of(i)) ==
		     LAYOUT_PAGE);
	close(fd);
	unlink(path);
	unlink(lock_path);
}

static void patch(const uint8_t *data, size_t size)
{
	memcpy(file, pristine, sizeof(file));
	while (size >= 4) {
		unsigned char *page = file[data[0] % n_pages];
		size_t at =
			((size_t)data[1] | (size_t)data[2] << 8) % LAYOUT_PAGE;
		size_t len = data[3];

		data += 4;
		size -= 4;
		for (; len > 0 && size > 0; len--, data++, size--)
			page[at++ % LAYOUT_PAGE] = *data;
	}
}

/* Each record follows the one before it. */
static void mend_log(void)
{
	const struct layout_meta *metas = (const void *)file;
	const unsigned int newer =
		metas[1].version.txnid > metas[0].version.txnid;
	uint32_t before = metas[newer].crc;
	struct layout_record *record;

	for (size_t at = 0; at + sizeof(*record) <= LAYOUT_PAGE;
	     at += record->bytes) {
		record = (struct layout_record *)(file[n_pages - 1] + at);
		if (record->bytes < sizeof(*record) || record->bytes % 8 ||
		    record->bytes > LAYOUT_PAGE - at)
			break;
		record->before = before;
		before = record->crc = log_checksum(record);
	}
}

static void mend_checksums(void)
{
	for (size_t i = 0; i + 1 < n_pages; i++) {
		struct layout_meta *meta = (struct layout_meta *)file[i];
		struct layout_page *page = (struct layout_page *)file[i];

		if (i < 2)
			meta->crc =
				crc32c(meta, offsetof(struct layout_meta, crc));
		else if (i >= FIRST && page->run > 0 && page->run < n_pages - i)
			page->crc = page_checksum(page);
	}
	mend_log();
}

static void read_all(struct mmapdb *db)
{
	struct mmapdb_cursor cursor;
	struct mmapdb_fault fault;
	struct mmapdb_bytes value;
	struct mmapdb_stat stat;
	volatile unsigned char byte;
	int n = 0;

	if (mmapdb_begin_read(db))
		return;
	for (int i = 0; i < RECORDS; i++)
		if (mmapdb_get(db, key_of(i), &value) == 0)
			for (size_t at = 0; at < value.len; at++)
				byte = ((const unsigned char *)value.data)[at];
	must(mmapdb_cursor_open(&cursor, db, NULL) == 0);
	/* In a tree that is not one, a page may come again and again. */
	while (n++ < 5000 && mmapdb_cursor_next(&cursor) == 0)
		byte = *(const unsigned char *)cursor.key.data;
	while (n-- > 0 && mmapdb_cursor_prev(&cursor) == 0)
		byte = *(const unsigned char *)cursor.key.data;
	(void)byte;
	mmapdb_stat(db, &stat);
	mmapdb_check(db, &fault);
	mmapdb_abort(db);
}

static void write_some(struct mmapdb *db)
{
	static const unsigned char value[3000];

	for (int round = 0; round < 4; round++) {
		int error = mmapdb_begin_write(db, INT64_MAX);

		if (error)
			return;
		for (int i = 0; !error && i < 40; i++) {
			const struct mmapdb_bytes key = key_of(40 * round + i);

			error = i % 3 ? mmapdb_del(db, key)
				      : mmapdb_put(
						db, key,
						(struct mmapdb_bytes){
							value, (size_t)i * 70},
						NULL);
			error = error == -ENOENT ? 0 : error;
		}
		mmapdb_commit(db);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mmapdb *db;
	int fd;

	if (!n_pages)
		make_pristine();
	patch(data, size);
	mend_checksums();
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd >= 0);
	for (size_t i = 0; i < n_pages; i++)
		must(pwrite(fd, file[i], LAYOUT_PAGE, offset_of(i)) ==
		     LAYOUT_PAGE);
	close(fd);
	if (mmapdb_open(path, MMAPDB_NO_SYNC, &db) == 0) {
		read_all(db);
		write_some(db);
		read_all(db);
		mmapdb_close(db);
	}
	unlink(path);
	unlink(lock_path);
	return 0;
}
