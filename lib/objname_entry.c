/* An entry as text, as it stands in the ledger:
 *
 *	unixipc2 KIND PID START CREATED PIDNS TIMENS IPCNS BOOT PROGRAM NAME
 *
 * The name comes last and may hold blanks. Earlier versions wrote unixipc1,
 * which had nothing between CREATED and PROGRAM. */
#include "lib/objname_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/fdio.h"
#include "lib/parse.h"

#define VERSION_WORD "unixipc2"
#define VERSION_WORD_OLD "unixipc1" /* of owners that nobody can judge */

void objname_entry_program(char *buf, size_t size)
{
	snprintf(buf, size, "%s", program_invocation_short_name);
	for (; *buf; buf++)
		if (*buf <= ' ' || *buf > '~' || *buf == '/')
			*buf = '_';
}

/* Whether an object of this kind may be called so: no control characters
 * anywhere, because people will see it on a terminal. */
static int check_name(enum objname_kind kind, const char *name)
{
	int64_t id;

	if ((unsigned int)kind >= OBJNAME_KINDS)
		return -EINVAL;
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return -EINVAL;
	switch (kind) {
	case OBJNAME_SHM:
	case OBJNAME_SEM:
	case OBJNAME_MQ:
		return objname_check(name);
	case OBJNAME_FIFO:
	case OBJNAME_SOCKET:
		if (strlen(name) >= OBJNAME_MAX)
			return -ENAMETOOLONG;
		return name[0] == '/' ? 0 : -EINVAL;
	default:
		return parse_integer(name, &id) || id < 0 || id > INT32_MAX
			       ? -EINVAL
			       : 0;
	}
}

/* The name as the ledger has it: of a path the absolute form. */
static int full_name(enum objname_kind kind, const char *name,
		     char full[OBJNAME_MAX])
{
	bool is_path = kind == OBJNAME_FIFO || kind == OBJNAME_SOCKET;
	char folder[OBJNAME_MAX] = "";
	int len;

	if (!*name)
		return -EINVAL;
	if (is_path && name[0] != '/' && !getcwd(folder, sizeof(folder)))
		return errno == ERANGE ? -ENAMETOOLONG : -errno;
	len = snprintf(full, OBJNAME_MAX, "%s%s%s", folder, *folder ? "/" : "",
		       name);
	if (len < 0 || len >= OBJNAME_MAX)
		return -ENAMETOOLONG;
	return check_name(kind, full);
}

/* KIND.HASH, the hash being 64 bit FNV-1a. */
void objname_entry_file(enum objname_kind kind, const char *name,
			char file[OBJNAME_ENTRY_FILE])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	snprintf(file, OBJNAME_ENTRY_FILE, "%s.%016" PRIx64,
		 objname_kind_word(kind), hash);
}

/* /proc may be missing, or show another PID namespace, where our pid is
 * somebody else's. */
static bool is_proc_ours(void)
{
	char link[16], self[16];
	ssize_t len = readlink("/proc/self", link, sizeof(link) - 1);

	if (len < 0)
		return false;
	link[len] = '\0';
	snprintf(self, sizeof(self), "%d", (int)getpid());
	return strcmp(link, self) == 0;
}

static bool read_boot(char boot[OBJNAME_BOOT])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = fdio_read_full(fd, boot, OBJNAME_BOOT - 1);
	close(fd);
	boot[n < 0 ? 0 : n] = '\0';
	return n == OBJNAME_BOOT - 1;
}

void objname_entry_place(struct objname_place *place)
{
	struct stat pid, time, ipc;

	if (is_proc_ours() && read_boot(place->boot) &&
	    stat("/proc/self/ns/pid", &pid) == 0 &&
	    stat("/proc/self/ns/time", &time) == 0 &&
	    stat("/proc/self/ns/ipc", &ipc) == 0) {
		place->pid_namespace = pid.st_ino;
		place->time_namespace = time.st_ino;
		place->ipc_namespace = ipc.st_ino;
	} else {
		*place = (struct objname_place){.boot = "-"};
	}
}

