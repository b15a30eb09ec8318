/* wal.c - appending to the log, and syncing it: see wal.h. */
#include <errno.h>
#include <stdlib.h>

#include "lib/fdio.h"
#include "p18-rpc-kv/durable/file.h"
#include "p18-rpc-kv/durable/wal_parts.h"

void wal_close(struct wal *wal)
{
	if (!wal)
		return;
	fdio_close(&wal->fd);
	fdio_close(&wal->next);
	pthread_mutex_destroy(&wal->making);
	free(wal->pieces);
	free(wal->buffer);
	free(wal);
}

uint64_t wal_torn(const struct wal *wal)
{
	return wal->torn;
}

struct wal_position wal_last(const struct wal *wal)
{
	return wal->last;
}

struct wal_position wal_before(const struct wal *wal)
{
	return wal->pieces[0].before;
}

int wal_sync(struct wal *wal)
{
	int error;

	if (wal->durable == wal->end)
		return 0;
	error = file_sync(wal->fd);
	if (!error)
		wal->durable = wal->end;
	return error;
}

/* ---- appending --------------------------------------------------------------- */

/* Nothing has been written yet when one of these is not as it should be. *bytes is
 * what they take. */
static int check(const struct wal *wal, const struct wal_entry *entries,
		 size_t n, size_t *bytes)
{
	const size_t most = wal->segment_bytes - WAL_HEAD_BYTES;

	if (entries[0].index <= wal->pieces[0].before.index ||
	    entries[0].index > wal->last.index + 1)
		return -EINVAL;
	*bytes = 0;
	for (size_t i = 0; i < n; i++) {
		if (entries[i].index != entries[0].index + i)
			return -EINVAL;
		if (entries[i].len > most)
			return -EMSGSIZE;
		*bytes += segment_record_bytes(entries[i].len);
		if (*bytes > most)
			return -EMSGSIZE;
	}
	return 0;
}

/* How many of them the last segment has room for. */
static size_t count_fitting(const struct wal *wal,
			    const struct wal_entry *entries, size_t n)
{
	size_t room = wal->head.bytes - wal->end, i, more;

	for (i = 0; i < n; i++) {
		more = segment_record_bytes(entries[i].len);
		if (more > room)
			break;
		room -= more;
	}
	return i;
}

static int grow_buffer(struct wal *wal, size_t bytes)
{
	uint8_t *buffer;

	if (bytes <= wal->buffer_bytes)
		return 0;
	buffer = realloc(wal->buffer, bytes);
	if (!buffer)
		return -ENOMEM;
	wal->buffer = buffer;
	wal->buffer_bytes = bytes;
	return 0;
}

/* These fit, here and into the buffer. One write. */
static int write_records(struct wal *wal, const struct wal_entry *entries,
			 size_t n)
{
	size_t at = 0;
	int error;

	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		at += segment_put(wal->buffer + at, wal->head.salt,
				  wal->end + (uint32_t)at, wal->durable,
				  &entries[i]);
	error = file_write(wal->fd, wal->buffer, at, wal->end);
	if (error)
		return error;
	wal->end += (uint32_t)at;
	wal->last = (struct wal_position){entries[n - 1].index,
					  entries[n - 1].term};
	return 0;
}

/* The rest goes into the next segment. This one is durable before that has a name:
 * a tail may be torn in the last segment only. */
static int write_both(struct wal *wal, const struct wal_entry *entries,
		      size_t n, size_t n_here)
{
	int error = write_records(wal, entries, n_here);

	if (!error)
		error = wal_sync(wal);
	if (!error)
		error = wal_go_on(wal, wal->last, false);
	return error ? error : write_records(wal, entries + n_here, n - n_here);
}

int wal_append(struct wal *wal, const struct wal_entry *entries, size_t n)
{
	size_t bytes, n_here;
	int error;

	if (!n)
		return 0;
	error = check(wal, entries, n, &bytes);
	if (!error)
		error = grow_buffer(wal, bytes);
	if (error)
		return error;
	n_here = count_fitting(wal, entries, n);
	if (n_here < n)
		error = wal_prepare(wal);
	if (error)
		return error;
	error = n_here == n ? write_records(wal, entries, n)
			    : write_both(wal, entries, n, n_here);
	wal->is_half_done = error;
	return error;
}

bool wal_may_try_again(const struct wal *wal, int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return !wal->is_half_done;
	default:
		return false;
	}
}
