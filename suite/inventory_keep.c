/* What is kept, and why. An entry tells who claimed a name or an id; it does
 * not tell whether the object there is still the one that its owner made. In
 * every doubt the object stays. */
#include "suite/inventory.h"

#include <stdio.h>
#include <string.h>

/* Seconds between a claim and the birth of what was claimed: programs claim
 * right before they make it, or right after, and clocks tell whole seconds. */
enum { BORN_BEFORE = 1, BORN_AFTER = 2 };

/* Of a dead owner, and used by nobody that we could see. */
static bool is_left(const struct inventory_item *item)
{
	return item->owner == OBJNAME_DEAD && item->exists && item->users <= 0;
}

/* Ids begin anew in each IPC namespace and after each boot. */
static bool is_sysv_unknown(const struct inventory_item *item)
{
	return is_left(item) && item->entry.kind >= OBJNAME_SYSV_SHM;
}

static bool is_birth_unknown(const struct inventory_item *item)
{
	return is_left(item) && item->entry.kind < OBJNAME_SYSV_SHM &&
	       item->users == 0 && item->born < 0;
}

const char *inventory_keeps(const struct inventory_item *item)
{
	int64_t after = item->born - item->entry.created;

	if (item->owner == OBJNAME_ALIVE)
		return "its owner lives";
	if (item->owner == OBJNAME_UNKNOWN)
		return "its owner cannot be judged from here";
	if (!item->exists)
		return NULL;
	if (item->users > 0)
		return "somebody uses it";
	if (is_sysv_unknown(item))
		return "the id may be another program's by now";
	if (item->users < 0)
		return "who uses it cannot be seen";
	if (is_birth_unknown(item))
		return "another program may have made it anew";
	if (after < -BORN_BEFORE || after > BORN_AFTER)
		return "its owner did not make it";
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
	} else if (is_birth_unknown(item)) {
		snprintf(path, sizeof(path), "%s%s", before[item->entry.kind],
			 item->entry.kind == OBJNAME_SEM ? name + 1 : name);
		quote(path, quoted, sizeof(quoted));
		snprintf(buf, size, "rm %s", quoted);
	}
	return buf;
}
