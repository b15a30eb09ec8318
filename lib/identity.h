/* identity.h - who lives, and whose it is: the one place that answers.
 *
 * A pid is a number that the next process may have, and so are the id of a
 * System V object, the name of a queue, the number of a process group and the
 * inode of a namespace. What is noted here is more than the number: enough to
 * tell later whether that number still means the same.
 *
 * The values have a fixed width and no pointers, so that they may lie in
 * shared memory and in files; all of a value that nobody has is zero bytes.
 * They are nobody's secret and prove nothing about who wrote them: who can
 * write the memory can write a value. Where that matters, liveness is what the
 * kernel holds: a role (below), a pidfd, SEM_UNDO.
 *
 * All functions may be called by any thread and any process at any time, keep
 * nothing in memory, and wait for nobody unless they take a deadline. They
 * return 0 or -errno unless something else is said; -EMFILE, -ENFILE and
 * -ENOMEM can come from each that asks the kernel.
 */
#ifndef UNIXIPC_LIB_IDENTITY_H
#define UNIXIPC_LIB_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- where: boot and namespaces -------------------------------------------------
 *
 * A PID namespace counts its own pids, a time namespace shifts start times, an
 * IPC namespace has its own ids and queues, and all begin anew with a boot
 * (pid_namespaces(7), time_namespaces(7), ipc_namespaces(7)).
 *
 * The inode of a namespace is given to another one as soon as the first is
 * gone. What is never given again in a boot is its id (ioctl NS_GET_ID, Linux
 * 6.18); before that a PID namespace is known by the start of its process 1.
 * The namespaces that the kernel makes at boot never go, and have inodes of
 * their own: of those the inode is proof enough. What has neither is not known
 * to be the same. */
struct identity_namespace {
	uint64_t inode;
	uint64_t id; /* 0: not known */
};

struct identity_place {
	uint8_t boot[16]; /* /proc/sys/kernel/random/boot_id */
	struct identity_namespace pid, time;
};

/* Where the caller is. -ENOSYS when /proc does not tell: there is none, or it
 * is that of another PID namespace (after unshare(2) with CLONE_NEWPID, until
 * it is mounted anew), where the caller's pid is somebody else's. */
int identity_place_here(struct identity_place *place);

/* For the door of an object whose header has its maker's place, as words with
 * pids (below) mean something only there: 0 when it is the caller's too,
 * -EXDEV when it is another or cannot be shown to be the same, -ENOSYS as
 * above. */
int identity_place_check(const struct identity_place *made);

/* ---- a process ------------------------------------------------------------------
 *
 * What happens to it:
 *  fork     the child is another process, with its own pid and start
 *  exec     the same process still; also when a thread other than the first
 *           calls it
 *  setns, unshare, another root or /proc    the value stays true; but who asks
 *           from another PID namespace, also from the parent of the one where
 *           it was noted, is told IDENTITY_UNKNOWN
 *  a clock set back    nothing: start times count from boot. A time namespace
 *           shifts them: where the kernel has pidfs (Linux 6.9) that does not
 *           matter, before that the answer there is IDENTITY_UNKNOWN
 *  a boot   ends it. That it was a boot is known where both noted and asking
 *           are in the PID namespace that the kernel makes; a container may
 *           have a boot id of its own (systemd-nspawn), and then, as on a file
 *           system that two machines share, the answer is IDENTITY_UNKNOWN
 *  /proc missing     IDENTITY_UNKNOWN, as nothing tells then where we are
 *  hidepid  IDENTITY_UNKNOWN of what is hidden, unless nobody has the pid, or
 *           the kernel has pidfs, which needs no /proc for this */
struct identity_process {
	struct identity_place place; /* of who noted it */
	uint64_t
		start; /* in clock ticks since boot: /proc/PID/stat, field 22 */
	uint64_t pidfs; /* inode of its pidfd, which no two processes of a boot
			 * share; 0: the kernel has none */
	int32_t pid;
	uint32_t reserved; /* 0 */
};
#define IDENTITY_PROCESS_BYTES 72

enum identity_life {
	IDENTITY_DEAD,    /* it has ended: also when it is not waited for yet */
	IDENTITY_ALIVE,   /* also stopped, and when its first thread is gone */
	IDENTITY_UNKNOWN, /* cannot be judged from here: counts as living */
};

