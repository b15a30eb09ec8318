/* identity_object.c - what an object is beside its name or number, and whether
 * what is there now is still the same. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/identity_proc.h"
#include "lib/sysv.h"

/* statfs(2); linux/magic.h. */
#define MQUEUE_MAGIC 0x19800202
#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6

static_assert(sizeof(struct identity_object) == IDENTITY_OBJECT_BYTES,
	      "a format of files and shared memory");

/* Where it is looked for. What /proc does not tell stays 0, which is never taken
 * for the same. */
static void begin(struct identity_object *object, enum identity_kind kind)
{
	*object = (struct identity_object){.kind = kind};
	if (identity_proc_boot(object->boot))
		memset(object->boot, 0, sizeof(object->boot));
	/* Of the thread: unshare(2) may have moved it alone. */
	if (identity_proc_namespace("/proc/thread-self/ns/ipc", &object->ipc))
		object->ipc = (struct identity_namespace){0};
}

/* ---- files --------------------------------------------------------------------------- */

static uint64_t device_of(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

static uint32_t flags_of(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return 0;
	switch ((unsigned long)fs.f_type) {
	case MQUEUE_MAGIC:
		return IDENTITY_IS_QUEUE | IDENTITY_ENDS_WITH_BOOT;
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		return IDENTITY_ENDS_WITH_BOOT;
	default:
		return 0;
	}
}

static int note_file(int fd, struct identity_object *object)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) <
	    0)
		return -errno;
	if (S_ISLNK(st.stx_mode))
		return -ELOOP;
	object->device = device_of(&st);
	object->inode = st.stx_ino;
	object->flags = flags_of(fd);
	if (st.stx_mask & STATX_BTIME && !(object->flags & IDENTITY_IS_QUEUE)) {
		object->flags |= IDENTITY_HAS_BIRTH;
		object->birth_s = st.stx_btime.tv_sec;
		object->birth_ns = st.stx_btime.tv_nsec;
	}
	return 0;
}

int identity_of_fd(int fd, struct identity_object *object)
{
	begin(object, IDENTITY_FILE);
	return note_file(fd, object);
}

/* The path without its last part: "a" lies in ".", and "/a" in "/". False when
 * there is no folder above. */
static bool cut_to_folder(char path[PATH_MAX])
{
	char *slash = strrchr(path, '/');

	if (slash == path) {
		if (path[1] == '\0')
			return false;
		path[1] = '\0';
	} else if (slash) {
		*slash = '\0';
	} else {
		if (strcmp(path, ".") == 0)
			return false;
		memcpy(path, ".", 2);
	}
	return true;
}

/* The device of the folder, or of the nearest above it that is still there: a
 * path that is gone with its folder is gone, but one that leads to another
 * mount, as in another mount namespace, tells nothing. */
static uint64_t device_above(int dir, const char *path)
{
	char folder[PATH_MAX];
	struct statx st;

	size_t size = strlen(path) + 1;

	if (size > sizeof(folder))
		return 0;
	memcpy(folder, path, size);
	while (cut_to_folder(folder))
		if (statx(dir, folder, 0, STATX_TYPE, &st) == 0)
			return device_of(&st);
	return 0;
}

int identity_of_path(int dir, const char *path, struct identity_object *object)
{
	int fd, error;

	begin(object, IDENTITY_FILE);
	object->folder = device_above(dir, path);
	fd = openat(dir, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = note_file(fd, object);
	close(fd);
	return error;
}

/* The kernel's list of sockets has those of one network namespace, with the
 * text that they were bound to, and a stream's connect(2) fails alike where
 * nobody is bound and where who is does not listen yet. So it is asked by a
 * datagram socket, whose connect(2) only sets an address. */
enum identity_life identity_judge_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = strlen(path) + 1;
	int fd, error;

	if (size == 1 || size > sizeof(address.sun_path))
		return IDENTITY_UNKNOWN;
	memcpy(address.sun_path, path, size);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return IDENTITY_UNKNOWN;
	error = connect(fd, (const struct sockaddr *)&address, sizeof(address))
			? errno
			: 0;
	close(fd);
	switch (error) {
	case ECONNREFUSED:
		return IDENTITY_DEAD;
	case 0:
	case EPROTOTYPE: /* of another type than ours */
	case EPERM:      /* of ours, and has a peer */
		return IDENTITY_ALIVE;
	default:
		return IDENTITY_UNKNOWN;
	}
}

/* Linux knows no other way to a queue than opening it; a queue descriptor is
 * a file descriptor there. */
int identity_of_queue(const char *name, struct identity_object *object)
{
	mqd_t queue = mq_open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int error;

	if (queue < 0 && errno == EACCES)
		queue = mq_open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	error = queue < 0 ? -errno : 0;
	begin(object, IDENTITY_FILE);
	if (error)
		return error;
	error = note_file(queue, object);
	mq_close(queue);
	return error;
}

/* ---- System V ------------------------------------------------------------------------ */

