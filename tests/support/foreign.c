#include "tests/support/foreign.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/objname_entry.h"
#include "lib/sysv.h"

/* What is in each: bytes, one message, or the value of a semaphore. */
#define WORD "foreign"
enum { VALUE = 7, BYTES = 4096 };

static bool is_sysv(enum objname_kind kind)
{
	return kind == OBJNAME_SYSV_SHM || kind == OBJNAME_SYSV_SEM ||
	       kind == OBJNAME_SYSV_MSG;
}

/* ---- one of each kind ----------------------------------------------------------- */

static int make_shm(const char *name)
{
	int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	bool is_made;

	if (fd < 0)
		return -errno;
	is_made = ftruncate(fd, BYTES) == 0 &&
		  pwrite(fd, WORD, sizeof(WORD), 0) == sizeof(WORD);
	close(fd);
	return is_made ? 0 : -EIO;
}

static int make_sem(const char *name)
{
	sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0600, VALUE);

	if (sem == SEM_FAILED)
		return -errno;
	return sem_close(sem) ? -errno : 0;
}

static int make_queue(const char *name)
{
	struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 64};
	mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK,
			      0600, &attr);
	int error = 0;

	if (queue < 0)
		return -errno;
	if (mq_send(queue, WORD, sizeof(WORD), 0))
		error = -errno;
	mq_close(queue);
	return error;
}

static int make_socket(const char *path, int *listener)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0)
		return -errno;
	if (bind(*listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(*listener, 1))
		return -errno;
	return 0;
}

static int make_sysv(enum objname_kind kind, key_t key, int *id)
{
	const int flags = IPC_CREAT | IPC_EXCL | 0600;
	struct {
		long type;
		char text[sizeof(WORD)];
	} message = {1, WORD};
	union semun value = {.val = VALUE};
	char *at;

	switch (kind) {
	case OBJNAME_SYSV_SHM:
		*id = shmget(key, BYTES, flags);
		if (*id < 0)
			return -errno;
		at = shmat(*id, NULL, 0);
		if (at == (void *)-1)
			return -errno;
		memcpy(at, WORD, sizeof(WORD));
		return shmdt(at) ? -errno : 0;
	case OBJNAME_SYSV_SEM:
		*id = semget(key, 1, flags);
		return *id < 0 || semctl(*id, 0, SETVAL, value) ? -errno : 0;
	default:
		*id = msgget(key, flags);
		return *id < 0 || msgsnd(*id, &message, sizeof(WORD),
					 IPC_NOWAIT)
			       ? -errno
			       : 0;
	}
}

static int look(const struct foreign_object *object,
		struct identity_object *identity)
{
	char id[16];

	snprintf(id, sizeof(id), "%d", object->id);
	return objname_entry_look(object->kind,
				  is_sysv(object->kind) ? id : object->name,
				  identity);
}

static struct foreign_object *add(struct foreign *foreign,
				  enum objname_kind kind, const char *name)
{
	struct foreign_object *object;

	assert_true(foreign->n < FOREIGN_MAX);
	object = &foreign->object[foreign->n];
	*object =
		(struct foreign_object){.kind = kind, .id = -1, .listener = -1};
	snprintf(object->name, sizeof(object->name), "%s", name);
	return object;
}

/* It counts once it is there, so that what a failed case has made goes. */
static void note(struct foreign *foreign, int error)
{
	struct foreign_object *object = &foreign->object[foreign->n];

	if (error)
		fail_msg("cannot make a foreign %s '%s': %s",
			 objname_kind_word(object->kind), object->name,
			 strerror(-error));
	foreign->n++;
	assert_int_equal(look(object, &object->identity), 0);
}

void foreign_make_as(struct foreign *foreign, enum objname_kind kind,
		     const char *name)
{
	struct foreign_object *object = add(foreign, kind, name);
	int error = -EINVAL;

	switch (kind) {
	case OBJNAME_SHM:
		error = make_shm(name);
		break;
	case OBJNAME_SEM:
		error = make_sem(name);
		break;
	case OBJNAME_MQ:
		error = make_queue(name);
		break;
	case OBJNAME_FIFO:
		error = mkfifo(name, 0600) ? -errno : 0;
		break;
	case OBJNAME_SOCKET:
		error = make_socket(name, &object->listener);
		break;
	default:
		break;
	}
	note(foreign, error);
}

void foreign_make_key(struct foreign *foreign, enum objname_kind kind, int key)
{
	struct foreign_object *object = add(foreign, kind, "");

	note(foreign, make_sysv(kind, key, &object->id));
}

