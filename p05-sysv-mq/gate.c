/* gate.c - see gate.h for what the semaphores mean. */
#include "p05-sysv-mq/gate.h"

#include <errno.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sysv.h"
#include "lib/tick.h"
#include "p05-sysv-mq/letter.h"

enum {
	ALIVE,
	CREDITS,
	MAGIC,
	LABEL,
	LABEL_PARTS = 4,
	PLACE = LABEL + LABEL_PARTS,
	PLACE_PARTS = 3,
	COUNT = PLACE + PLACE_PARTS
};
/* The first is of this version of the labels and of the letters (letter.h): with
 * another of either comes another, or clients would wait for what they cannot
 * read. */
enum { MAGIC_VALUE = 0x5156, PART_BITS = 15, VALUE_MAX = 32767 };
/* ftok(3) wants a number of the program's own. */
enum { PROJECT = 'q' };

static int set_error(int error)
{
	return error == -EINVAL ? -EIDRM : error;
}

/* ---- the label ---- */

int gate_key(const char *path, key_t *key, uint64_t *identity)
{
	struct stat status, again;
	int rc;

	/* ftok(3) looks by name, too: it must have been at the same file. */
	do {
		if (stat(path, &status) < 0)
			return -errno;
		rc = sysv_key(path, PROJECT, key);
		if (rc)
			return rc;
		if (stat(path, &again) < 0)
			return -errno;
	} while (again.st_dev != status.st_dev ||
		 again.st_ino != status.st_ino);
	/* Inode numbers differ in their low bits, devices are few: both fit
	 * without a loss until inodes exceed 44 bits. Bit 59 says "a file". */
	*identity = (((uint64_t)status.st_dev << 44) ^ (uint64_t)status.st_ino);
	*identity &= (UINT64_C(1) << 59) - 1;
	*identity |= UINT64_C(1) << 59;
	return 0;
}

static void put_parts(unsigned short *values, int n, uint64_t number)
{
	for (int i = 0; i < n; i++)
		values[i] = (number >> (i * PART_BITS)) & VALUE_MAX;
}

static void write_label(unsigned short values[COUNT], uint64_t identity)
{
	memset(values, 0, COUNT * sizeof(values[0]));
	values[MAGIC] = MAGIC_VALUE;
	put_parts(&values[LABEL], LABEL_PARTS, identity);
	put_parts(&values[PLACE], PLACE_PARTS, letter_place_here().pid);
}

static uint32_t namespace_in(const unsigned short values[COUNT])
{
	uint64_t number = 0;

	for (int i = PLACE_PARTS - 1; i >= 0; i--)
		number = number << PART_BITS | values[PLACE + i];
	return (uint32_t)number;
}

/* Whoever made it may change it, and so may whom it was given to. */
bool gate_trusts(const struct ipc_perm *perm, uid_t other)
{
	const uid_t users[] = {perm->uid, perm->cuid};
	bool is_trusted = true;

	for (int i = 0; i < 2; i++)
		is_trusted &= users[i] == geteuid() || users[i] == 0 ||
			      users[i] == other;
	return is_trusted;
}

/* 0, or whose set it is instead. */
static int check_label(int set, uint64_t identity, bool any_file,
		       unsigned short have[COUNT])
{
	unsigned short want[LABEL_PARTS];
	struct semid_ds status = {0};
	union semun arg;

	arg.buf = &status;
	if (semctl(set, 0, IPC_STAT, arg) < 0)
		return set_error(-errno);
	if (status.sem_nsems != COUNT)
		return -ENOTUNIQ;
	if (status.sem_otime == 0)
		return -ENOENT; /* its label is not written yet */
	arg.array = have;
	if (semctl(set, 0, GETALL, arg) < 0)
		return set_error(-errno);
	if (have[MAGIC] != MAGIC_VALUE)
		return -ENOTUNIQ;
	if (any_file && identity == GATE_NO_FILE)
		return 0;
	put_parts(want, LABEL_PARTS, identity);
	return memcmp(&have[LABEL], want, sizeof(want)) == 0 ? 0 : -EXDEV;
}

/* ---- the server's side ---- */

/* If nobody serves: we do. One operation, so that two cannot both succeed. */
static int take_alive(int set)
{
	struct sembuf ops[] = {
		{.sem_num = ALIVE, .sem_op = 0, .sem_flg = IPC_NOWAIT},
		{.sem_num = ALIVE, .sem_op = 1, .sem_flg = SEM_UNDO},
	};

	if (semop(set, ops, 2) == 0)
		return 0;
	return errno == EAGAIN ? -EADDRINUSE : set_error(-errno);
}

/* Between its making and its label a set has this mode, which nobody gives to
 * anything: by it what a server left that was killed in between is known from
 * another program's set that has not been used yet (ipcmk(1)). */
enum { NEWBORN_MODE = 0621 };

/* A set whose maker was killed before its first semop(2). Other programs' sets
 * stay out of it. */