bool objname_entry_same_owner(const struct objname_entry *a,
			      const struct objname_entry *b)
{
	return a->owner == b->owner && a->owner_start == b->owner_start &&
	       objname_entry_same_place(&a->place, &b->place);
}

bool objname_entry_same_place(const struct objname_place *a,
			      const struct objname_place *b)
{
	return a->pid_namespace == b->pid_namespace &&
	       a->time_namespace == b->time_namespace &&
	       a->ipc_namespace == b->ipc_namespace &&
	       strcmp(a->boot, b->boot) == 0;
}

int objname_entry_self(enum objname_kind kind, const char *name,
		       struct objname_entry *entry)
{
	*entry = (struct objname_entry){
		.kind = kind,
		.owner = getpid(),
		.owner_start = identity_start_time(getpid()),
		.created = time(NULL),
	};
	objname_entry_place(&entry->place);
	objname_entry_program(entry->program, sizeof(entry->program));
	return full_name(kind, name, entry->name);
}

void objname_entry_format(const struct objname_entry *entry,
			  char text[OBJNAME_ENTRY_TEXT])
{
	snprintf(text, OBJNAME_ENTRY_TEXT,
		 VERSION_WORD " %s %d %" PRIu64 " %" PRId64 " %" PRIu64
			      " %" PRIu64 " %" PRIu64 " %s %s %s",
		 objname_kind_word(entry->kind), (int)entry->owner,
		 entry->owner_start, entry->created, entry->place.pid_namespace,
		 entry->place.time_namespace, entry->place.ipc_namespace,
		 entry->place.boot, entry->program, entry->name);
}

/* The next field of *text, cut off at the blank behind it. */
static const char *take_field(char **text)
{
	const char *field = strsep(text, " ");

	return field && *text ? field : "";
}

static bool take_number(char **text, int64_t max, int64_t *value)
{
	return parse_integer(take_field(text), value) == 0 && *value >= 0 &&
	       *value <= max;
}

/* Of the old form there is none. */
static bool take_place(char **text, bool is_old, struct objname_place *place)
{
	int64_t pid, time, ipc;
	const char *boot;
	size_t len;

	*place = (struct objname_place){.boot = "-"};
	if (is_old)
		return true;
	if (!take_number(text, INT64_MAX, &pid) ||
	    !take_number(text, INT64_MAX, &time) ||
	    !take_number(text, INT64_MAX, &ipc))
		return false;
	boot = take_field(text);
	len = strlen(boot);
	if (len == 0 || len >= sizeof(place->boot) ||
	    strspn(boot, "0123456789abcdef-") != len)
		return false;
	place->pid_namespace = (uint64_t)pid;
	place->time_namespace = (uint64_t)time;
	place->ipc_namespace = (uint64_t)ipc;
	memcpy(place->boot, boot, len + 1);
	return true;
}

bool objname_entry_parse(char *text, struct objname_entry *entry)
{
	const char *word, *program;
	int64_t owner, start;
	enum objname_kind kind = 0;
	bool is_old;

	word = take_field(&text);
	is_old = strcmp(word, VERSION_WORD_OLD) == 0;
	if (!is_old && strcmp(word, VERSION_WORD) != 0)
		return false;
	word = take_field(&text);
	while (kind < OBJNAME_KINDS &&
	       strcmp(word, objname_kind_word(kind)) != 0)
		kind++;
	if (kind == OBJNAME_KINDS || !take_number(&text, INT32_MAX, &owner) ||
	    !take_number(&text, INT64_MAX, &start) ||
	    !take_number(&text, INT64_MAX, &entry->created) ||
	    !take_place(&text, is_old, &entry->place))
		return false;
	program = take_field(&text);
	if (!*program || strlen(program) >= sizeof(entry->program))
		return false;
	for (const char *c = program; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	if (owner == 0 || !text || strlen(text) >= OBJNAME_MAX ||
	    check_name(kind, text) != 0)
		return false;

	entry->kind = kind;
	entry->owner = (pid_t)owner;
	entry->owner_start = (uint64_t)start;
	memcpy(entry->program, program, strlen(program) + 1);
	memcpy(entry->name, text, strlen(text) + 1);
	return true;
}
