#include "p04-posix-mq/durable/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/fdio.h"
#include "lib/identity.h"
#include "lib/tick.h"
#include "p04-posix-mq/durable/record.h"

#define MAGIC "UIPCJOBS"

/* Locks that are held for a moment only; their holder may have been
 * stopped. */
#define PATIENCE_NS (10 * TICK_S)

/* ---- names ---------------------------------------------------------------- */

/* "12.job" with suffix ".job" is 12; anything else 0. */
static uint64_t parse_name(const char *name, const char *suffix)
{
	char *end;
	uint64_t id;

	if (name[0] < '1' || name[0] > '9')
		return 0;
	errno = 0;
	id = strtoull(name, &end, 10);
	return errno == 0 && strcmp(end, suffix) == 0 ? id : 0;
}

static int each(int dir_fd, const char *suffix,
		int (*visit)(uint64_t id, void *arg), void *arg)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	int stopped = 0;
	uint64_t id;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (stopped == 0 && (errno = 0, entry = readdir(dir))) {
		id = parse_name(entry->d_name, suffix);
		if (id)
			stopped = visit(id, arg);
	}
	if (stopped == 0 && errno)
		stopped = -errno;
	closedir(dir);
	return stopped;
}

/* ---- the head --------------------------------------------------------------- */

static uint32_t crc_of(const struct journal_head *head)
{
	struct journal_head rest = *head;

	rest.crc = 0;
	return crc32c(&rest, sizeof(rest));
}

static int read_head(int fd, struct journal_head *head)
{
	ssize_t n = pread(fd, head, sizeof(*head), 0);

	if (n < 0)
		return -errno;
	if (n < (ssize_t)offsetof(struct journal_head, crc) ||
	    memcmp(head->magic, MAGIC, sizeof(head->magic)) != 0)
		return -EBADMSG;
	/* What another version has behind it, and how much, is not for us to
	 * check. */
	if (head->version != JOURNAL_VERSION)
		return -EPROTONOSUPPORT;
	return n == sizeof(*head) && head->crc == crc_of(head) ? 0 : -EBADMSG;
}

/* It lies within one sector: a power cut leaves the old or the new one. */
static int write_head(int fd, struct journal_head *head)
{
	ssize_t n;

	head->crc = crc_of(head);
	n = pwrite(fd, head, sizeof(*head), 0);
	if (n >= 0 && n != sizeof(*head))
		return -EIO;
	return n < 0 || fdatasync(fd) < 0 ? -errno : 0;
}

static int keep_highest(uint64_t id, void *arg)
{
	uint64_t *highest = arg;

	if (id > *highest)
		*highest = id;
	return 0;
}

/* The directory's own name comes first: what is in it is lost without. */
static int sync_name_of(int dir)
{
	int parent = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	/* Who may not read it cannot sync it either. */
	if (parent < 0)
		return errno == EACCES ? 0 : -errno;
	if (fsync(parent) < 0)
		error = -errno;
	close(parent);
	return error;
}

static int fill_head(int dir, struct journal_head *head)
{
	static const char *const suffixes[] = {".job", ".tmp", ".bad"};
	int error = 0;

	*head = (struct journal_head){.magic = MAGIC,
				      .version = JOURNAL_VERSION};
	if (getrandom(&head->identity, sizeof(head->identity), 0) < 0)
		return -errno;
	for (size_t i = 0; i < 3 && !error; i++)
		error = each(dir, suffixes[i], keep_highest, &head->last_id);
	return error ? error : sync_name_of(dir);
}

/* Written aside and renamed: nobody sees half a head. The caller holds the
 * directory's lock, so nobody else makes another one. */
