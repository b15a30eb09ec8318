#include "p04-posix-mq/durable/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/fdio.h"
#include "lib/tick.h"

#define NAME_BYTES 32

/* A reader may see half of a note that is being written: it reads so often, a
 * millisecond apart. */
#define READINGS 3

static const char *name_of(uint64_t id, const char *suffix, char *buf)
{
	snprintf(buf, NAME_BYTES, "%" PRIu64 ".%s", id, suffix);
	return buf;
}

/* ---- checksums -------------------------------------------------------------- */

static uint32_t crc_of(const struct record_head *head)
{
	return crc32c(head, offsetof(struct record_head, crc));
}

void record_seal(void *bytes, size_t n)
{
	struct record_head *head = bytes;

	head->job_crc = crc32c(head + 1, n - sizeof(*head));
	head->crc = crc_of(head);
}

/* Of n bytes, whether a sound head is in front: 0, -EBADMSG, or -EPROTONOSUPPORT
 * where another version has its own behind magic and version. A disk may have
 * changed the version alone: then all else fits. */
static int check_head(const void *bytes, size_t n)
{
	struct record_head head = {.magic = 0};
	uint32_t version;

	memcpy(&head, bytes, n < sizeof(head) ? n : sizeof(head));
	if (n < offsetof(struct record_head, outcome) ||
	    head.magic != RECORD_MAGIC)
		return -EBADMSG;
	version = head.version;
	head.version = RECORD_VERSION;
	if (n < sizeof(head) || head.crc != crc_of(&head))
		return version == RECORD_VERSION ? -EBADMSG : -EPROTONOSUPPORT;
	return version == RECORD_VERSION && head.leader.pid >= 0 &&
			       head.outcome <= RECORD_FAILED
		       ? 0
		       : -EBADMSG;
}

/* ---- creating: complete and locked before it has its name ------------------ */

static int fill(int fd, const struct job *job)
{
	struct record_head head = {
		.magic = RECORD_MAGIC,
		.version = RECORD_VERSION,
		.job_crc = crc32c(job, job_bytes(job)),
	};
	int error;

	head.crc = crc_of(&head);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	error = fdio_write_full(fd, &head, sizeof(head));
	if (!error)
		error = fdio_write_full(fd, job, job_bytes(job));
	if (!error && fdatasync(fd) < 0)
		error = -errno;
	return error;
}

