/* wal_next.c - segments of the log come and go: see wal.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/fdio.h"
#include "p18-rpc-kv/durable/file.h"
#include "p18-rpc-kv/durable/wal_parts.h"

/* ---- making one -------------------------------------------------------------- */

int wal_make_next(int dir, uint32_t bytes)
{
	int fd = file_make(dir, SEGMENT_NEXT);
	int error;

	if (fd < 0)
		return fd;
	error = file_fill(fd, bytes);
	if (!error)
		return fd;
	fdio_close(&fd);
	file_remove(dir, SEGMENT_NEXT);
	return error;
}

int wal_name_next(int dir, int fd, struct segment_head *head)
{
	char name[SEGMENT_NAME_BYTES];
	int error;

	if (getrandom(&head->salt, sizeof(head->salt), 0) != sizeof(head->salt))
		return -errno;
	segment_seal(head);
	error = file_write(fd, head, sizeof(*head), 0);
	if (!error)
		error = file_sync(fd);
	if (error)
		return error;
	return file_rename(dir, SEGMENT_NEXT, segment_name(head->number, name));
}

bool wal_is_prepared(const struct wal *wal)
{
	return __atomic_load_n(&wal->next, __ATOMIC_ACQUIRE) >= 0;
}

int wal_prepare(struct wal *wal)
{
	int error = 0;

	pthread_mutex_lock(&wal->making);
	if (!wal_is_prepared(wal)) {
		error = wal_make_next(wal->dir, wal->segment_bytes);
		/* For wal_is_prepared(). */
		if (error >= 0)
			__atomic_store_n(&wal->next, error, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&wal->making);
	return error < 0 ? error : 0;
}

/* ---- going on in it ---------------------------------------------------------- */

static int add_piece(struct wal *wal, struct wal_piece piece)
{
	struct wal_piece *pieces = realloc(
		wal->pieces, (wal->n_pieces + 1) * sizeof(*wal->pieces));

	if (!pieces)
		return -ENOMEM;
	pieces[wal->n_pieces++] = piece;
	wal->pieces = pieces;
	return 0;
}

int wal_go_on(struct wal *wal, struct wal_position before, bool is_anew)
{
	struct segment_head head = {
		.number = wal->head.number + 1,
		.before_index = before.index,
		.before_term = before.term,
		.bytes = wal->segment_bytes,
		.is_anew = is_anew,
	};
	int error = wal_prepare(wal), fd;

	if (error)
		return error;
	error = add_piece(wal, (struct wal_piece){head.number, before});
	if (!error)
		error = wal_name_next(wal->dir, wal->next, &head);
	if (error)
		return error;
	fd = __atomic_exchange_n(&wal->next, -1, __ATOMIC_ACQ_REL);
	fdio_close(&wal->fd);
	wal->fd = fd;
	wal->head = head;
	wal->end = wal->durable = WAL_HEAD_BYTES;
	wal->last = before;
	return 0;
}

/* ---- and going --------------------------------------------------------------- */

/* The folder is synced after each, so that no power cut leaves a later one without
 * an earlier one. */
int wal_remove(struct wal *wal, size_t n)
{
	char name[SEGMENT_NAME_BYTES];
	int error = 0;

	for (; n && !error; n--) {
		segment_name(wal->pieces[0].number, name);
		error = file_remove(wal->dir, name);
		if (!error)
			error = file_sync(wal->dir);
		if (!error)
			memmove(wal->pieces, wal->pieces + 1,
				--wal->n_pieces * sizeof(*wal->pieces));
	}
	return error;
}

int wal_drop(struct wal *wal, uint64_t index)
{
	size_t n = 0;

	while (n + 1 < wal->n_pieces &&
	       wal->pieces[n + 1].before.index <= index)
		n++;
	return wal_remove(wal, n);
}

int wal_reset(struct wal *wal, struct wal_position snapshot)
{
	int error = wal_prepare(wal);

	if (error)
		return error;
	error = wal_go_on(wal, snapshot, true);
	if (!error)
		error = wal_remove(wal, wal->n_pieces - 1);
	wal->is_half_done = error;
	return error;
}
