/* An entry as text, as it stands in the ledger:
 *
 *	unixipc3 KIND CREATED OWNER OBJECT PROGRAM NAME
 *
 * with both identities as lib/identity writes them. The name comes last and may
 * hold blanks. Earlier versions wrote
 *
 *	unixipc2 KIND PID START CREATED PIDNS TIMENS IPCNS BOOT PROGRAM NAME
 *
 * and before that unixipc1, which had nothing between CREATED and PROGRAM. */
#include "lib/objname_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/identity_proc.h"
#include "lib/parse.h"

static const char *const versions[] = {"unixipc1", "unixipc2", "unixipc3"};
enum { OLDEST = 1, NEWEST = 3 };

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

bool objname_entry_same_owner(const struct objname_entry *a,
			      const struct objname_entry *b)
{
	return identity_is_same(&a->owner, &b->owner);
}

int objname_entry_look(enum objname_kind kind, const char *name,
		       struct identity_object *object)
{
	char path[OBJNAME_MAX + 16];

	switch (kind) {
	case OBJNAME_MQ:
		return identity_of_queue(name, object);
	case OBJNAME_SHM: /* glibc: "/name" is there */
	case OBJNAME_SEM:
		snprintf(path, sizeof(path), "/dev/shm/%s%s",
			 kind == OBJNAME_SEM ? "sem." : "", name + 1);
		return identity_of_path(AT_FDCWD, path, object);
	case OBJNAME_FIFO:
	case OBJNAME_SOCKET:
		return identity_of_path(AT_FDCWD, name, object);
	case OBJNAME_SYSV_SHM:
	case OBJNAME_SYSV_SEM:
	case OBJNAME_SYSV_MSG:
		return identity_of_sysv(
			IDENTITY_SYSV_SHM + (kind - OBJNAME_SYSV_SHM),
			(int)strtol(name, NULL, 10), object);
	case OBJNAME_KINDS:
		break;
	}
	return -EINVAL;
}

/* Where it is going to be: who looks from elsewhere does not take it for gone. */
static struct identity_object ground_of(enum objname_kind kind,
					const char *name)
{
	struct identity_object found = {0}, ground = {0};

	/* To look at a queue is to open it, and its namespace is all we want. */
	if (kind == OBJNAME_MQ)
		identity_of_fd(-1, &found);
	else
		objname_entry_look(kind, name, &found);
	memcpy(ground.boot, found.boot, sizeof(ground.boot));
	ground.ipc = found.ipc;
	ground.folder = found.folder;
	ground.kind = found.kind;
	ground.flags = kind == OBJNAME_MQ ? IDENTITY_IS_QUEUE : 0;
	ground.id = found.id;
	return ground;
}

int objname_entry_self(enum objname_kind kind, const char *name,
		       struct objname_entry *entry)
{
	int error;

	*entry = (struct objname_entry){
		.kind = kind,
		.created = time(NULL),
	};
	if (identity_self(&entry->owner))
		entry->owner.pid = getpid(); /* nobody will judge it */
	objname_entry_program(entry->program, sizeof(entry->program));
	error = full_name(kind, name, entry->name);
	if (!error)
		entry->object = ground_of(kind, entry->name);
	return error;
}

void objname_entry_format(const struct objname_entry *entry,
			  char text[OBJNAME_ENTRY_TEXT])
{
	char owner[IDENTITY_PROCESS_TEXT], object[IDENTITY_OBJECT_TEXT];

	identity_format(&entry->owner, owner);
	identity_format_object(&entry->object, object);
	snprintf(text, OBJNAME_ENTRY_TEXT, "%s %s %" PRId64 " %s %s %s %s",
		 versions[NEWEST - 1], objname_kind_word(entry->kind),
		 entry->created, owner, object, entry->program, entry->name);
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

/* Of the old forms: PID START CREATED, and then PIDNS TIMENS IPCNS BOOT. An
 * inode is all that they know of a namespace. */
static bool take_old(char **text, int version, struct objname_entry *entry)
{
	int64_t pid, start, pid_ns = 0, time_ns = 0, ipc_ns = 0;
	const char *boot = "";
	size_t len;

	if (!take_number(text, INT32_MAX, &pid) || pid == 0 ||
	    !take_number(text, INT64_MAX, &start) ||
	    !take_number(text, INT64_MAX, &entry->created))
		return false;
	if (version == 2) {
		if (!take_number(text, INT64_MAX, &pid_ns) ||
		    !take_number(text, INT64_MAX, &time_ns) ||
		    !take_number(text, INT64_MAX, &ipc_ns))
			return false;
		boot = take_field(text);
		len = strlen(boot);
		if (len == 0 || len > 36 ||
		    strspn(boot, "0123456789abcdef-") != len)
			return false;
	}
	entry->object = (struct identity_object){0};
	entry->owner = (struct identity_process){
		.place = {.pid = {.inode = (uint64_t)pid_ns},
			  .time = {.inode = (uint64_t)time_ns}},
		.start = (uint64_t)start,
		.pid = (int32_t)pid,
	};
	/* "-" was that of an owner that could not read it. */
	if (identity_proc_parse_boot(boot, entry->owner.place.boot))
		memset(entry->owner.place.boot, 0,
		       sizeof(entry->owner.place.boot));
	return true;
}

static bool take_new(char **text, struct objname_entry *entry)
{
	return take_number(text, INT64_MAX, &entry->created) &&
	       identity_parse(take_field(text), &entry->owner) == 0 &&
	       entry->owner.pid > 0 &&
	       identity_parse_object(take_field(text), &entry->object) == 0;
}

bool objname_entry_parse(char *text, struct objname_entry *entry)
{
	const char *word = take_field(&text), *program;
	enum objname_kind kind = 0;
	int version = OLDEST;

	while (version <= NEWEST && strcmp(word, versions[version - 1]) != 0)
		version++;
	word = take_field(&text);
	while (kind < OBJNAME_KINDS &&
	       strcmp(word, objname_kind_word(kind)) != 0)
		kind++;
	if (version > NEWEST || kind == OBJNAME_KINDS)
		return false;
	if (version == NEWEST ? !take_new(&text, entry)
			      : !take_old(&text, version, entry))
		return false;
	program = take_field(&text);
	if (!*program || strlen(program) >= sizeof(entry->program))
		return false;
	for (const char *c = program; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	if (!text || strlen(text) >= OBJNAME_MAX || check_name(kind, text) != 0)
		return false;

	entry->kind = kind;
	memcpy(entry->program, program, strlen(program) + 1);
	memcpy(entry->name, text, strlen(text) + 1);
	return true;
}
