/* wal_parts.h - what a log consists of, for the files that make it: wal.c
 * appends, wal_read.c opens, wal_next.c makes and removes segments. */
#ifndef UNIXIPC_P18_RPC_KV_DURABLE_WAL_PARTS_H
#define UNIXIPC_P18_RPC_KV_DURABLE_WAL_PARTS_H

#include <pthread.h>

#include "p18-rpc-kv/durable/segment.h"
#include "p18-rpc-kv/durable/wal.h"

/* A segment that is not written to any more, or the last one. */
struct wal_piece {
	uint64_t number;
	struct wal_position before;
};

struct wal {
	int dir; /* of the caller */
	uint32_t segment_bytes;

	/* From the first one that counts to the last one. */
	struct wal_piece *pieces;
	size_t n_pieces;

	/* The last one: */
	int fd;
	struct segment_head head;
	uint32_t end;     /* where the next record goes */
	uint32_t durable; /* all before this is */

	struct wal_position last;
	uint64_t torn;
	bool is_half_done; /* what failed has written something */
	uint8_t *buffer;
	size_t buffer_bytes;

	/* The one that comes next. making is held while it is being made. */
	pthread_mutex_t making;
	int next; /* -1: none yet; atomic */
};

/* Make a file of zeros to be a segment. Its descriptor. */
int wal_make_next(int dir, uint32_t bytes);

/* Give it a head, synced, and the name that makes it a part of the log. */
int wal_name_next(int dir, int fd, struct segment_head *head);

/* The next segment becomes the last one. *head is but number and salt. */
int wal_go_on(struct wal *wal, struct wal_position before, bool is_anew);

/* Remove the first n pieces, one after the other. */
int wal_remove(struct wal *wal, size_t n);

#endif