/* The process that has this pid now. -ESRCH when there is none (a thread that
 * is not the first of its process is none), -ENOSYS as for a place, or when
 * /proc hides it. */
int identity_of(pid_t pid, struct identity_process *process);
int identity_self(struct identity_process *process);

enum identity_life identity_judge(const struct identity_process *process);

/* Byte for byte; whether one of two unequal values is that of a living process
 * is another question. */
bool identity_is_same(const struct identity_process *a,
		      const struct identity_process *b);

/* A pidfd that is certainly of that process, to be closed by the caller; it is
 * close-on-exec. -ESRCH when it is dead, -EXDEV when it cannot be judged,
 * -ENOSYS before Linux 5.3 or where a filter forbids it. */
int identity_open(const struct identity_process *process);

/* Send a signal (0: only ask). -ESRCH and -EXDEV as above: nothing was sent;
 * -EPERM. Without pidfds the process is judged first, and then kill(2) goes by
 * number: who dies and is replaced within those microseconds passes it on. */
int identity_signal(const struct identity_process *process, int signal);

/* "PID:START:PIDFS:NS/ID:NS/ID:BOOT", all decimal but the boot, which is as the
 * kernel writes it. Parsing takes what format writes and nothing else: -EBADMSG. */
#define IDENTITY_PROCESS_TEXT 192 /* bytes, with the null byte */
void identity_format(const struct identity_process *process,
		     char text[IDENTITY_PROCESS_TEXT]);
int identity_parse(const char *text, struct identity_process *process);

/* When a process or thread started, in clock ticks since boot as the caller's
 * time namespace has it; 0 when there is none, or /proc does not tell. */
uint64_t identity_start_time(pid_t id);

/* The processor on which the first thread of the process with that pid runs, or
 * ran last: a hint, as it may be on another by now. -1 when nobody knows. */
int identity_processor(pid_t pid);

/* Whether that process is stopped (SIGSTOP): a hint, too; false when nobody
 * knows. */
bool identity_is_stopped(pid_t pid);

/* Whether the process or thread with that id and start lives, for formats that
 * note no more than this: they are good for one PID and time namespace and one
 * boot, and who reads them from elsewhere is misled. In doubt it does. */
bool identity_is_alive(pid_t id, uint64_t start);

/* ---- a process in a word -----------------------------------------------------------
 *
 * What a single compare-and-swap must hold: the pid in 22 bits, which are the
 * most that Linux has (PID_MAX_LIMIT, proc(5)), and above it as many of the low
 * bits of the start as there is room for: at least 30, that is four months
 * until one number and tick could come again. There is no room for namespaces:
 * these belong to the header, and are checked at the door. */
#define IDENTITY_PID_BITS 22

/* Never 0 for a process whose start is known, else 0: for a word without
 * owner. start_bits is 30 to 42. */
uint64_t identity_word(const struct identity_process *process,
		       unsigned int start_bits);
pid_t identity_word_pid(uint64_t word);

/* For who has passed identity_place_check(). IDENTITY_DEAD for 0. */
enum identity_life identity_word_judge(uint64_t word, unsigned int start_bits);

/* Whether nobody has its pid: dead for certain. False says nothing. One short
 * system call, and no /proc. */
bool identity_word_is_gone(uint64_t word);

/* ---- a process group -----------------------------------------------------------------
 *
 * A group has the number of the process that made it, its leader, and keeps it
 * when that has died; the number goes to nobody else as long as a member
 * lives, or is a zombie (setpgid(2), credentials(7)). So while the leader is
 * proven, be it a zombie, the group is its; once it is gone, nobody can tell
 * its members from those of a later group. Who has started the leader in this
 * life opens a pidfd of it before it is waited for (identity_open()), and with
 * that is sure of the group for ever, on Linux 6.9 and later; pass -1 where
 * there is none. The pidfd stays the caller's. */

/* IDENTITY_DEAD: no member lives; zombies do not count, and a group that is led
 * by another process is not this one. IDENTITY_UNKNOWN: as for the leader; also
 * when it is gone, members live, and pidfd is -1 or is of no use. Looks through
 * /proc, unless the kernel knows of no member at all. */
