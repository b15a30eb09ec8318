/* An entry as text, as it stands in the ledger:
 *
 *	unixipc1 KIND PID START CREATED PROGRAM NAME
 *
 * The name comes last and may hold blanks. */
#include "lib/objname_entry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cli.h"

#define VERSION_WORD "unixipc1"

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
		return cli_parse_integer(name, &id) || id < 0 || id > INT32_MAX
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

int objname_entry_self(enum objname_kind kind, const char *name,
		       struct objname_entry *entry)
{
	*entry = (struct objname_entry){
		.kind = kind,
		.owner = getpid(),
		.owner_start = child_start_time(getpid()),
		.created = time(NULL),
	};
	objname_entry_program(entry->program, sizeof(entry->program));
	return full_name(kind, name, entry->name);
}

void objname_entry_format(const struct objname_entry *entry,
			  char text[OBJNAME_ENTRY_TEXT])
{
	snprintf(text, OBJNAME_ENTRY_TEXT,
		 VERSION_WORD " %s %d %" PRIu64 " %" PRId64 " %s %s",
		 objname_kind_word(entry->kind), (int)entry->owner,
		 entry->owner_start, entry->created, entry->program,
		 entry->name);
}

/* The next field of *text, cut off at the blank behind it. */
static const char *take_field(char **text)
{
	const char *field = strsep(text, " ");

	return field && *text ? field : "";
}

static bool take_number(char **text, int64_t max, int64_t *value)
{
	return cli_parse_integer(take_field(text), value) == 0 && *value >= 0 &&
	       *value <= max;
}

bool objname_entry_parse(char *text, struct objname_entry *entry)
{
	const char *word, *program;
	int64_t owner, start;
	enum objname_kind kind = 0;

	if (strcmp(take_field(&text), VERSION_WORD) != 0)
		return false;
	word = take_field(&text);
	while (kind < OBJNAME_KINDS &&
	       strcmp(word, objname_kind_word(kind)) != 0)
		kind++;
	if (kind == OBJNAME_KINDS || !take_number(&text, INT32_MAX, &owner) ||
	    !take_number(&text, INT64_MAX, &start) ||
	    !take_number(&text, INT64_MAX, &entry->created))
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
