/* What is kept, and why. An entry has the identity of the object that its owner
 * made: what is another by now stays, and the entry goes. In every doubt the
 * object stays, and the entry. */
#include "suite/inventory.h"

#include <stdio.h>
#include <string.h>

/* Of a dead owner, and used by nobody that we could see. */
static bool is_left(const struct inventory_item *item)
{
	return item->owner == OBJNAME_DEAD && item->exists && item->users <= 0;
}

/* What has its id here, in another IPC namespace, is certainly not what was
 * noted; entries of older versions do not know theirs. */
static bool is_elsewhere(const struct inventory_item *item)
{
	return item->match == IDENTITY_CANNOT_TELL &&
	       (!item->exists || (item->entry.kind >= OBJNAME_SYSV_SHM &&
				  item->entry.object.kind != 0));
}

/* Queues and sets of System V do not tell who uses them. */
static bool is_sysv_unknown(const struct inventory_item *item)
{
	return is_left(item) && item->entry.kind >= OBJNAME_SYSV_SHM &&
	       !is_elsewhere(item) &&
	       (item->users < 0 || item->match != IDENTITY_SAME);
}

static bool is_file_unknown(const struct inventory_item *item)
{
	return is_left(item) && item->entry.kind < OBJNAME_SYSV_SHM &&
	       item->users == 0 && item->match != IDENTITY_SAME;
}

bool inventory_is_forgotten(const struct inventory_item *item)
{
	return item->owner == OBJNAME_DEAD && !item->exists &&
	       item->match != IDENTITY_CANNOT_TELL;
}

const char *inventory_keeps(const struct inventory_item *item)
{
	if (item->is_foreign)
		return "it is not of this project";
	if (item->owner == OBJNAME_ALIVE)
		return "its owner lives";
	if (item->owner == OBJNAME_UNKNOWN)
		return "its owner cannot be judged from here";
	if (inventory_is_forgotten(item))
		return NULL;
	if (is_elsewhere(item))
		return "it cannot be seen from here";
	if (item->users > 0)
		return "somebody uses it";
	if (item->match != IDENTITY_SAME)
		return "another program may have made it anew";
	if (item->users < 0)
		return "who uses it cannot be seen";
	return NULL;
}

/* A shell takes what is between single quotes as it is; one of them itself is
 * put in from outside of them. */
static void quote(const char *text, char *buf, size_t size)
{
	size_t at = 0;

	buf[at++] = '\'';
	for (; *text && at + sizeof("'\\'''") < size; text++)
		if (*text == '\'') {
			memcpy(buf + at, "'\\''", 4);
			at += 4;
		} else {
			buf[at++] = *text;
		}
	buf[at++] = '\'';
	buf[at] = '\0';
}

const char *inventory_command(const struct inventory_item *item, char *buf,
			      size_t size)
{
	static const char *const before[OBJNAME_KINDS] = {
		[OBJNAME_SHM] = "/dev/shm",
		[OBJNAME_SEM] = "/dev/shm/sem.",
		[OBJNAME_MQ] = "/dev/mqueue",
		[OBJNAME_FIFO] = "",
		[OBJNAME_SOCKET] = "",
		[OBJNAME_SYSV_SHM] = "ipcrm -m",
		[OBJNAME_SYSV_SEM] = "ipcrm -s",
		[OBJNAME_SYSV_MSG] = "ipcrm -q",
	};
	const char *name = item->entry.name;
	char path[OBJNAME_MAX + 32], quoted[4 * sizeof(path)];

	snprintf(buf, size, "%s", "");
	if (is_sysv_unknown(item)) {
		snprintf(buf, size, "%s %s", before[item->entry.kind], name);
	} else if (is_file_unknown(item)) {
		snprintf(path, sizeof(path), "%s%s", before[item->entry.kind],
			 item->entry.kind == OBJNAME_SEM ? name + 1 : name);
		quote(path, quoted, sizeof(quoted));
		snprintf(buf, size, "rm %s", quoted);
	}
	return buf;
}