static int create_head(int dir)
{
	struct journal_head head;
	int fd, error = fill_head(dir, &head);

	if (error)
		return error;
	fd = openat(dir, "head.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	error = write_head(fd, &head);
	close(fd);
	if (!error && renameat(dir, "head.tmp", dir, "head") < 0)
		error = -errno;
	if (!error && fsync(dir) < 0)
		error = -errno;
	return error;
}

/* ---- opening -------------------------------------------------------------- */

static int open_dir(const char *path, bool create)
{
	struct stat st;
	int fd, error = 0;

	if (create && mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		error = -errno;
	else if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		error = -EPERM;
	if (error)
		close(fd);
	return error ? error : fd;
}

static int open_head(int dir, bool create)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(dir, "head", flags), error;

	if (fd >= 0 || errno != ENOENT || !create)
		return fd < 0 ? -errno : fd;
	error = fdio_lock(dir, LOCK_EX, tick_after(PATIENCE_NS));
	if (error)
		return error;
	/* Another dispatcher may have been quicker. */
	if (faccessat(dir, "head", F_OK, 0) < 0)
		error = create_head(dir);
	flock(dir, LOCK_UN);
	if (error)
		return error;
	fd = openat(dir, "head", flags);
	return fd < 0 ? -errno : fd;
}

int journal_open(struct journal *journal, const char *path, bool create)
{
	struct journal_head head;
	int error;

	*journal = (struct journal){.dir = -1, .head = -1, .dispatcher.fd = -1};
	journal->dir = open_dir(path, create);
	if (journal->dir < 0)
		return journal->dir;
	journal->head = open_head(journal->dir, create);
	error = journal->head < 0 ? journal->head
				  : read_head(journal->head, &head);
	if (error)
		journal_close(journal);
	else
		journal->identity = head.identity;
	return error;
}

void journal_close(struct journal *journal)
{
	identity_role_close(&journal->dispatcher);
	if (journal->head >= 0)
		close(journal->head);
	if (journal->dir >= 0)
		close(journal->dir);
	*journal = (struct journal){.dir = -1, .head = -1, .dispatcher.fd = -1};
}

/* ---- the dispatcher -------------------------------------------------------- */

enum { SERVING }; /* the byte of its role */

static int open_role(const struct journal *journal, int flags,
		     struct identity_role *role)
{
	int fd = openat(journal->dir, "dispatcher",
			O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	int error = fd < 0 ? -errno : identity_role_open(role, fd);

	if (error && fd >= 0)
		close(fd);
	return error;
}

/* Judge the dispatcher that wrote itself down last. One that has just taken the
 * role may not have done so yet: then the dispatcher that is noted is dead. */
static enum identity_life judge_holder(int fd, pid_t *pid)
{
	struct identity_process holder;
	enum identity_life life;

	*pid = 0;
	if (pread(fd, &holder, sizeof(holder), 0) != sizeof(holder))
		return IDENTITY_DEAD;
	life = identity_judge(&holder);
	if (life == IDENTITY_ALIVE)
		*pid = holder.pid;
	return life;
}

static int take_role(const struct identity_role *role, int64_t deadline,
		     pid_t *holder)
{
	int error;

	while ((error = identity_role_take(role, SERVING)) == -EBUSY) {
		enum identity_life life = judge_holder(role->fd, holder);

		if (life == IDENTITY_ALIVE)
			return -EBUSY;
		if (tick_is_over(deadline))
			return life == IDENTITY_DEAD ? -ETIMEDOUT : -EBUSY;
		tick_sleep_until(tick_after(TICK_MS));
	}
	return error;
}

int journal_serve(struct journal *journal, int64_t deadline, pid_t *holder)
{
	struct identity_process us;
	struct identity_role role = {.fd = -1};
	int error = open_role(journal, O_CREAT, &role);

	if (error)
		return error;
	error = take_role(&role, deadline, holder);
	/* Without /proc nobody can tell who we are, and that is noted. */
	if (!error && identity_self(&us))
		us = (struct identity_process){.pid = getpid()};
	if (!error && pwrite(role.fd, &us, sizeof(us), 0) != sizeof(us))
		error = -EIO;
	if (error)
		identity_role_close(&role);
	else
		journal->dispatcher = role;
	return error;
}

bool journal_is_served(const struct journal *journal)
{
	struct identity_role role = {.fd = -1};
	bool is_served, has_met = false;
	pid_t holder;

	if (open_role(journal, 0, &role))
		return false;
	is_served = identity_role_look(&role, SERVING, &has_met) !=
			    IDENTITY_PEER_ABSENT &&
		    judge_holder(role.fd, &holder) != IDENTITY_DEAD;
	identity_role_close(&role);
	return is_served;
}

/* ---- ids --------------------------------------------------------------------- */

int journal_next_id(struct journal *journal, uint64_t *id)
{
	struct journal_head head;
	int error;

	error = fdio_lock(journal->head, LOCK_EX, tick_after(PATIENCE_NS));
	if (error)
		return error;
	error = read_head(journal->head, &head);
	if (!error && head.last_id == UINT64_MAX)
		error = -EOVERFLOW;
	if (!error) {
		*id = ++head.last_id;
		error = write_head(journal->head, &head);
	}
	flock(journal->head, LOCK_UN);
	return error;
}

int journal_last_id(const struct journal *journal, uint64_t *id)
{
	struct journal_head head;
	int error = read_head(journal->head, &head);

	if (!error)
		*id = head.last_id;
	return error;
}

/* ---- submitters in, submitters out --------------------------------------------- */

int journal_enter(struct journal *journal)
{
	return fdio_lock(journal->dir, LOCK_SH, tick_after(PATIENCE_NS));
}

void journal_leave(struct journal *journal)
{
	flock(journal->dir, LOCK_UN);
}

int journal_try_close(struct journal *journal)
{
	if (flock(journal->dir, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

/* ---- what is in it ---------------------------------------------------------------- */

int journal_each(const struct journal *journal,
		 int (*visit)(uint64_t id, void *arg), void *arg)
{
	return each(journal->dir, ".job", visit, arg);
}

static int remove_half_written(uint64_t id, void *arg)
{
	const struct journal *journal = arg;
	char name[32];

	snprintf(name, sizeof(name), "%llu.tmp", (unsigned long long)id);
	return unlinkat(journal->dir, name, 0) < 0 ? -errno : 0;
}

int journal_sweep(struct journal *journal)
{
	int error = journal_try_close(journal);

	if (error)
		return error == -EBUSY ? 0 : error;
	error = each(journal->dir, ".tmp", remove_half_written, journal);
	journal_leave(journal);
	return error;
}

/* ---- submissions ------------------------------------------------------------------ */

static int open_queue(struct journal_submission *s, const char *name)
{
	int error = jobqueue_join(&s->queue, name);

	if (!error && job_bytes(s->job) > s->queue.message_bytes) {
		jobqueue_close(&s->queue);
		error = -EMSGSIZE;
	}
	return error;
}

int journal_submission_begin(struct journal_submission *s,
			     struct journal *journal, const char *queue_name,
			     struct job *job)
{
	int error;

	*s = (struct journal_submission){
		.journal = journal, .job = job, .record = -1};
	/* Between enter and leave the queue's name is not removed: the queue
	 * that we open is the one that the dispatcher looks into. */
	error = journal_enter(journal);
	if (error)
		return error;
	error = open_queue(s, queue_name);
	if (error)
		goto leave;
	error = journal_next_id(journal, &job->id);
	if (error)
		goto close;
	job->journal = journal->identity;
	s->record = record_create(journal->dir, job);
	if (s->record >= 0)
		return 0;
	error = s->record;
close:
	jobqueue_close(&s->queue);
leave:
	journal_leave(journal);
	return error;
}

int journal_submission_send(struct journal_submission *s, int64_t deadline)
{
	int error = jobqueue_send(&s->queue, s->job, deadline);

	if (error)
		return error;
	s->is_sent = true;
	return record_commit(s->record);
}

void journal_submission_end(struct journal_submission *s)
{
	if (!s->is_sent)
		record_remove(s->journal->dir, s->job->id);
	if (s->record >= 0)
		close(s->record);
	s->record = -1;
	jobqueue_close(&s->queue);
	journal_leave(s->journal);
}