int record_create(int dir, const struct job *job)
{
	char tmp[NAME_BYTES], name[NAME_BYTES];
	int fd, error;

	name_of(job->id, "tmp", tmp);
	name_of(job->id, "job", name);
	fd = openat(dir, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	error = fill(fd, job);
	if (!error && renameat2(dir, tmp, dir, name, RENAME_NOREPLACE) < 0)
		error = -errno;
	if (error) {
		unlinkat(dir, tmp, 0);
		close(fd);
		return error;
	}
	if (fsync(dir) < 0) {
		error = -errno;
		unlinkat(dir, name, 0);
		close(fd);
		return error;
	}
	return fd;
}

int record_commit(int fd)
{
	return flock(fd, LOCK_UN) < 0 ? -errno : 0;
}

/* ---- reading ------------------------------------------------------------------- */

int record_open(int dir, uint64_t id)
{
	char name[NAME_BYTES];
	int fd = openat(dir, name_of(id, "job", name),
			O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

bool record_is_being_submitted(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return true;
	flock(fd, LOCK_UN);
	return false;
}

int record_check(const void *bytes, size_t n, const struct job **job)
{
	const struct record_head *head = bytes;
	const char *rest = (const char *)bytes + sizeof(*head);
	int error = check_head(bytes, n);

	if (error)
		return error;
	if (head->job_crc != crc32c(rest, n - sizeof(*head)))
		return -EBADMSG;
	*job = (const struct job *)(const void *)rest;
	return job_check(rest, n - sizeof(*head));
}

/* Its size, if a record can have it. */
static ssize_t size_of(int fd)
{
	const off_t most = sizeof(struct record_head) + sizeof(struct job) +
			   JOB_COMMAND_MAX;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_size > 0 && st.st_size <= most ? st.st_size : -EBADMSG;
}

static int read_once(int fd, struct record_head *head, struct job **job)
{
	const struct job *inside = NULL;
	ssize_t n = size_of(fd);
	void *bytes;
	int error;

	if (n < 0)
		return (int)n;
	bytes = malloc((size_t)n);
	if (!bytes)
		return -ENOMEM;
	n = pread(fd, bytes, (size_t)n, 0);
	error = n < 0 ? -errno : record_check(bytes, (size_t)n, &inside);
	if (!error)
		*head = *(const struct record_head *)bytes;
	if (!error && job) {
		*job = job_copy(inside);
		error = *job ? 0 : -ENOMEM;
	}
	free(bytes);
	return error;
}

int record_read(int fd, struct record_head *head, struct job **job)
{
	int error = read_once(fd, head, job);

	for (int i = 1; error == -EBADMSG && i < READINGS; i++) {
		tick_sleep_until(tick_after(TICK_MS));
		error = read_once(fd, head, job);
	}
	return error;
}

bool record_is_running(int dir, uint64_t id)
{
	struct identity_role role = {.fd = -1};
	bool has_met = false;
	int fd = record_open(dir, id), peer;

	if (fd < 0)
		return false;
	if (identity_role_open(&role, fd)) {
		close(fd);
		return true;
	}
	peer = identity_role_look(&role, RECORD_RUN, &has_met);
	identity_role_close(&role);
	return peer != IDENTITY_PEER_ABSENT;
}

/* ---- changing -------------------------------------------------------------------- */

static int get_head(int fd, struct record_head *head)
{
	ssize_t n = pread(fd, head, sizeof(*head), 0);

	if (n < 0)
		return -errno;
	return check_head(head, (size_t)n) ? -EBADMSG : 0;
}

static int put_head(int fd, struct record_head *head)
{
	ssize_t n;

	head->crc = crc_of(head);
	n = pwrite(fd, head, sizeof(*head), 0);
	if (n < 0)
		return -errno;
	return n == sizeof(*head) ? 0 : -EIO;
}

int record_note_group(int fd, const struct identity_process *leader)
{
	struct record_head head;
	int error = get_head(fd, &head);

	if (error)
		return error;
	head.leader = *leader;
	return put_head(fd, &head);
}

int record_note_attempts(int fd, uint32_t attempts)
{
	struct record_head head;
	int error = get_head(fd, &head);

	if (error)
		return error;
	head.attempts = attempts;
	return put_head(fd, &head);
}

int record_note_outcome(int fd, uint32_t outcome)
{
	struct record_head head;
	int error = get_head(fd, &head);

	if (error)
		return error;
	head.outcome = outcome;
	return put_head(fd, &head);
}

int record_remove(int dir, uint64_t id)
{
	char name[NAME_BYTES];

	if (unlinkat(dir, name_of(id, "job", name), 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

int record_set_aside(int dir, uint64_t id)
{
	char name[NAME_BYTES], bad[NAME_BYTES];

	name_of(id, "job", name);
	name_of(id, "bad", bad);
	return renameat(dir, name, dir, bad) < 0 ? -errno : 0;
}

bool record_is_set_aside(int dir, uint64_t id)
{
	char bad[NAME_BYTES];

	return faccessat(dir, name_of(id, "bad", bad), F_OK, 0) == 0;
}

/* ---- waiting for the end --------------------------------------------------------- */

int record_has_ended(int fd, uint32_t *outcome)
{
	struct record_head head;
	struct stat st;
	int error;

	if (fstat(fd, &st) < 0)
		return -errno;
	error = record_read(fd, &head, NULL);
	if (error || st.st_nlink > 0)
		return error;
	*outcome = head.outcome;
	return 1;
}

/* Its link count is part of what IN_ATTRIB tells, and one that is set aside moves.
 * The descriptor is the only name that is sure to mean this file. */
int record_watch(int fd)
{
	char path[32];
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int error;

	if (watch < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (inotify_add_watch(watch, path, IN_ATTRIB | IN_MOVE_SELF) < 0) {
		error = -errno;
		close(watch);
		return error;
	}
	return watch;
}