bool foreign_make_id(struct foreign *foreign, enum objname_kind kind, int id)
{
	const char *path =
		kind == OBJNAME_SYSV_SHM   ? "/proc/sys/kernel/shm_next_id"
		: kind == OBJNAME_SYSV_SEM ? "/proc/sys/kernel/sem_next_id"
					   : "/proc/sys/kernel/msg_next_id";
	char text[16];

	snprintf(text, sizeof(text), "%d\n", id);
	if (support_put_text(path, text))
		return false;
	foreign_make_key(foreign, kind, IPC_PRIVATE);
	return foreign->object[foreign->n - 1].id == id;
}

void foreign_make(struct foreign *foreign, const char *dir, unsigned int n)
{
	char name[OBJNAME_MAX];

	for (unsigned int i = 0; i < n; i++) {
		enum objname_kind kind = (enum objname_kind)(i % OBJNAME_KINDS);

		snprintf(name, sizeof(name), "%s/foreign.%d.%u",
			 kind == OBJNAME_FIFO || kind == OBJNAME_SOCKET ? dir
									: "",
			 (int)getpid(), foreign->n);
		if (is_sysv(kind))
			foreign_make_key(foreign, kind, IPC_PRIVATE);
		else
			foreign_make_as(foreign, kind, name);
	}
}

/* ---- what is in them -------------------------------------------------------------- */

static bool has_word(const char *name)
{
	int fd = shm_open(name, O_RDONLY, 0);
	char word[sizeof(WORD)] = "";
	struct stat st;
	bool is_whole;

	if (fd < 0)
		return false;
	is_whole = fstat(fd, &st) == 0 && st.st_size == BYTES &&
		   pread(fd, word, sizeof(word), 0) == sizeof(word) &&
		   memcmp(word, WORD, sizeof(word)) == 0;
	close(fd);
	return is_whole;
}

static bool has_value(const char *name)
{
	sem_t *sem = sem_open(name, 0);
	int value = 0;

	if (sem == SEM_FAILED)
		return false;
	sem_getvalue(sem, &value);
	sem_close(sem);
	return value == VALUE;
}

static bool has_message(const char *name)
{
	struct mq_attr attr = {0};
	mqd_t queue = mq_open(name, O_RDONLY | O_NONBLOCK);

	if (queue < 0)
		return false;
	mq_getattr(queue, &attr);
	mq_close(queue);
	return attr.mq_curmsgs == 1;
}

static bool has_sysv(const struct foreign_object *object)
{
	struct shmid_ds shm;
	struct msqid_ds msg;

	switch (object->kind) {
	case OBJNAME_SYSV_SHM:
		return shmctl(object->id, IPC_STAT, &shm) == 0 &&
		       shm.shm_segsz == BYTES && shm.shm_nattch == 0;
	case OBJNAME_SYSV_SEM:
		return semctl(object->id, 0, GETVAL) == VALUE;
	default:
		return msgctl(object->id, IPC_STAT, &msg) == 0 &&
		       msg.msg_qnum == 1;
	}
}

static bool is_unharmed(const struct foreign_object *object)
{
	struct identity_object now;
	int error = look(object, &now);

	if (identity_compare(&object->identity, error, &now) != IDENTITY_SAME)
		return false;
	switch (object->kind) {
	case OBJNAME_SHM:
		return has_word(object->name);
	case OBJNAME_SEM:
		return has_value(object->name);
	case OBJNAME_MQ:
		return has_message(object->name);
	case OBJNAME_FIFO:
	case OBJNAME_SOCKET:
		return true;
	default:
		return has_sysv(object);
	}
}

const char *foreign_find_harmed(const struct foreign *foreign)
{
	const struct foreign_object *object;

	for (unsigned int i = 0; i < foreign->n; i++) {
		object = &foreign->object[i];
		if (!is_unharmed(object))
			return object->name[0]
				       ? object->name
				       : objname_kind_word(object->kind);
	}
	return NULL;
}

void foreign_assert_unharmed(const struct foreign *foreign)
{
	const char *harmed = foreign_find_harmed(foreign);

	if (harmed)
		fail_msg("the foreign %s is not what it was", harmed);
}

/* ---- the end ---------------------------------------------------------------------- */

static void remove_one(struct foreign_object *object)
{
	switch (object->kind) {
	case OBJNAME_SHM:
		shm_unlink(object->name);
		break;
	case OBJNAME_SEM:
		sem_unlink(object->name);
		break;
	case OBJNAME_MQ:
		mq_unlink(object->name);
		break;
	case OBJNAME_SYSV_SHM:
		shmctl(object->id, IPC_RMID, NULL);
		break;
	case OBJNAME_SYSV_SEM:
		semctl(object->id, 0, IPC_RMID);
		break;
	case OBJNAME_SYSV_MSG:
		msgctl(object->id, IPC_RMID, NULL);
		break;
	default:
		unlink(object->name);
		break;
	}
	if (object->listener >= 0)
		fdio_close(&object->listener);
}

void foreign_remove(struct foreign *foreign)
{
	while (foreign->n > 0)
		remove_one(&foreign->object[--foreign->n]);
}