enum identity_life identity_judge_group(const struct identity_process *leader,
					int pidfd);

/* Send a signal to all members. Nothing is sent, and told is, -ESRCH: there is
 * no member; -EOWNERDEAD: there are some, but the leader is gone, and whose they
 * are cannot be proven; -EXDEV: the leader cannot be judged; -EINVAL: it is no
 * pid of a leader (1 or less). Without a pidfd this is kill(2), right after the
 * proof. */
int identity_signal_group(const struct identity_process *leader, int pidfd,
			  int signal);

/* Wait until no member lives: -ETIMEDOUT when at the deadline one does or none
 * can say; -EINTR. Members are seldom our children, so this asks, more and more
 * seldom, 16 ms apart at last. */
int identity_wait_group(const struct identity_process *leader, int pidfd,
			int64_t deadline);

/* ---- an object -----------------------------------------------------------------------
 *
 * A file (regular, FIFO, socket; POSIX shared memory and semaphores are files
 * of tmpfs) is known by device, inode and birth: an inode goes to the next
 * file at once, but its birth has nanoseconds. A queue of mqueue has no birth;
 * its inode is a count that goes on. A System V object is known by its IPC
 * namespace, id, key, creator and ctime, in seconds: an id comes again after
 * some 65536 others, and within the same second only by force
 * (sysctl kernel.msg_next_id), which is not noticed.
 *
 * SETVAL, SETALL and IPC_SET change the ctime: who does that notes the object
 * again. What a boot ends has the boot. Setting the clock back changes no
 * value. Renaming a file changes nothing; moving it to another file system
 * makes another file. */
enum identity_kind {
	IDENTITY_FILE = 1,
	IDENTITY_SYSV_SHM,
	IDENTITY_SYSV_SEM,
	IDENTITY_SYSV_MSG,
};

enum identity_flags {
	IDENTITY_HAS_BIRTH = 1,
	IDENTITY_IS_QUEUE = 2,       /* of mqueue */
	IDENTITY_ENDS_WITH_BOOT = 4, /* its file system is memory */
};

struct identity_object {
	uint8_t boot[16];
	struct identity_namespace ipc; /* of who noted it */
	uint64_t device, inode;
	uint64_t
		folder; /* device of the folder it was found in; 0: not known */
	int64_t birth_s;
	int64_t ctime_s; /* of System V */
	uint32_t birth_ns;
	uint32_t kind;  /* 0: no object */
	uint32_t flags; /* enum identity_flags */
	int32_t id, key;
	uint32_t creator; /* uid */
};
#define IDENTITY_OBJECT_BYTES 96

enum identity_match {
	IDENTITY_SAME,
	IDENTITY_ANOTHER,
	IDENTITY_GONE,        /* nothing is there */
	IDENTITY_CANNOT_TELL, /* counts as the same for who would replace it,
			       * as another for who would remove it */
};

/* The four that note an object. On failure *object has what is known of the
 * place where it was looked for, which identity_compare() wants.
 *
 * Of a descriptor, O_PATH ones and those of mq_open(3) included. -EBADF. */
int identity_of_fd(int fd, struct identity_object *object);

/* Of a path relative to the directory dir (AT_FDCWD). It opens no FIFO and
 * connects to nothing, and follows no symbolic link in the last place: -ELOOP
 * for one. -ENOENT, -EACCES, ... */
int identity_of_path(int dir, const char *path, struct identity_object *object);

/* Of what mq_open(3) opens under this name. Neither shared memory nor semaphores
 * need one: "/name" is /dev/shm/name and /dev/shm/sem.name. -EACCES when it may
 * be neither read nor written. */
int identity_of_queue(const char *name, struct identity_object *object);

/* Of a System V id. -EINVAL or -EIDRM when there is none; -EACCES when it may
 * not be read. Memory that was removed and lives until it is detached is gone:
 * -EIDRM. */
int identity_of_sysv(enum identity_kind kind, int id,
		     struct identity_object *object);

/* Whether what one of these found now, returning error, is what was noted. A
 * System V object or a queue seen from another IPC namespace, a path whose
 * folder is on another device than it was: IDENTITY_CANNOT_TELL, as is a file
 * without a birth. */