static bool is_unfinished(int set)
{
	unsigned short have[COUNT] = {0};
	struct semid_ds status = {0};
	union semun arg = {.buf = &status};

	if (semctl(set, 0, IPC_STAT, arg) < 0 || status.sem_nsems != COUNT ||
	    status.sem_otime != 0)
		return false;
	arg.array = have;
	return semctl(set, 0, GETALL, arg) == 0 && have[ALIVE] == 0 &&
	       have[CREDITS] == 0 &&
	       (status.sem_perm.mode & 0777) == NEWBORN_MODE &&
	       (have[MAGIC] == MAGIC_VALUE || have[MAGIC] == 0);
}

static int set_mode(int set, int mode)
{
	struct semid_ds status = {0};
	union semun arg = {.buf = &status};

	if (semctl(set, 0, IPC_STAT, arg) < 0)
		return set_error(-errno);
	status.sem_perm.mode = (unsigned short)(mode & 0777);
	return semctl(set, 0, IPC_SET, arg) < 0 ? set_error(-errno) : 0;
}

/* Of the dead only what we may remove is taken over: ALIVE in a set of mode 666
 * can be taken by anybody. */
static int take_over(int set)
{
	struct semid_ds status = {0};
	union semun arg = {.buf = &status};

	if (semctl(set, 0, IPC_STAT, arg) < 0)
		return set_error(-errno);
	if (gate_is_served(set))
		return -EADDRINUSE;
	if (geteuid() != 0 && status.sem_perm.uid != geteuid() &&
	    status.sem_perm.cuid != geteuid())
		return -EPERM;
	return take_alive(set);
}

static int try_take(key_t key, uint64_t identity, int mode, bool *is_new)
{
	/* Who makes a set uses it at once, or was killed in between. */
	const int64_t patience = TICK_S;
	unsigned short values[COUNT], have[COUNT] = {0};
	int set, rc;

	write_label(values, identity);
	set = sysv_sem_create_or_open(key, COUNT, values, NEWBORN_MODE,
				      tick_after(patience), is_new);
	if (set == -ETIMEDOUT) {
		set = semget(key, 0, 0);
		if (set >= 0 && !is_unfinished(set))
			return -ENOTUNIQ;
		gate_remove(set);
		return -EIDRM;
	}
	if (set < 0)
		return set == -EINVAL ? -ENOTUNIQ : set; /* a smaller set */
	rc = check_label(set, identity, false, have);
	if (rc == 0)
		rc = take_over(set);
	if (rc == 0)
		rc = set_mode(set, mode);
	return rc ? rc : set;
}

int gate_take(key_t key, uint64_t identity, int mode, int64_t deadline,
	      bool *is_new)
{
	int rc;

	/* A set that another removes meanwhile is no longer the key's. */
	do
		rc = try_take(key, identity, mode, is_new);
	while (rc == -EIDRM && !tick_is_over(deadline));
	return rc == -EIDRM ? -ETIMEDOUT : rc;
}

int gate_open(int set, uint32_t units)
{
	struct sembuf op = {
		.sem_num = CREDITS,
		.sem_op = (short)(units < VALUE_MAX ? units : VALUE_MAX),
		.sem_flg = 0,
	};

	return semop(set, &op, 1) < 0 ? set_error(-errno) : 0;
}

int gate_remove(int set)
{
	return semctl(set, 0, IPC_RMID) < 0 ? set_error(-errno) : 0;
}

/* ---- the client's side ---- */

bool gate_is_served(int set)
{
	return semctl(set, ALIVE, GETVAL) > 0;
}

bool gate_is_ours(int set)
{
	return gate_is_served(set) && semctl(set, ALIVE, GETPID) == getpid();
}

int gate_find(key_t key, uint64_t identity, uid_t other,
	      struct gate_server *server)
{
	unsigned short have[COUNT] = {0};
	struct semid_ds status = {0};
	union semun arg = {.buf = &status};
	int set = semget(key, 0, 0);
	int rc;

	if (set < 0)
		return -errno;
	rc = check_label(set, identity, true, have);
	if (!rc && semctl(set, 0, IPC_STAT, arg) < 0)
		rc = set_error(-errno);
	if (rc)
		return rc == -EIDRM ? -ENOENT : rc;
	if (!gate_trusts(&status.sem_perm, other))
		return -EPERM;
	/* The last to change it was the server, when it took it. */
	server->pid = semctl(set, ALIVE, GETPID);
	server->pid_namespace = namespace_in(have);
	return gate_is_served(set) ? set : -ENOENT;
}

int gate_reserve(int set, uint32_t units, int64_t deadline)
{
	return set_error(sysv_sem_op(set, CREDITS, (short)-(int)units, SEM_UNDO,
				     deadline));
}

int gate_release(int set, uint32_t units)
{
	return set_error(
		sysv_sem_op(set, CREDITS, (short)units, SEM_UNDO, TICK_NEVER));
}