static void note_sysv(struct identity_object *object,
		      const struct ipc_perm *perm, int64_t ctime_s)
{
	object->key = perm->__key;
	object->creator = perm->cuid;
	object->ctime_s = ctime_s;
}

int identity_of_sysv(enum identity_kind kind, int id,
		     struct identity_object *object)
{
	struct shmid_ds shm;
	struct semid_ds sem = {0};
	struct msqid_ds msg;
	union semun arg = {.buf = &sem};

	begin(object, kind);
	object->id = id;
	switch (kind) {
	case IDENTITY_SYSV_SHM:
		if (shmctl(id, IPC_STAT, &shm) < 0)
			return -errno;
		if (shm.shm_perm.mode & SHM_DEST)
			return -EIDRM;
		note_sysv(object, &shm.shm_perm, shm.shm_ctime);
		return 0;
	case IDENTITY_SYSV_SEM:
		if (semctl(id, 0, IPC_STAT, arg) < 0)
			return -errno;
		note_sysv(object, &sem.sem_perm, sem.sem_ctime);
		return 0;
	case IDENTITY_SYSV_MSG:
		if (msgctl(id, IPC_STAT, &msg) < 0)
			return -errno;
		note_sysv(object, &msg.msg_perm, msg.msg_ctime);
		return 0;
	case IDENTITY_FILE:
		break;
	}
	return -EINVAL;
}

/* ---- comparing ----------------------------------------------------------------------- */

static bool is_of_ipc_namespace(const struct identity_object *object)
{
	return object->kind != IDENTITY_FILE ||
	       object->flags & IDENTITY_IS_QUEUE;
}

static bool is_same_boot(const struct identity_object *a,
			 const struct identity_object *b)
{
	static const uint8_t none[16];

	return memcmp(a->boot, b->boot, sizeof(a->boot)) == 0 &&
	       memcmp(a->boot, none, sizeof(none)) != 0;
}

/* What there is of it, a boot has ended. */
static bool has_ended_by_boot(const struct identity_object *noted,
			      const struct identity_object *now)
{
	return (noted->kind != IDENTITY_FILE ||
		noted->flags & IDENTITY_ENDS_WITH_BOOT) &&
	       identity_proc_is_another_boot(noted->boot, &noted->ipc,
					     now->boot, &now->ipc);
}

/* Whether now was looked for where noted would be found. */
static bool is_same_ground(const struct identity_object *noted,
			   const struct identity_object *now)
{
	if (is_of_ipc_namespace(noted))
		return is_same_boot(noted, now) &&
		       identity_proc_is_same_namespace(&noted->ipc, &now->ipc);
	return noted->folder == 0 || now->folder == 0 ||
	       noted->folder == now->folder;
}

static enum identity_match compare_sysv(const struct identity_object *noted,
					const struct identity_object *now)
{
	return noted->id == now->id && noted->key == now->key &&
			       noted->creator == now->creator &&
			       noted->ctime_s == now->ctime_s
		       ? IDENTITY_SAME
		       : IDENTITY_ANOTHER;
}

static enum identity_match compare_files(const struct identity_object *noted,
					 const struct identity_object *now)
{
	uint32_t flags = noted->flags & now->flags;

	if (noted->inode != now->inode ||
	    (flags & IDENTITY_HAS_BIRTH && (noted->birth_s != now->birth_s ||
					    noted->birth_ns != now->birth_ns)))
		return IDENTITY_ANOTHER;
	/* Devices may be numbered in another order by the next boot, which ends
	 * those that are memory. */
	if (!is_same_boot(noted, now) &&
	    (noted->device != now->device ||
	     (noted->flags | now->flags) & IDENTITY_ENDS_WITH_BOOT))
		return IDENTITY_CANNOT_TELL;
	if (noted->device != now->device)
		return IDENTITY_ANOTHER;
	return flags & (IDENTITY_HAS_BIRTH | IDENTITY_IS_QUEUE)
		       ? IDENTITY_SAME
		       : IDENTITY_CANNOT_TELL;
}

static bool says_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -EIDRM ||
	       error == -EINVAL;
}

enum identity_match identity_compare(const struct identity_object *noted,
				     int error,
				     const struct identity_object *now)
{
	enum identity_match match;

	if (noted->kind == 0 || (error && !says_gone(error)))
		return IDENTITY_CANNOT_TELL;
	if (has_ended_by_boot(noted, now))
		return error ? IDENTITY_GONE : IDENTITY_ANOTHER;
	if (error)
		return is_same_ground(noted, now) ? IDENTITY_GONE
						  : IDENTITY_CANNOT_TELL;
	if (noted->kind != now->kind)
		return IDENTITY_ANOTHER;
	match = noted->kind == IDENTITY_FILE ? compare_files(noted, now)
					     : compare_sysv(noted, now);
	if (is_same_ground(noted, now) ||
	    (match == IDENTITY_SAME && !is_of_ipc_namespace(noted)))
		return match;
	return IDENTITY_CANNOT_TELL;
}