enum identity_match identity_compare(const struct identity_object *noted,
				     int error,
				     const struct identity_object *now);

/* Whether a socket is bound to the Unix socket file at that path, listening or
 * not, of whatever type and in whatever network namespace. IDENTITY_DEAD:
 * nobody; no bind(2) comes back to such a file. IDENTITY_UNKNOWN: the path is too
 * long, or may not be written. Nobody notices that he is looked at. */
enum identity_life identity_judge_socket(const char *path);

/* As identity_format() and identity_parse(): words in one form, without blanks. */
#define IDENTITY_OBJECT_TEXT 288
void identity_format_object(const struct identity_object *object,
			    char text[IDENTITY_OBJECT_TEXT]);
int identity_parse_object(const char *text, struct identity_object *object);

/* ---- a role --------------------------------------------------------------------------
 *
 * Who holds the write lock of one byte of a file has the role of that byte: the
 * writer, the receiver, slot 7. It is an OFD lock (fcntl(2), F_OFD_SETLK): the
 * kernel drops it when the last descriptor of its open file description is
 * closed, and so at any death, in whatever PID namespace; nothing that a peer
 * writes forges it or loses it. Bytes may lie far beyond the end of the file.
 *
 * The handle owns its descriptor, and nobody else uses it: a role is asked for
 * with F_RDLCK, so that the read lock of somebody who may only read tells
 * nothing, but such a lock would keep us from taking the role, and so modes are
 * refused that let somebody read who may not write. (An access control list may
 * say so behind the mode's back: see acl(5).)
 *
 *  fork      the child has the same open file description, and with it the
 *            role, until both have closed it or are dead: a child that goes on
 *            without exec calls identity_role_close() if it shall not hold it
 *  exec      the descriptor is closed: the role ends, unless a parent has it
 *  dup, SCM_RIGHTS    as fork: one more holder of the same role
 *  closefrom and the like    end the role behind our back. Every call here says
 *            -EBADF then, or -ESTALE when the number is another file's by now:
 *            never an answer about a peer. A number that was opened again for
 *            the same file is not noticed, and holds nothing
 *  namespaces, /proc, clocks, setuid    nothing
 *  unlink, rename    nothing: the file is the role's, not its name
 *
 * Two roles of one handle do not exclude each other, and a handle does not see
 * its own: it asks about its peers. */
struct identity_role {
	int fd; /* -1: none */
	uint64_t device, inode;
};

/* Begin with a descriptor that the caller has opened for this, O_RDWR, and not
 * duplicated; it becomes the handle's, close-on-exec, unless the call fails.
 * -EBADF when it is not open for both, -EPERM when the file's mode lets
 * somebody read who may not write. */
int identity_role_open(struct identity_role *role, int fd);

/* Ends its roles. The number is closed only if it is still this file's. */
void identity_role_close(struct identity_role *role);

/* 0; -EBUSY: another has it; -EPERM: nobody has it, but a read lock lies on it;
 * -EBADF, -ESTALE; -ENOLCK. Taking what one has is 0. */
int identity_role_take(const struct identity_role *role, int64_t byte);

/* The same until the deadline: -ETIMEDOUT, -EINTR. The kernel's queue knows no
 * deadline, so this asks, more and more seldom, 13 ms apart at last. */
int identity_role_take_until(const struct identity_role *role, int64_t byte,
			     int64_t deadline);

/* 0, also when we had it not; -EBADF, -ESTALE. */
int identity_role_give_up(const struct identity_role *role, int64_t byte);

enum identity_peer {
	IDENTITY_PEER_ABSENT,  /* nobody has it, nor had when we looked */
	IDENTITY_PEER_PRESENT, /* another handle has it */
	IDENTITY_PEER_GONE,    /* nobody has it; somebody had */
};

/* Whether a peer has the role of that byte. *has_met is the caller's note, in
 * private memory and false at first, that a peer was there: it is set here, and
 * may be set by the caller who has met it otherwise; to wait for the next one it
 * is cleared. Returns an enum identity_peer, or -EBADF, -ESTALE, -ENOLCK. */
int identity_role_look(const struct identity_role *role, int64_t byte,
		       bool *has_met);

#ifdef __cplusplus
}
#endif

#endif
