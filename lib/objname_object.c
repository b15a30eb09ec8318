/* The half of objname.h that looks at the objects themselves. Everything in
 * an entry may be out of date or forged, so each call asks the kernel first:
 * still there, of that type, this user's? */
#include "lib/objname.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/objname_entry.h"
#include "lib/sysv.h"

static bool is_ours(const struct stat *st, mode_t type)
{
	return (st->st_mode & S_IFMT) == type && st->st_uid == geteuid();
}

/* On Linux a shared memory object is /dev/shm/NAME, and a semaphore
 * /dev/shm/sem.NAME. Looking there opens nothing. */
static bool dev_shm_is_ours(const char *prefix, const char *name)
{
	char path[OBJNAME_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/shm/%s%s", prefix, name + 1);
	return lstat(path, &st) == 0 && is_ours(&st, S_IFREG);
}

/* Linux knows no other way to a queue than opening it; a queue descriptor is
 * a file descriptor there. One that may be neither read nor written by its
 * owner is not found. */
static bool mq_is_ours(const char *name)
{
	mqd_t queue = mq_open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool result;

	if (queue < 0 && errno == EACCES)
		queue = mq_open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (queue < 0)
		return false;
	result = fstat(queue, &st) == 0 && is_ours(&st, S_IFREG);
	mq_close(queue);
	return result;
}

/* The folder of a path, open, and the name in it: what is checked is then
 * what is removed, even if somebody moves the folder meanwhile. */
static int open_folder(const char *path, const char **file)
{
	char folder[OBJNAME_MAX];
	const char *slash = strrchr(path, '/');
	int fd;

	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
	*file = slash + 1;
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Look for a FIFO or socket of ours, and remove it if so asked. */
static int visit_path(const char *path, mode_t type, bool is_to_go)
{
	const char *file;
	struct stat st;
	int fd = open_folder(path, &file);
	int error;

	if (fd < 0)
		return fd;
	error = fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (!error && !is_ours(&st, type))
		error = -ENOENT;
	if (!error && is_to_go && unlinkat(fd, file, 0) < 0)
		error = -errno;
	close(fd);
	return error;
}

static mode_t type_of(const struct objname_entry *entry)
{
	return entry->kind == OBJNAME_FIFO ? S_IFIFO : S_IFSOCK;
}

static int id_of(const struct objname_entry *entry)
{
	return (int)strtol(entry->name, NULL, 10);
}

static bool sysv_is_ours(const struct objname_entry *entry)
{
	union {
		struct shmid_ds shm;
		struct semid_ds sem;
		struct msqid_ds msg;
	} at = {0};
	union semun arg = {.buf = &at.sem};

	switch (entry->kind) {
	case OBJNAME_SYSV_SHM:
		/* One that is removed already lives until it is detached. */
		return shmctl(id_of(entry), IPC_STAT, &at.shm) == 0 &&
		       at.shm.shm_perm.uid == geteuid() &&
		       !(at.shm.shm_perm.mode & SHM_DEST);
	case OBJNAME_SYSV_SEM:
		return semctl(id_of(entry), 0, IPC_STAT, arg) == 0 &&
		       at.sem.sem_perm.uid == geteuid();
	default:
		return msgctl(id_of(entry), IPC_STAT, &at.msg) == 0 &&
		       at.msg.msg_perm.uid == geteuid();
	}
}

/* Of that kind, and this user's. */
static bool is_there(const struct objname_entry *entry)
{
	switch (entry->kind) {
	case OBJNAME_SHM:
		return dev_shm_is_ours("", entry->name);
	case OBJNAME_SEM:
		return dev_shm_is_ours("sem.", entry->name);
	case OBJNAME_MQ:
		return mq_is_ours(entry->name);
	case OBJNAME_FIFO:
	case OBJNAME_SOCKET:
		return visit_path(entry->name, type_of(entry), false) == 0;
	case OBJNAME_SYSV_SHM:
	case OBJNAME_SYSV_SEM:
	case OBJNAME_SYSV_MSG:
		return sysv_is_ours(entry);
	case OBJNAME_KINDS:
		break;
	}
	return false;
}

/* Not before it is made: objname_made(). */
static bool is_noted(const struct identity_object *object)
{
	return object->inode != 0 || object->ctime_s != 0;
}

enum identity_match objname_match(const struct objname_entry *entry)
{
	struct identity_object now;
	int error = objname_entry_look(entry->kind, entry->name, &now);

	if (entry->object.kind == 0) /* of an older version */
		return is_there(entry) ? IDENTITY_CANNOT_TELL : IDENTITY_GONE;
	if (!error && !is_noted(&entry->object))
		return is_there(entry) ? IDENTITY_CANNOT_TELL
				       : IDENTITY_ANOTHER;
	return identity_compare(&entry->object, error, &now);
}

bool objname_exists(const struct objname_entry *entry)
{
	enum identity_match match = objname_match(entry);

	return match != IDENTITY_GONE && match != IDENTITY_ANOTHER &&
	       is_there(entry);
}

enum objname_owner objname_judge_owner(const struct objname_entry *entry)
{
	switch (identity_judge(&entry->owner)) {
	case IDENTITY_DEAD:
		return OBJNAME_DEAD;
	case IDENTITY_ALIVE:
		return OBJNAME_ALIVE;
	case IDENTITY_UNKNOWN:
		break;
	}
	return OBJNAME_UNKNOWN;
}

static int remove_object(const struct objname_entry *entry)
{
	int result = 0;

	switch (entry->kind) {
	case OBJNAME_SHM:
		result = shm_unlink(entry->name);
		break;
	case OBJNAME_SEM:
		result = sem_unlink(entry->name);
		break;
	case OBJNAME_MQ:
		result = mq_unlink(entry->name);
		break;
	case OBJNAME_FIFO:
	case OBJNAME_SOCKET:
		return visit_path(entry->name, type_of(entry), true);
	case OBJNAME_SYSV_SHM:
		result = shmctl(id_of(entry), IPC_RMID, NULL);
		break;
	case OBJNAME_SYSV_SEM:
		result = semctl(id_of(entry), 0, IPC_RMID);
		break;
	case OBJNAME_SYSV_MSG:
		result = msgctl(id_of(entry), IPC_RMID, NULL);
		break;
	case OBJNAME_KINDS:
		return -EINVAL;
	}
	return result < 0 ? -errno : 0;
}

struct search {
	struct objname_entry entry; /* with the object as it is noted by now */
	bool is_taken_over;         /* by another owner, since it was read */
};

static int find_present(const struct objname_entry *present, void *arg)
{
	struct search *search = arg;

	if (present->kind != search->entry.kind ||
	    strcmp(present->name, search->entry.name) != 0)
		return 0;
	if (objname_entry_same_owner(present, &search->entry))
		search->entry.object = present->object;
	else
		search->is_taken_over = true;
	return 0;
}

int objname_remove(const struct objname_entry *entry)
{
	struct search search = {.entry = *entry};
	int error = 0;

	objname_each(find_present, &search);
	if (search.is_taken_over)
		return -EBUSY;
	if (objname_exists(&search.entry))
		error = remove_object(entry);
	if (error && error != -ENOENT && error != -EIDRM && error != -EINVAL)
		return error;
	return objname_release(entry->kind, entry->name);
}
