/* damage.c - see damage.h. */
#include "p18-rpc-kv/durable/damage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int damage_note(struct damage *damage, const char *name, uint64_t offset,
		const char *what)
{
	if (damage)
		snprintf(damage->text, sizeof(damage->text),
			 "%s: at byte %" PRIu64 ": %s", name, offset, what);
	return -EBADMSG;
}

int damage_of_open(struct damage *damage, const char *name, int error)
{
	if (error == -ELOOP || error == -EBADMSG)
		return damage_note(damage, name, 0, "it is not a file");
	if (error == -EPERM)
		damage_note(damage, name, 0,
			    "it is another user's, or others may write to it");
	return error;
}
