/* log.h - a log in a scratch folder, and what is read back from it. */
#ifndef UNIXIPC_TESTS_P18_LOG_H
#define UNIXIPC_TESTS_P18_LOG_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "p18-rpc-kv/durable/segment.h"
#include "p18-rpc-kv/durable/wal.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

enum { LOG_ENTRIES = 2048, LOG_SEGMENT = 8192 };

struct log {
	struct scratch scratch;
	int dir;
	struct wal *wal;
	struct damage damage;
	/* As it was read: terms, and what follows from them is checked. */
	uint64_t first, terms[LOG_ENTRIES];
	uint64_t n;
};

/* What an entry holds follows from index and term: up to 300 bytes. */
static inline uint32_t log_fill(uint64_t index, uint64_t term,
				uint8_t bytes[512])
{
	const uint32_t len = (uint32_t)((index * 37 + term * 11) % 300);

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(index * 3 + term * 5 + i * (i % 7));
	return len;
}

static inline struct wal_entry log_entry(uint64_t index, uint64_t term,
					 uint8_t bytes[512])
{
	return (struct wal_entry){
		.index = index,
		.term = term,
		.kind = (uint32_t)(index % 3),
		.len = log_fill(index, term, bytes),
		.bytes = bytes,
	};
}

/* Entries from..to of one term by one write; not synced. */
static inline int log_append(struct wal *wal, uint64_t from, uint64_t to,
			     uint64_t term)
{
	static uint8_t bytes[64][512];
	struct wal_entry entries[64];
	size_t n = 0;

	for (uint64_t i = from; i <= to && n < 64; i++, n++)
		entries[n] = log_entry(i, term, bytes[n]);
	return wal_append(wal, entries, n);
}

/* Keeps what it is given. -EBADMSG: these are not the bytes that were put. */
static inline int log_visit(const struct wal_entry *entry, void *arg)
{
	struct log *log = arg;
	uint8_t bytes[512];

	if (log_fill(entry->index, entry->term, bytes) != entry->len ||
	    memcmp(bytes, entry->bytes, entry->len) != 0 ||
	    entry->kind != entry->index % 3)
		return -EUCLEAN;
	if (!log->n || entry->index < log->first)
		log->first = entry->index;
	if (entry->index > log->first + log->n ||
	    entry->index - log->first >= LOG_ENTRIES)
		return -EUCLEAN;
	log->n = entry->index - log->first + 1;
	log->terms[entry->index - log->first] = entry->term;
	return 0;
}

/* Returns what wal_open() does. */
static inline int log_try_open(struct log *log, uint64_t index, uint64_t term)
{
	log->n = log->first = 0;
	return wal_open(&log->wal, log->dir, LOG_SEGMENT,
			(struct wal_position){index, term}, log_visit, log,
			&log->damage);
}

static inline void log_open(struct log *log, uint64_t index, uint64_t term)
{
	const int error = log_try_open(log, index, term);

	if (error)
		fail_msg("%s: %s", strerror(-error), log->damage.text);
}

static inline void log_reopen(struct log *log)
{
	wal_close(log->wal);
	log_open(log, 0, 0);
}

static inline void log_make(struct log *log)
{
	memset(log, 0, sizeof(*log));
	scratch_make(&log->scratch);
	log->dir = open(log->scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(log->dir >= 0);
	assert_int_equal(wal_create(log->dir, LOG_SEGMENT), 0);
	log_open(log, 0, 0);
}

static inline void log_remove(struct log *log)
{
	wal_close(log->wal);
	close(log->dir);
	scratch_remove(&log->scratch);
}

static inline void log_put(struct log *log, uint64_t from, uint64_t to,
			   uint64_t term)
{
	assert_int_equal(log_append(log->wal, from, to, term), 0);
	assert_int_equal(wal_sync(log->wal), 0);
}

/* These are the terms of entries first, first + 1 …, and no others. */
static inline void log_assert(const struct log *log, uint64_t first, size_t n,
			      const uint64_t *terms)
{
	assert_int_equal(log->n, n);
	if (n) {
		assert_int_equal(log->first, first);
		assert_memory_equal(log->terms, terms, n * sizeof(*terms));
	}
}

/* The bytes of a file in the folder; to be freed. */
static inline uint8_t *log_read(const struct log *log, const char *name,
				size_t *len)
{
	int fd = openat(log->dir, name, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes = malloc(1 << 20);

	assert_true(fd >= 0 && bytes);
	*len = (size_t)read(fd, bytes, 1 << 20);
	close(fd);
	return bytes;
}

static inline void log_write(struct log *log, const char *name,
			     const uint8_t *bytes, size_t len)
{
	scratch_write(&log->scratch, name, bytes, len);
}

#endif
