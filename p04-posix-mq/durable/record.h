/* record.h - the file of one job in the journal, "ID.job".
 *
 * The submitter writes it to the disk before the message goes into the queue,
 * under a lock (flock) that it holds until the message is in; so a record
 * without a lock is a job that counts, whether or not its message is still
 * there. The worker notes the process group of the command before the command
 * runs, and how it ended; the dispatcher notes workers that died, and removes
 * the file: that is the acknowledgement. A process that still has the file open
 * (--wait) reads the outcome in it.
 *
 * While it runs, the worker and the command's processes hold RECORD_RUN locked,
 * a byte far behind the end (an OFD lock, lib/identity): the kernel drops it
 * with the last of them, in whatever PID namespace they are.
 *
 *	struct record_head   changes; as a whole, by one pwrite(2)
 *	struct job           never changes
 *
 * Both have a checksum: what a disk has changed is never run, nor taken for the
 * end of a job. A head lies within one sector, which a disk writes or does not.
 *
 * dir is the journal's directory, which only its owner can enter. Functions
 * return -errno on failure; any process may call them.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_DURABLE_RECORD_H
#define UNIXIPC_P04_POSIX_MQ_DURABLE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"
#include "p04-posix-mq/job.h"

#define RECORD_MAGIC UINT32_C(0x5244524a) /* "JRDR" */
#define RECORD_VERSION \
	3 /* 2 had a start time for an identity, 1 no checksums;
			  * neither is read */
#define RECORD_RUN (INT64_C(1) << 40)

/* Values of outcome. */
#define RECORD_PENDING UINT32_C(0)
#define RECORD_EXITED UINT32_C(0x100) /* | what a shell calls the status */
#define RECORD_FAILED UINT32_C(0x200) /* its workers died too often */

struct record_head {
	uint32_t magic;
	uint32_t version;
	uint32_t outcome;
	uint32_t attempts;              /* workers that died with it */
	struct identity_process leader; /* of the command's process group; pid
					 * 0: it never ran */
	uint32_t job_crc; /* CRC-32C of the struct job behind it */
	uint32_t crc;     /* of all above */
};
_Static_assert(sizeof(struct record_head) == 96, "the format of a record");

/* Put a job into the journal and onto the disk. Returns the file, locked by
 * the caller, or -EEXIST (an id given twice), -ENOSPC, ...: nothing is left
 * then. */
int record_create(int dir, const struct job *job);

/* Release the lock of record_create(): the message is in the queue. */
int record_commit(int fd);

/* Open one: the descriptor, or -ENOENT. */
int record_open(int dir, uint64_t id);

/* Whether its submitter is alive and has not committed it. */
bool record_is_being_submitted(int fd);

/* The checksums that these n bytes should have, put into their head; no less
 * than a head and a job. */
void record_seal(void *bytes, size_t n);

/* Whether n bytes, aligned as a struct job, are a sound record: 0 and *job
 * within them, -EBADMSG, or -EPROTONOSUPPORT: of another version. */
int record_check(const void *bytes, size_t n, const struct job **job);

/* Read it. *job, if asked for, is to be given to free(). Fails as
 * record_check(). */
int record_read(int fd, struct record_head *head, struct job **job);

/* Whether somebody holds RECORD_RUN: it runs, or what a run has left behind has
 * not ended. In doubt it is so. */
bool record_is_running(int dir, uint64_t id);

/* Change the head. One process at a time: the worker, and after its end the
 * dispatcher. -EBADMSG when the head is not sound. */
int record_note_group(int fd, const struct identity_process *leader);
int record_note_attempts(int fd, uint32_t attempts);
int record_note_outcome(int fd, uint32_t outcome);

/* Remove the file. 0 also when it was gone. */
int record_remove(int dir, uint64_t id);

/* Rename one that is not sound to "ID.bad", where nobody looks at it again. */
int record_set_aside(int dir, uint64_t id);
bool record_is_set_aside(int dir, uint64_t id);

/* 1 and *outcome when the file has been removed, 0 while it is there; -EBADMSG
 * or -EPROTONOSUPPORT when it is not sound, and there will be no end. */
int record_has_ended(int fd, uint32_t *outcome);

/* A descriptor that becomes readable when record_has_ended() may have
 * changed. */
int record_watch(int fd);

#endif
